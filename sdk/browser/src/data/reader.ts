// Bytes to values: what BinaryPack and MessagePack have in common. What is read is not trusted: lengths are compared
// with what is there, and a message makes no more values than are allowed.

import { MAX_DEPTH } from './packer.js';

// Small ones take far more room in memory than on the wire.
export const MAX_VALUES = 4 << 20;

export abstract class Reader {
  protected readonly bytes: Uint8Array<ArrayBuffer>;
  protected readonly view: DataView;
  protected at = 0;
  #budget = MAX_VALUES;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  // What each form has of its own. Throws where there is no such tag.
  protected abstract special(tag: number): unknown;

  value(depth = 0): unknown {
    const tag = this.unsigned(1);
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.view.getFloat32(this.skip(4));
      case 0xcb:
        return this.double();
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.unsigned((1 << (tag - 0xcc)) as 1 | 2 | 4 | 8);
      case 0xd0:
        return this.view.getInt8(this.skip(1));
      case 0xd1:
        return this.view.getInt16(this.skip(2));
      case 0xd2:
        return this.view.getInt32(this.skip(4));
      case 0xd3:
        return this.view.getInt32(this.skip(4)) * 2 ** 32 + this.unsigned(4);
      case 0xdc:
        return this.#array(this.unsigned(2), depth);
      case 0xdd:
        return this.#array(this.unsigned(4), depth);
      case 0xde:
        return this.#map(this.unsigned(2), depth);
      case 0xdf:
        return this.#map(this.unsigned(4), depth);
      default:
        return this.special(tag);
    }
  }

  protected double(): number {
    return this.view.getFloat64(this.skip(8));
  }

  protected unsigned(width: 1 | 2 | 4 | 8): number {
    const at = this.skip(width);
    if (width === 1) return this.bytes[at]!;
    if (width === 2) return this.view.getUint16(at);
    const high = this.view.getUint32(at);
    return width === 4 ? high : high * 2 ** 32 + this.view.getUint32(at + 4);
  }

  protected take(length: number): Uint8Array<ArrayBuffer> {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }

  // Where it was before.
  protected skip(length: number): number {
    if (length > this.left) throw new RangeError('it ends too early');
    const before = this.at;
    this.at += length;
    return before;
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    const elements: unknown[] = [];
    for (let index = 0; index < length; index++) elements.push(this.value(depth + 1));
    return elements;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    this.#enter(length * 2, depth);
    const members: Record<string, unknown> = {};
    for (let index = 0; index < length; index++) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string' && typeof name !== 'number')
        throw new RangeError('the name of a member is not a text');
      const value = this.value(depth + 1);
      // An assignment would set what the object inherits from.
      if (name === '__proto__') {
        Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
      } else members[name] = value;
    }
    return members;
  }

  #enter(values: number, depth: number): void {
    if (depth >= MAX_DEPTH) throw new RangeError('it is nested too deep');
    // Each takes a byte at least.
    if (values > this.left) throw new RangeError('it ends too early');
    this.#budget -= values;
    if (this.#budget < 0) throw new RangeError('it holds too many values');
  }
}
