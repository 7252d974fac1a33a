// The second tab: which room to join, and how.

import type { Peer } from 'peerway';

import { button, el } from './dom.js';
import { Stay, type Mode } from './stay.js';
import { texts } from './texts.js';

export class RoomTab {
  readonly panel: HTMLElement;
  readonly #peer: Peer;
  readonly #place = el('div', { class: 'column' });
  readonly #name: HTMLInputElement;
  readonly #modes: Record<Mode, HTMLInputElement>;
  readonly #form: HTMLElement;
  #stay: Stay | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
    const words = texts.room;
    this.#name = el('input', {
      type: 'text',
      id: 'room-name',
      value: 'lobby',
      maxlength: '200',
      required: true,
      autocomplete: 'off',
    });
    const mode = (value: Mode): HTMLInputElement =>
      el('input', { type: 'radio', name: 'mode', value, checked: value === 'mesh' });
    this.#modes = { mesh: mode('mesh'), sfu: mode('sfu') };
    const form = el(
      'form',
      { class: 'card' },
      el('h2', {}, words.heading),
      el('p', { class: 'soft' }, words.about),
      el('label', { for: 'room-name' }, words.name),
      this.#name,
      el(
        'fieldset',
        {},
        el('legend', {}, words.mode),
        el('label', {}, this.#modes.mesh, words.mesh),
        el('label', {}, this.#modes.sfu, words.sfu),
      ),
      el(
        'div',
        { class: 'bar' },
        el('button', { type: 'submit', class: 'primary' }, words.withCamera),
        button(words.without, () => void this.#join(false)),
      ),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join(true);
    });
    this.#form = form;
    this.#place.append(form);
    this.panel = el('div', {}, this.#place);
  }

  // From a link.
  prefill(name: string, mode: Mode): void {
    this.#name.value = name;
    this.#modes[mode].checked = true;
  }

  async #join(withCamera: boolean): Promise<void> {
    const name = this.#name.value.trim();
    if (!name || this.#stay) return;
    const mode: Mode = this.#modes.sfu.checked ? 'sfu' : 'mesh';
    this.#stay = new Stay(this.#peer, name, mode, () => {
      this.#stay = undefined;
      this.#place.replaceChildren(this.#form);
      this.#name.focus();
    });
    this.#place.replaceChildren(this.#stay.element);
    await this.#stay.begin(withCamera);
  }
}
