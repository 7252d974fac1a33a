// BinaryPack, the form of `binary` (docs/reference/peerjs-data.md).

import { Packer, type Packed } from './packer.js';
import { Reader } from './reader.js';
import { decodeText, encodeSurrogates, extent, type Dialect } from './text.js';

const SURROGATE = /[\ud800-\udfff]/;

export function pack(value: unknown, legacy: boolean): Packed {
  return new BinaryPacker(legacy).pack(value);
}

// What stands before and behind the data of a piece (pieces.ts).
export function envelope(id: number, n: number, length: number, total: number): [Uint8Array, Uint8Array] {
  return new BinaryPacker(false).envelope(id, n, length, total);
}

// With `views`, bytes stay where they are instead of becoming ArrayBuffers of their own.
export function unpack(
  bytes: Uint8Array<ArrayBuffer>,
  expected: Dialect,
  views = false,
): { value: unknown; dialect: Dialect } {
  // Of three ways to count the texts the one is right that reads a message to its last byte. JavaScript ignores what
  // comes behind a value, so where none does it, it was the expected one.
  let first: { value: unknown; dialect: Dialect } | undefined;
  let failure: unknown;
  for (const dialect of [expected, expected === 'modern' ? 'legacy' : 'modern', 'oldest'] as const) {
    const reader = new BinaryReader(bytes, dialect, views);
    try {
      const value = reader.value();
      if (!reader.left) return { value, dialect };
      if (dialect === expected) first = { value, dialect };
    } catch (error) {
      failure ??= error;
    }
  }
  if (!first) throw failure;
  return first;
}

class BinaryPacker extends Packer {
  readonly #legacy: boolean;

  constructor(legacy: boolean) {
    super();
    this.#legacy = legacy;
  }

  envelope(id: number, n: number, length: number, total: number): [Uint8Array, Uint8Array] {
    this.tag(0x84);
    this.text('__peerData');
    this.number(id);
    this.text('n');
    this.number(n);
    this.text('data');
    this.bytesHead(length);
    const head = this.written();
    this.text('total');
    this.number(total);
    return [head, this.written()];
  }

  protected override text(text: string): void {
    const head = (length: number): void => this.head(length, 15, 0xb0, 0, 0xd8, 0xd9);
    if (this.#legacy && SURROGATE.test(text)) {
      const bytes = encodeSurrogates(text);
      head(bytes.length);
      this.raw(bytes);
    } else this.utf8(text, head);
  }

  protected override bytesHead(length: number): void {
    this.head(length, 15, 0xa0, 0, 0xda, 0xdb);
  }

  protected override date(date: Date): void {
    if (Number.isNaN(date.getTime())) this.tag(0xc0);
    else this.text(date.toISOString());
  }

  // Clients cannot read a double that is zero, take eight zero bytes for NaN, and read 64-bit integers below -2^31 wrong.
  protected override number(number: number): void {
    if (Number.isNaN(number)) this.whole(0xcb, 8, 0);
    else if (Number.isInteger(number) && number >= -(2 ** 31) && number <= 2 ** 53) this.integer(number, 0xd3);
    else this.double(number);
  }
}

class BinaryReader extends Reader {
  readonly #dialect: Dialect;
  readonly #views: boolean;

  constructor(bytes: Uint8Array<ArrayBuffer>, dialect: Dialect, views: boolean) {
    super(bytes);
    this.#dialect = dialect;
    this.#views = views;
  }

  protected override special(tag: number): unknown {
    if (tag < 0xb0) return this.#bytes(tag & 0x0f);
    if (tag < 0xc0) return this.#text(tag & 0x0f);
    switch (tag) {
      case 0xc1:
        return undefined;
      case 0xd8:
        return this.#text(this.unsigned(2));
      case 0xd9:
        return this.#text(this.unsigned(4));
      case 0xda:
        return this.#bytes(this.unsigned(2));
      case 0xdb:
        return this.#bytes(this.unsigned(4));
      default:
        throw new RangeError(`no value begins with the byte ${tag}`);
    }
  }

  protected override double(): number {
    const number = super.double();
    // Zero is an integer there.
    return Object.is(number, 0) ? NaN : number;
  }

  #bytes(length: number): Uint8Array<ArrayBuffer> | ArrayBuffer {
    const bytes = this.take(length);
    return this.#views ? bytes : bytes.slice().buffer;
  }

  #text(declared: number): string {
    const length = extent(this.bytes, this.at, declared, this.#dialect);
    if (length === undefined) throw new RangeError('it ends too early');
    return decodeText(this.take(length));
  }
}
