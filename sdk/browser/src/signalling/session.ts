// The way to the server: opens the WebSocket, keeps it, and opens it again under the same id and token.
//
//   start -> connecting -> open -> (lost) -> waiting -> connecting ..        close, refused, given up -> closed

import { Emitter } from '../emitter.js';
import { PeerError, type PeerErrorType } from '../errors.js';
import { text } from '../members.js';
import { platform } from '../platform.js';
import { parseFrame, type Frame } from './frame.js';
import { Outbox } from './outbox.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type SessionEvents = {
  // Of each socket; `payload` is that of OPEN.
  open: [payload: unknown];
  frame: [frame: Frame];
  // The socket is gone, or could not be opened, and the next try is this one.
  lost: [attempt: number, wasOpen: boolean];
  // It is over, and nothing more is tried.
  ended: [error: PeerError];
};

export interface SessionOptions {
  // Of the next socket.
  url(): string;
  // Of ourselves, to whom a probe is said.
  id: string;
  // Tries before the first OPEN.
  attempts: number;
}

// How long a try may take. What is begun while a network is away hangs though it is back: the first ones after a loss are
// given up sooner.
const OPEN_MS = 8000;
const REOPEN_MS = [3000, 5000];
const PROBE_MS = 4000;
const QUIET_MS = 25_000;
// When somebody knows of another network, a try that hangs is begun anew.
const SLOW_MS = 2000;
const STEADY_MS = 5000;
const BACKOFF_MS = [200, 500, 1000, 2000, 4000, 8000];
// What no further try changes.
const FINAL: Record<string, PeerErrorType> = { 'ID-TAKEN': 'unavailable-id', 'INVALID-KEY': 'invalid-key' };
// Another socket of the same id and token has taken over.
const TAKEN_OVER = 1000;

export class Session extends Emitter<SessionEvents> {
  readonly #options: SessionOptions;
  readonly #outbox = new Outbox();
  #state: 'closed' | 'connecting' | 'open' | 'waiting' = 'closed';
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #probedAt: number | undefined;
  #attempt = 0;
  #wasOpen = false;
  // When the state began.
  #since = 0;
  #unlisten: (() => void) | undefined;

  constructor(options: SessionOptions) {
    super();
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  start(): void {
    if (this.#state !== 'closed') return;
    this.#attempt = 0;
    this.#listen();
    this.#connect();
  }

  send(frame: Frame): void {
    const text = JSON.stringify(frame);
    if (this.#state === 'open' && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
    else if (this.#state !== 'closed') this.#outbox.push(frame.type, text);
  }

  // Asks the server whether it is there; if it waits for the next try, tries now.
  check(): void {
    const isSlow = this.#state === 'connecting' && platform.now() - this.#since >= SLOW_MS;
    if (this.#state === 'waiting' || isSlow) {
      this.#connect();
    } else if (this.#state === 'open' && this.#probedAt === undefined) {
      this.#probe();
    }
  }

  close(): void {
    this.#state = 'closed';
    this.#drop();
    this.#outbox.clear();
    this.#unlisten?.();
    this.#unlisten = undefined;
  }

  #connect(): void {
    this.#drop();
    this.#state = 'connecting';
    this.#since = platform.now();
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#options.url());
    } catch (cause) {
      const message = 'The browser refuses the address of the server';
      return this.#end(new PeerError('network', message, cause));
    }
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#handleMessage(data);
    socket.onclose = ({ code }) => this.#handleClose(code);
    const limit = this.#wasOpen && REOPEN_MS[this.#attempt - 1];
    this.#after(limit || OPEN_MS, () => this.#lose());
  }

  #handleMessage(data: unknown): void {
    this.#probedAt = undefined;
    const frame = parseFrame(data);
    if (this.#state === 'connecting') return this.#handleGreeting(frame);
    this.#after(QUIET_MS, () => this.#probe());
    // Our own probe.
    if (!frame || (frame.type === 'LEAVE' && frame.src === this.#options.id)) return;
    this.emit('frame', frame);
  }

  #handleGreeting(frame: Frame | undefined): void {
    if (frame?.type === 'OPEN') {
      this.#state = 'open';
      this.#wasOpen = true;
      this.#since = platform.now();
      this.#after(QUIET_MS, () => this.#probe());
      // Who hears it says first what must be said again.
      this.emit('open', frame.payload);
      for (const text of this.#outbox.take()) this.#socket?.send(text);
      return;
    }
    const final = frame && FINAL[frame.type];
    if (final) return this.#end(new PeerError(final, wordsOf(frame)));
    if (frame?.type !== 'ERROR') return;
    // A server that is full may have room later; for who comes for the first time it is the answer.
    if (!this.#wasOpen)
      this.#end(
        new PeerError(/^Token refused/.test(wordsOf(frame)) ? 'authentication' : 'server-error', wordsOf(frame)),
      );
    else this.#lose();
  }

  #handleClose(code: number): void {
    if (this.#state === 'open' && code === TAKEN_OVER) {
      const message = 'Another page has opened the same id with the same token';
      return this.#end(new PeerError('unavailable-id', message));
    }
    this.#lose();
  }

  #lose(): void {
    const wasOpen = this.#state === 'open';
    this.#drop();
    // A server that takes us and lets us go at once is not asked several times a second.
    if (wasOpen && platform.now() - this.#since >= STEADY_MS) this.#attempt = 0;
    this.#attempt += 1;
    if (!this.#wasOpen && this.#attempt >= this.#options.attempts) {
      return this.#end(new PeerError('network', 'Could not connect to the server'));
    }
    this.#state = 'waiting';
    const longest = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length) - 1] ?? 8000;
    this.#after(longest * (0.5 + platform.random() / 2), () => this.#connect());
    if (this.#wasOpen) this.emit('lost', this.#attempt, wasOpen);
  }

  // Nobody else hears what a client says to itself. The server answers HEARTBEAT with nothing, and its pings are not
  // shown to pages.
  #probe(): void {
    if (this.#state !== 'open') return;
    if (this.#socket?.readyState !== WebSocket.OPEN) return this.#lose();
    this.#probedAt = platform.now();
    this.#socket.send(JSON.stringify({ type: 'LEAVE', dst: this.#options.id }));
    this.#after(PROBE_MS, () => this.#lose());
  }

  // A throttled or sleeping page hears of its timers late: what the clock says counts.
  #wake({ type }: Event): void {
    if (this.#probedAt !== undefined && platform.now() - this.#probedAt >= PROBE_MS) this.#lose();
    if (type === 'online' && this.#state === 'connecting') this.#connect();
    else this.check();
  }

  #end(error: PeerError): void {
    this.close();
    this.emit('ended', error);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#probedAt = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #after(delay: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delay);
  }

  #listen(): void {
    if (typeof addEventListener !== 'function') return;
    const wake = (event: Event): void => this.#wake(event);
    const shown = (event: Event): void => {
      if (document.visibilityState === 'visible') this.#wake(event);
    };
    addEventListener('online', wake);
    addEventListener('pageshow', wake);
    globalThis.document?.addEventListener('visibilitychange', shown);
    this.#unlisten = () => {
      removeEventListener('online', wake);
      removeEventListener('pageshow', wake);
      globalThis.document?.removeEventListener('visibilitychange', shown);
    };
  }
}

export function wordsOf(frame: Frame): string {
  return text(frame.payload, 'msg') ?? 'The server gave no reason';
}
