// MessagePack, the form of `MsgPack`: one stream of values in messages whose borders mean nothing.

import { Packer, type Packed } from './packer.js';
import { MAX_VALUES, Reader } from './reader.js';
import { MAX_VALUE } from './pieces.js';
import { decodeText } from './text.js';

// The extension type of dates.
const TIMESTAMP = 0xff;

export function packMsgPack(value: unknown): Packed {
  return new MsgPacker().pack(value);
}

class MsgPacker extends Packer {
  protected override text(text: string): void {
    this.utf8(text, (length) => this.head(length, 31, 0xa0, 0xd9, 0xda, 0xdb));
  }

  protected override bytesHead(length: number): void {
    this.head(length, -1, 0, 0xc4, 0xc5, 0xc6);
  }

  protected override number(number: number): void {
    if (Number.isSafeInteger(number)) this.integer(number, 0xcf);
    else this.double(number);
  }

  // The shortest of three forms.
  protected override date(date: Date): void {
    const millis = date.getTime();
    if (Number.isNaN(millis)) return this.tag(0xc0);
    const seconds = Math.floor(millis / 1000);
    const nanos = (millis - seconds * 1000) * 1_000_000;
    const bytes = new DataView(new ArrayBuffer(15));
    if (seconds < 0 || seconds >= 2 ** 34) {
      bytes.setUint16(0, 0xc70c);
      bytes.setUint8(2, TIMESTAMP);
      bytes.setUint32(3, nanos);
      bytes.setInt32(7, Math.floor(seconds / 2 ** 32));
      bytes.setUint32(11, seconds >>> 0);
      return this.raw(new Uint8Array(bytes.buffer));
    }
    const short = !nanos && seconds < 2 ** 32;
    bytes.setUint16(0, ((short ? 0xd6 : 0xd7) << 8) | TIMESTAMP);
    if (!short) bytes.setUint32(2, nanos * 4 + Math.floor(seconds / 2 ** 32));
    bytes.setUint32(short ? 2 : 6, seconds >>> 0);
    this.raw(new Uint8Array(bytes.buffer, 0, short ? 6 : 10));
  }
}

class MsgReader extends Reader {
  protected override special(tag: number): unknown {
    if (tag >= 0xa0 && tag < 0xc0) return this.#text(tag & 0x1f);
    if (tag >= 0xc4 && tag <= 0xc6) return this.take(this.#length(tag - 0xc4)).slice();
    if (tag >= 0xc7 && tag <= 0xc9) return this.#extension(this.#length(tag - 0xc7));
    if (tag >= 0xd4 && tag <= 0xd8) return this.#extension(1 << (tag - 0xd4));
    if (tag >= 0xd9 && tag <= 0xdb) return this.#text(this.#length(tag - 0xd9));
    throw new RangeError(`no value begins with the byte ${tag}`);
  }

  #length(form: number): number {
    return this.unsigned((1 << form) as 1 | 2 | 4);
  }

  #text(length: number): string {
    return decodeText(this.take(length));
  }

  // A timestamp is a date; others become what @msgpack/msgpack makes of them.
  #extension(length: number): unknown {
    const type = this.unsigned(1);
    const at = this.at;
    const data = this.take(length).slice();
    if (type !== TIMESTAMP) return { type: (type << 24) >> 24, data };
    const view = this.view;
    if (length === 4) return new Date(view.getUint32(at) * 1000);
    if (length === 8) {
      const first = view.getUint32(at);
      return new Date(((first & 3) * 2 ** 32 + view.getUint32(at + 4)) * 1000 + (first >>> 2) / 1_000_000);
    }
    if (length !== 12) throw new RangeError('a date has a wrong length');
    const seconds = view.getInt32(at + 4) * 2 ** 32 + view.getUint32(at + 8);
    return new Date(seconds * 1000 + view.getUint32(at) / 1_000_000);
  }
}

