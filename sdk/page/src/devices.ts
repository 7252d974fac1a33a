// The first tab: our link for a second device, and the devices that came.

import type { Peer } from 'peerway';

import { copyButton } from './copy.js';
import { button, el, show } from './dom.js';
import { notice } from './notices.js';
import { Person } from './person.js';
import { qrCode } from './qr.js';
import { shareLink } from './share.js';
import { texts } from './texts.js';

// More would be no demonstration but an attack.
const MOST_PEOPLE = 30;

export class Devices {
  readonly panel: HTMLElement;
  readonly #peer: Peer;
  readonly #arrived: () => void;
  readonly #people = new Map<string, Person>();
  readonly #chips = el('div', { class: 'chips', role: 'group', 'aria-label': texts.people.label });
  readonly #place = el('div', { class: 'place' });
  readonly #waiting = el(
    'div',
    { class: 'card waiting' },
    el('p', { class: 'pulse' }, texts.people.waiting),
    el('p', { class: 'soft' }, texts.people.waitingHint),
  );
  readonly #live = el('p', { class: 'visually-hidden', role: 'status' });
  readonly #invite: Invite;
  #chosen: Person | undefined;

  // `arrived`: somebody came while the user may be looking elsewhere.
  constructor(peer: Peer, arrived: () => void) {
    this.#peer = peer;
    this.#arrived = arrived;
    this.#invite = new Invite(peer.id, (id) => this.connect(id));
    this.#place.append(this.#waiting);
    const main = el('div', { class: 'column' }, this.#chips, this.#place, this.#live);
    this.panel = el('div', { class: 'columns' }, this.#invite.element, main);
    show(this.#chips, false);
    peer.on('connection', (connection) => {
      const person = this.#person(connection.peer);
      if (person) person.adopt(connection);
      else connection.close();
    });
    peer.on('call', (call) => {
      const person = this.#person(call.peer);
      if (!person) return call.close();
      if (!this.#chosen?.isInCall) this.#choose(person);
      person.takeCall(call);
    });
    peer.on('error', ({ type, message }) => {
      if (type !== 'peer-unavailable') return;
      for (const person of this.#people.values()) if (message.includes(person.id)) person.handleAbsent();
    });
  }

  refreshLink(): void {
    this.#invite.refresh();
  }

  connect(id: string): void {
    if (id === this.#peer.id) return notice(texts.people.self);
    const known = this.#people.get(id);
    const person = known ?? this.#person(id);
    if (!person) return;
    if (known?.state !== 'here') person.connect();
    this.#choose(person);
  }

  #person(id: string): Person | undefined {
    const known = this.#people.get(id);
    if (known) return known;
    if (this.#people.size >= MOST_PEOPLE) return undefined;
    const person: Person = new Person(this.#peer, id, () => this.#announce(person));
    this.#people.set(id, person);
    if (!this.#chosen) this.#choose(person);
    this.#arrived();
    this.#draw();
    return person;
  }

  #choose(person: Person): void {
    this.#chosen = person;
    this.#place.replaceChildren(person.element);
    this.#draw();
  }

  #draw(): void {
    if (this.#chosen) this.#chosen.unread = false;
    const people = [...this.#people.values()];
    const focused = document.activeElement?.getAttribute('data-id');
    const chips = people.map((person) => {
      const attributes = {
        class: `chip ${person.state}${person.unread ? ' unread' : ''}`,
        'aria-pressed': String(person === this.#chosen),
        'aria-label': person.description,
        'data-id': person.id,
      };
      return button(person.id, () => this.#choose(person), attributes);
    });
    this.#chips.replaceChildren(...chips);
    chips.find((chip) => chip.dataset['id'] === focused)?.focus();
    show(this.#chips, people.length > 1);
    this.#invite.folded = people.some(({ state }) => state === 'here');
  }

  #announce(person: Person): void {
    const words = { connecting: texts.people.connecting, here: texts.people.here, gone: texts.people.gone }[
      person.state
    ](person.id);
    // The conversation that is open says so itself.
    if (person !== this.#chosen && this.#live.textContent !== words) this.#live.textContent = words;
    this.#draw();
  }
}

// The link, its code, and a field for an id that somebody has read out.
class Invite {
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
    const { href, kind } = shareLink({ peer: this.#id });
    this.#link.value = href;
    this.#hint.textContent = kind === 'lan' ? texts.invite.lan : texts.invite.localOnly;
    show(this.#hint, kind !== 'plain');
    this.#code.replaceChildren(qrCode(href, texts.invite.qr(href)));
  }

  // Once somebody is here it makes room, unless the user has said otherwise.
  set folded(folded: boolean) {
    if (!this.#touched && folded && matchMedia('(max-width: 60rem)').matches) this.element.open = false;
  }
}
