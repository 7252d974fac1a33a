// One other device: the conversation with it, files, a call, and how the connection does.

import type { DataConnection, MediaConnection, Peer } from 'peerway';

import { CallPanel } from './call_panel.js';
import { chat, type Chat } from './chat.js';
import { button, el, show } from './dom.js';
import { facts, type Facts } from './facts.js';
import { FilePanel } from './file_panel.js';
import { texts } from './texts.js';

export type PersonState = 'connecting' | 'here' | 'gone';

const RETRIES_MS = [1000, 2000, 4000, 8000, 15_000, 30_000];
// Texts longer than this are no conversation.
const LONGEST_TEXT = 20_000;

export class Person {
  readonly id: string;
  readonly element: HTMLElement;
  state: PersonState = 'connecting';
  // Something came since it was looked at.
  unread = false;
  readonly #peer: Peer;
  readonly #changed: () => void;
  readonly #chat: Chat;
  readonly #call: CallPanel;
  readonly #files: FilePanel;
  readonly #facts: Facts;
  readonly #again: HTMLElement;
  readonly #connections = new Set<DataConnection>();
  #isCaller = false;
  #tries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(peer: Peer, id: string, changed: () => void) {
    this.id = id;
    this.#peer = peer;
    this.#changed = changed;
    this.#chat = chat(texts.chat.label, (text) => this.#send(text));
    this.#call = new CallPanel(peer, id, (text) => this.#chat.happened(text));
    this.#files = new FilePanel(id, this.#chat, () => this.#connection);
    this.#facts = facts(() => this.#peerConnections());
    this.#again = button(texts.people.again, () => this.connect());
    show(this.#again, false);
    this.element = el(
      'div',
      { class: 'person' },
      el(
        'section',
        { class: 'card talk', 'aria-label': texts.people.with(id) },
        el('h2', {}, texts.people.with(id)),
        this.#again,
        this.#call.element,
        this.#files.wrap(this.#chat.element),
      ),
      this.#facts.element,
    );
  }

  // We call, and go on calling if it ends: the other page may be loading again.
  connect(): void {
    this.#isCaller = true;
    clearTimeout(this.#timer);
    this.#become('connecting');
    this.#follow(this.#peer.connect(this.id, { label: 'peerway-page', reliable: true }));
  }

  // The other side has called.
  adopt(connection: DataConnection): void {
    this.#follow(connection);
  }

  takeCall(call: MediaConnection): void {
    this.#call.take(call);
    this.#notify();
  }

  get isInCall(): boolean {
    return this.#call.isBusy;
  }

  // In words, for those who do not see the marks.
  get description(): string {
    const { people } = texts;
    const state = this.state === 'here' ? '' : `, ${people.states[this.state]}`;
    return `${this.id}${state}${this.unread ? `, ${people.unread}` : ''}`;
  }

  // The server knows nobody of this name.
  handleAbsent(): void {
    if (this.state === 'connecting' && this.#tries === 0) this.#chat.happened(texts.people.absent(this.id));
  }

  get #connection(): DataConnection | undefined {
    return [...this.#connections].filter(({ open }) => open).at(-1);
  }

  #follow(connection: DataConnection): void {
    this.#connections.add(connection);
    connection.on('open', () => {
      this.#tries = 0;
      this.#become('here');
    });
    connection.on('data', (data: unknown) => this.#hear(data));
    connection.on('error', () => {});
    this.#files.follow(connection);
    connection.on('file', () => this.#notify());
    connection.on('close', () => {
      this.#connections.delete(connection);
      if (!this.#connection) this.#lost();
    });
    if (connection.open) this.#become('here');
  }

  #lost(): void {
    const wait = this.#isCaller ? RETRIES_MS[this.#tries] : undefined;
    this.#become(wait === undefined ? 'gone' : 'connecting');
    if (wait === undefined) return;
    this.#tries += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#connection && this.#connections.size === 0) this.connect();
    }, wait);
  }

  #become(state: PersonState): void {
    if (state !== this.state || state === 'connecting') {
      const { people } = texts;
      const words = {
        connecting: this.#tries ? people.retrying : people.connecting,
        here: people.here,
        gone: people.gone,
      }[state];
      if (state !== this.state || this.#tries === 0) this.#chat.happened(words(this.id));
      this.state = state;
    }
    show(this.#again, state === 'gone' && this.#isCaller);
    this.#changed();
  }

  #send(text: string): boolean {
    const connection = this.#connection;
    if (!connection) return false;
    // What other PeerJS programs show as it is.
    connection.send(text).catch(() => this.#chat.happened(texts.chat.notSent));
    return true;
  }

  // From anybody, perhaps with a program of their own: anything.
  #hear(data: unknown): void {
    let text: string | undefined;
    try {
      text = typeof data === 'string' ? data : JSON.stringify(data);
    } catch {
      text = String(data);
    }
    if (!text) return;
    this.#chat.said(this.id, text.slice(0, LONGEST_TEXT), false);
    this.#notify();
  }

  #notify(): void {
    this.unread = true;
    this.#changed();
  }

  #peerConnections(): RTCPeerConnection[] {
    const data = [...this.#connections].flatMap(({ peerConnection }) => peerConnection ?? []);
    return [...data, ...this.#call.peerConnections()];
  }
}
