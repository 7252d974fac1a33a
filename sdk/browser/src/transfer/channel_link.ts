// A channel that carries one file transfer, beside the one that carries the application's values: neither waits for the
// other. Only between pages with this SDK.

import type { Remote, Serializer } from '../connection/channel.js';
import type { FileHost } from '../connection/files.js';
import type { Sender } from '../data/sender.js';
import { PeerError } from '../errors.js';
import type { Link } from './link.js';

export const FILE_PROTOCOL = 'peerway-file';

const PIECE = 64 << 10;
const OURS: Remote = { ours: true, legacy: false, renegotiates: true };
const SIZES = { piece: PIECE, most: PIECE };
// Of a chunk, beside its data.
const ENVELOPE = 128;
// Before anybody listens.
const MOST_EARLY = 1000;

export class ChannelLink implements Link {
  readonly chunk = PIECE - ENVELOPE;
  readonly peer: string;
  readonly #channel: RTCDataChannel;
  readonly #sender: Sender;
  readonly #serializer: Serializer;
  readonly #early: unknown[] = [];
  readonly #listeners = new AbortController();
  readonly #open: Promise<void>;
  readonly #forget: () => void;
  #opened!: () => void;
  #take: ((message: unknown) => void) | undefined;
  #ended: (() => void) | undefined;
  #over = false;

  constructor(host: FileHost, channel: RTCDataChannel, forget: () => void) {
    this.peer = host.peer;
    this.#forget = forget;
    this.#channel = channel;
    this.#sender = host.sender(channel);
    this.#serializer = host.serializer();
    this.#open = new Promise((resolve) => (this.#opened = resolve));
    channel.binaryType = 'arraybuffer';
    const { signal } = this.#listeners;
    channel.addEventListener('open', () => this.#opened(), { signal });
    channel.addEventListener('close', () => this.end(), { signal });
    channel.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => this.#handle(data), { signal });
    if (channel.readyState === 'open') this.#opened();
  }

  async send(message: Record<string, unknown>): Promise<void> {
    await this.#open;
    await this.#sender.send(this.#serializer.pack(message, OURS, SIZES));
  }

  listen(take: (message: unknown) => void, ended: () => void): void {
    this.#take = take;
    this.#ended = ended;
    for (const message of this.#early.splice(0)) take(message);
    if (this.#over) this.#ended?.();
  }

  close(): void {
    this.#take = () => undefined;
    this.#ended = undefined;
    // What was said before waits for it to be open too, and is the sender's only then.
    void this.#open.then(() => this.#sender.flushed()).then(() => this.#channel.close());
  }

  // The channel is gone, or its connection.
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#listeners.abort();
    this.#sender.stop(new PeerError('connection-closed', 'The connection was closed'));
    this.#opened();
    this.#channel.close();
    this.#forget();
    this.#ended?.();
  }

  #handle(data: ArrayBuffer): void {
    const take = (value: unknown): void => {
      if (this.#take) this.#take(value);
      else if (this.#early.push(value) > MOST_EARLY) this.end();
    };
    try {
      this.#serializer.unpack(data, take, () => this.end());
    } catch {
      this.end();
    }
  }
}