// Finds the values in what comes. It looks at each byte once and keeps no more than the one value that has begun.
export class MsgPackStream {
  #begun = new Uint8Array(0);
  // How many bytes of `#begun` are taken.
  #length = 0;
  // How far it was looked at, and how many bytes behind that are inside of a text or buffer.
  #seen = 0;
  #payload = 0;
  // How many values are still to begin, and how many were seen.
  #missing = 1;
  #values = 0;
  #broken = false;

  feed(data: Uint8Array<ArrayBuffer>, take: (value: unknown) => void): void {
    if (this.#broken) throw new RangeError('the stream broke before');
    try {
      let rest = data;
      while (rest.length) {
        const before = this.#length;
        if (before) this.#append(rest);
        const bytes = before ? this.#begun.subarray(0, this.#length) : rest;
        const end = this.#look(bytes);
        if (end === undefined) {
          if (!before) this.#append(rest);
          return;
        }
        rest = rest.subarray(end - before);
        this.#length = this.#seen = this.#values = 0;
        this.#missing = 1;
        const value = new MsgReader(bytes.subarray(0, end)).value();
        if (before) this.#begun = new Uint8Array(0);
        take(value);
      }
    } catch (error) {
      this.#broken = true;
      this.#begun = new Uint8Array(0);
      throw error;
    }
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length;
    if (length > this.#begun.length) {
      const begun = new Uint8Array(Math.max(length, this.#begun.length * 2));
      begun.set(this.#begun.subarray(0, this.#length));
      this.#begun = begun;
    }
    this.#begun.set(bytes, this.#length);
    this.#length = length;
  }

  // Where the value ends that `bytes` begins with, if that is known.
  #look(bytes: Uint8Array): number | undefined {
    for (;;) {
      const here = Math.min(this.#payload, bytes.length - this.#seen);
      this.#seen += here;
      this.#payload -= here;
      if (this.#payload) return undefined;
      if (!this.#missing) return this.#seen;
      const head = headOf(bytes, this.#seen);
      if (!head) return undefined;
      this.#seen += head.length;
      this.#payload = head.payload;
      this.#missing += head.inside - 1;
      this.#values++;
      if (this.#values + this.#missing > MAX_VALUES) throw new RangeError('it holds too many values');
      // Whatever is missing takes a byte at least.
      if (this.#seen + this.#payload + this.#missing > MAX_VALUE) throw new RangeError('it is too big');
    }
  }
}

// Tag and length: how long they are, how many bytes belong to them, and how many values are inside.
function headOf(bytes: Uint8Array, at: number): { length: number; payload: number; inside: number } | undefined {
  const tag = bytes[at];
  if (tag === undefined) return undefined;
  let [length, payload, inside] = [1, 0, 0];
  if (tag >= 0x80 && tag < 0x90) inside = (tag & 15) * 2;
  else if (tag >= 0x90 && tag < 0xa0) inside = tag & 15;
  else if (tag >= 0xa0 && tag < 0xc0) payload = tag & 31;
  else if (tag === 0xca || tag === 0xcb) payload = tag === 0xca ? 4 : 8;
  else if (tag >= 0xcc && tag < 0xd4) payload = 1 << (tag & 3);
  else if (tag >= 0xd4 && tag < 0xd9) payload = 1 + (1 << (tag - 0xd4));
  else if (tag >= 0xc4 && tag < 0xe0) {
    // Arrays and maps have no form of 8 bits.
    const form = tag < 0xca ? (tag - 0xc4) % 3 : tag < 0xdc ? tag - 0xd9 : (tag & 1) + 1;
    length += 1 << form;
    if (at + length > bytes.length) return undefined;
    const count = bytes.subarray(at + 1, at + length).reduce((sum, byte) => sum * 256 + byte, 0);
    if (tag >= 0xdc) inside = tag >= 0xde ? count * 2 : count;
    else payload = tag >= 0xc7 && tag < 0xca ? count + 1 : count;
  }
  return { length, payload, inside };
}
