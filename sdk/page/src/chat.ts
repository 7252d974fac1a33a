// A conversation: what was said, a line to write, and places for other things that happen.

import { el } from './dom.js';
import { clockTime } from './numbers.js';
import { texts } from './texts.js';

// Older entries go: a page may stay open for weeks.
const MOST_ENTRIES = 500;

export interface Chat {
  element: HTMLElement;
  // Where further buttons find their place.
  form: HTMLFormElement;
  said(who: string, text: string, mine: boolean): void;
  happened(text: string): void;
  add(entry: HTMLElement): void;
}

// `send` says whether it went out.
export function chat(label: string, send: (text: string) => boolean): Chat {
  const log = el('div', { class: 'log', role: 'log', 'aria-label': label, tabindex: '0' });
  const input = el('input', {
    type: 'text',
    'aria-label': texts.chat.message,
    placeholder: texts.chat.message,
    autocomplete: 'off',
    enterkeyhint: 'send',
    maxlength: '20000',
  });
  const form = el(
    'form',
    { class: 'line-form' },
    input,
    el('button', { type: 'submit', class: 'primary' }, texts.chat.send),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    if (!send(text)) return happened(texts.chat.notSent);
    said(texts.chat.me, text, true);
    input.value = '';
  });

  function add(entry: HTMLElement): void {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(entry);
    while (log.childElementCount > MOST_ENTRIES) log.firstElementChild?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function said(who: string, text: string, mine: boolean): void {
    const head = el('span', { class: 'who' }, `${who} `, el('time', {}, clockTime()));
    add(el('div', { class: mine ? 'said mine' : 'said' }, head, el('span', { class: 'text' }, text)));
  }

  function happened(text: string): void {
    add(el('div', { class: 'event' }, text));
  }

  return { element: el('div', { class: 'chat' }, log, form), form, said, happened, add };
}
