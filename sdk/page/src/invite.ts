// The link to us, its code, and a field for an id that somebody has read out.

import { copyButton } from './copy.js';
import { el, show } from './dom.js';
import { qrCode } from './qr.js';
import { shareLink } from './share.js';
import { texts } from './texts.js';

export class Invite {
  readonly element: HTMLDetailsElement;
  readonly #id: string;
  readonly #link: HTMLInputElement;
  readonly #code = el('div', { class: 'code' });
  readonly #hint = el('p', { class: 'soft' });
  #touched = false;

  constructor(id: string, connect: (id: string) => void) {
    this.#id = id;
    const { invite } = texts;
    this.#link = el('input', { type: 'text', readonly: true, id: 'link', onfocus: () => this.#link.select() });
    const copy = copyButton(invite.copy, invite.copied, () => ({
      text: this.#link.value,
      select: () => this.#link.focus(),
    }));
    const other = el('input', {
      type: 'text',
      id: 'other',
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      required: true,
    });
    const form = el('form', { class: 'line-form' }, other, el('button', { type: 'submit' }, invite.connect));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const wanted = other.value.trim();
      if (wanted) connect(wanted);
      other.value = '';
    });
    const summary = el('summary', { onclick: () => (this.#touched = true) }, el('h2', {}, invite.heading));
    this.element = el(
      'details',
      { class: 'card invite', open: true },
      summary,
      el('p', {}, invite.how),
      this.#code,
      el('label', { for: 'link' }, invite.link),
      el('div', { class: 'line-form' }, this.#link, copy),
      this.#hint,
      el('label', { for: 'other' }, invite.other),
      form,
    );
    this.refresh();
  }

  // Again, when it is known where other devices reach this computer.
  refresh(): void {
    const { here, others, isLocal } = shareLink({ peer: this.#id });
    this.#link.value = here;
    this.#hint.textContent = others === here ? texts.invite.localOnly : texts.invite.lan(new URL(others).host);
    show(this.#hint, isLocal);
    this.#code.replaceChildren(qrCode(others, texts.invite.qr(others)));
  }

  // Once somebody is here it makes room, unless the user has said otherwise.
  set folded(folded: boolean) {
    if (!this.#touched && folded && matchMedia('(max-width: 60rem)').matches) this.element.open = false;
  }
}
