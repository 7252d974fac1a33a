// Values to bytes: what BinaryPack and MessagePack have in common. Small things go into one growing buffer, big ones
// are referred to, so that 100 MB are not copied before they are cut.

import { PeerError } from '../errors.js';
import { encodeInto } from './text.js';

// Arrays and objects inside each other.
export const MAX_DEPTH = 127;

export type Part = Uint8Array<ArrayBuffer> | Blob;

export interface Packed {
  parts: Part[];
  length: number;
}

// Longer ones are not copied.
const COPIED = 2048;

export abstract class Packer {
  readonly #parts: Part[] = [];
  // Of the parts.
  #length = 0;
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  // What was written since the last part.
  #start = 0;
  #at = 0;

  protected abstract text(text: string): void;
  protected abstract bytesHead(length: number): void;
  protected abstract date(date: Date): void;
  protected abstract number(number: number): void;

  pack(value: unknown): Packed {
    this.#value(value, 0);
    this.#refer(this.written());
    return { parts: this.#parts, length: this.#length };
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
        return this.number(value);
      case 'boolean':
        return this.tag(value ? 0xc3 : 0xc2);
      case 'undefined':
        return this.tag(0xc0);
      case 'object':
        return value === null ? this.tag(0xc0) : this.#object(value, depth);
      default:
        throw new PeerError('not-supported', `a ${typeof value} cannot be sent`);
    }
  }

  #object(value: object, depth: number): void {
    if (value instanceof ArrayBuffer) return this.#buffer(new Uint8Array(value));
    if (ArrayBuffer.isView(value)) {
      return this.#buffer(new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength));
    }
    if (value instanceof Blob) {
      this.bytesHead(value.size);
      this.#refer(this.written());
      return this.#refer(value);
    }
    if (value instanceof Date) return this.date(value);
    if (value instanceof Map || value instanceof Set) {
      throw new PeerError('not-supported', 'a Map or Set cannot be sent; make an object or array of it');
    }
    if (depth >= MAX_DEPTH) {
      throw new PeerError('not-supported', `the value is nested more than ${MAX_DEPTH} levels deep`);
    }
    if (Array.isArray(value)) {
      this.head(value.length, 15, 0x90, 0, 0xdc, 0xdd);
      for (const element of value as unknown[]) this.#value(element, depth + 1);
      return;
    }
    const names = Object.keys(value);
    this.head(names.length, 15, 0x80, 0, 0xde, 0xdf);
    for (const name of names) {
      this.text(name);
      this.#value((value as Record<string, unknown>)[name], depth + 1);
    }
  }

  #buffer(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytesHead(bytes.length);
    if (bytes.length <= COPIED) return this.raw(bytes);
    this.#refer(this.written());
    this.#refer(bytes);
  }

  #refer(part: Part): void {
    const length = part instanceof Blob ? part.size : part.length;
    if (length) this.#parts.push(part);
    this.#length += length;
  }

  // Since the last call.
  protected written(): Uint8Array<ArrayBuffer> {
    const written = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return written;
  }

  protected raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  protected tag(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = byte;
  }

  // A length in the tag, of 8 (0: there is no such form), of 16 or of 32 bits.
  protected head(length: number, most: number, short: number, tag8: number, tag16: number, tag32: number): void {
    if (length <= most) this.tag(short | length);
    else if (length < 0x100 && tag8) this.whole(tag8, 1, length);
    else if (length < 0x10000) this.whole(tag16, 2, length);
    else if (length < 2 ** 32) this.whole(tag32, 4, length);
    else throw new PeerError('message-too-big', 'a value of 4 GiB and more cannot be sent; use sendFile');
  }

  // The first form that fits; `tag64` is that for what 32 bits cannot hold.
  protected integer(number: number, tag64: number): void {
    if (number >= 0) {
      if (number < 0x80) this.tag(number);
      else if (number < 0x100) this.whole(0xcc, 1, number);
      else if (number < 0x10000) this.whole(0xcd, 2, number);
      else if (number < 2 ** 32) this.whole(0xce, 4, number);
      else this.whole(tag64, 8, number);
    } else if (number >= -0x20) this.tag(number & 0xff);
    else if (number >= -0x80) this.whole(0xd0, 1, number);
    else if (number >= -0x8000) this.whole(0xd1, 2, number);
    else if (number >= -(2 ** 31)) this.whole(0xd2, 4, number);
    else this.whole(0xd3, 8, number);
  }

  protected whole(tag: number, width: 1 | 2 | 4 | 8, number: number): void {
    this.tag(tag);
    this.#room(8);
    if (width === 1) this.#bytes[this.#at] = number;
    else if (width === 2) this.#view.setUint16(this.#at, number);
    else if (width === 4) this.#view.setUint32(this.#at, number);
    else {
      this.#view.setInt32(this.#at, Math.floor(number / 2 ** 32));
      this.#view.setUint32(this.#at + 4, number >>> 0);
    }
    this.#at += width;
  }

  protected double(number: number): void {
    this.tag(0xcb);
    this.#room(8);
    this.#view.setFloat64(this.#at, number);
    this.#at += 8;
  }

  // UTF-8, behind what `head` writes for its length.
  protected utf8(text: string, head: (length: number) => void): void {
    const { length } = text;
    let ascii = length < 32;
    for (let at = 0; ascii && at < length; at++) ascii = text.charCodeAt(at) < 0x80;
    if (ascii) {
      head(length);
      this.#room(length);
      for (let at = 0; at < length; at++) this.#bytes[this.#at++] = text.charCodeAt(at);
      return;
    }
    // Written behind the place of the longest head, and moved when its length is known.
    this.#room(length * 3 + 5);
    const from = this.#at + 5;
    const written = encodeInto(text, this.#bytes.subarray(from));
    head(written);
    this.#bytes.copyWithin(this.#at, from, from + written);
    this.#at += written;
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    // What was begun moves; parts that are done keep their buffer.
    const begun = this.#bytes.subarray(this.#start, this.#at);
    this.#bytes = new Uint8Array(Math.max(begun.length * 2, begun.length + length, 512));
    this.#bytes.set(begun);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at -= this.#start;
    this.#start = 0;
  }
}
