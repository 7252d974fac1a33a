// The first tab: our link for a second device, and the devices that came.

import type { Peer } from 'peerway';

import { button, el, show } from './dom.js';
import { Invite } from './invite.js';
import { notice } from './notices.js';
import { Person } from './person.js';
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
