// Long packed values in pieces: `{__peerData, n, data, total}` around each (docs/reference/peerjs-data.md, "Pieces"),
// and putting them together again.

import type { ChannelMessage, Outgoing } from '../connection/channel.js';
import { envelope } from './binarypack.js';
import type { Packed, Part } from './packer.js';

// What PeerJS sends in one message at most.
export const MTU = 16_300;
// Between pages with this SDK. Longer messages would not be faster, and would hold up others for longer.
export const PIECE = 64 << 10;
// Longest value that is taken, and how much of unfinished ones may wait.
export const MAX_VALUE = 256 << 20;
const MAX_PARTIAL = 2 * MAX_VALUE;

// What a value and a piece take beside their bytes.
const VALUE_WEIGHT = 1024;
const PIECE_WEIGHT = 128;
// Ids of values that were finished: what comes of them again is no news.
const REMEMBERED = 64;
// Read of a Blob at a time.
const BLOB_WINDOW = 1 << 20;

// What comes before and behind the data of message `n`.
type Frame = (n: number, length: number) => [Uint8Array, Uint8Array];

// Cuts into messages of `size` bytes of data, which are made when they are asked for.
export function cut(packed: Packed, size: number, frame?: Frame): Outgoing {
  const parts = packed.parts.slice();
  const cutter = new Cutter(packed.length, size, frame);
  const detach = (): void => {
    parts.forEach((part, index) => {
      if (part instanceof Uint8Array) parts[index] = part.slice();
    });
  };
  const messages = parts.some((part) => part instanceof Blob) ? streamed(parts, cutter) : whole(parts, cutter);
  return { messages, detach, size: packed.length };
}

function* whole(parts: Part[], cutter: Cutter): Generator<ChannelMessage> {
  for (let index = 0; index < parts.length; index++) yield* cutter.feed(() => parts[index] as Uint8Array);
}

async function* streamed(parts: Part[], cutter: Cutter): AsyncGenerator<ChannelMessage> {
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    if (part instanceof Uint8Array) {
      yield* cutter.feed(() => parts[index] as Uint8Array);
      continue;
    }
    for (let at = 0; at < part.size; at += BLOB_WINDOW) {
      const window = new Uint8Array(await part.slice(at, at + BLOB_WINDOW).arrayBuffer());
      yield* cutter.feed(() => window);
    }
  }
}

class Cutter {
  readonly #size: number;
  readonly #frame: Frame | undefined;
  #left: number;
  #n = 0;
  // The message that has begun, and where the next byte goes.
  #message: Uint8Array<ArrayBuffer> | undefined;
  #at = 0;
  #end = 0;

  constructor(length: number, size: number, frame?: Frame) {
    this.#left = length;
    this.#size = size;
    this.#frame = frame;
  }

  // `span` is asked again after each message, as its bytes may be somewhere else by then.
  *feed(span: () => Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
    for (let from = 0; from < span().length;) {
      this.#message ??= this.#begin();
      const length = Math.min(this.#end - this.#at, span().length - from);
      this.#message.set(span().subarray(from, from + length), this.#at);
      from += length;
      this.#at += length;
      if (this.#at < this.#end) continue;
      const message = this.#message;
      this.#message = undefined;
      yield message;
    }
  }

  #begin(): Uint8Array<ArrayBuffer> {
    const length = Math.min(this.#size, this.#left);
    const [head, tail] = this.#frame?.(this.#n++, length) ?? [EMPTY, EMPTY];
    const message = new Uint8Array(head.length + length + tail.length);
    message.set(head);
    message.set(tail, head.length + length);
    this.#left -= length;
    this.#at = head.length;
    this.#end = head.length + length;
    return message;
  }
}

const EMPTY = new Uint8Array(0);

export function inPieces(packed: Packed, id: number, size: number): Outgoing {
  const total = Math.ceil(packed.length / size);
  return cut(packed, size, (n, length) => envelope(id, n, length, total));
}

// Puts together what comes in any order. Bounded: what contradicts itself or is too much throws, and the value is gone.
export class Reassembly {
  readonly #unfinished = new Map<number, Unfinished>();
  readonly #finished: number[] = [];
  #weight = 0;

  // The whole packed value, when `piece` was the last that it missed.
  add(piece: Record<string, unknown>): Uint8Array<ArrayBuffer> | undefined {
    const { __peerData: id, n, total, data } = piece;
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (!isCount(id) || !isCount(n) || !isCount(total) || !(bytes instanceof Uint8Array) || n >= total) {
      throw new RangeError('a piece of a value makes no sense');
    }
    if (this.#finished.includes(id)) return undefined;
    const value = this.#unfinished.get(id) ?? {
      total,
      pieces: new Map<number, Uint8Array<ArrayBuffer>>(),
      weight: VALUE_WEIGHT,
    };
    if (this.#unfinished.delete(id)) this.#weight -= value.weight;
    if (value.total !== total) throw new RangeError('a piece contradicts the one before');
    if (!value.pieces.has(n)) {
      value.pieces.set(n, unburdened(bytes as Uint8Array<ArrayBuffer>));
      value.weight += bytes.length + PIECE_WEIGHT;
    }
    if (value.weight > MAX_VALUE + value.pieces.size * PIECE_WEIGHT + VALUE_WEIGHT)
      throw new RangeError('it is too big');
    if (value.pieces.size < total) {
      // Pieces get lost on channels that may lose: the value that has waited longest gives way.
      for (const [oldest, { weight }] of this.#unfinished) {
        if (this.#weight + value.weight <= MAX_PARTIAL) break;
        this.#unfinished.delete(oldest);
        this.#weight -= weight;
      }
      this.#unfinished.set(id, value);
      this.#weight += value.weight;
      return undefined;
    }
    this.#finished.push(id);
    if (this.#finished.length > REMEMBERED) this.#finished.shift();
    // As long as the pieces are, without what they weigh beside that.
    const whole = new Uint8Array(value.weight - VALUE_WEIGHT - total * PIECE_WEIGHT);
    for (let n = 0, at = 0; n < total; n++) {
      const bytes = value.pieces.get(n)!;
      whole.set(bytes, at);
      at += bytes.length;
    }
    return whole;
  }
}

interface Unfinished {
  total: number;
  pieces: Map<number, Uint8Array<ArrayBuffer>>;
  weight: number;
}

// Copied where a few bytes would hold a whole message in memory.
function unburdened(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.length * 2 < bytes.buffer.byteLength ? bytes.slice() : bytes;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 2 ** 32 && Number.isInteger(value);
}
