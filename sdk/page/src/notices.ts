// What the user must know now: one message at a time, read out at once, gone by a click or the next one.

import { button, el, show } from './dom.js';
import { texts } from './texts.js';

const text = el('p', {});
const box = el(
  'div',
  { class: 'notice', role: 'alert', hidden: true },
  text,
  button('×', () => show(box, false), { 'aria-label': texts.dismiss, class: 'quiet' }),
);

export const noticeBox = box;

export function notice(message: string): void {
  text.textContent = message;
  show(box, true);
}

export function clearNotice(): void {
  show(box, false);
}
