import { describe, expect, test } from 'vitest';

import type { MessageSizes, Remote, Serializer } from '../connection/channel.js';
import { MTU, PIECE, Reassembly } from './pieces.js';
import { serializerOf } from './serializers.js';

const OURS: Remote = { ours: true, legacy: false, renegotiates: true };
const MODERN: Remote = { ours: false, legacy: false, renegotiates: false };
const LEGACY: Remote = { ours: false, legacy: true, renegotiates: false };
const SIZES: MessageSizes = { piece: PIECE, most: 262_144 };

type Messages = (string | Uint8Array<ArrayBuffer>)[];

async function messagesOf(serializer: Serializer, value: unknown, remote = OURS): Promise<Messages> {
  const messages: Messages = [];
  for await (const message of serializer.pack(value, remote, SIZES).messages) {
    messages.push(message as string | Uint8Array<ArrayBuffer>);
  }
  return messages;
}

function read(serializer: Serializer, messages: Messages): unknown[] {
  const values: unknown[] = [];
  const take = (value: unknown): unknown => values.push(value);
  for (const message of messages) {
    serializer.unpack(typeof message === 'string' ? message : message.slice().buffer, take, () => values.push('close'));
  }
  return values;
}

const ramp = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, index) => index * 7);
// `toEqual` takes seconds for long ones.
const isSame = (some: Uint8Array, others: Uint8Array): boolean =>
  some.length === others.length && some.every((byte, index) => byte === others[index]);

describe('binary', () => {
  test.each([
    ['ours', OURS, PIECE],
    ['modern', MODERN, MTU + 64],
    ['legacy', LEGACY, MTU + 64],
  ])('long values go in pieces that %s reads', async (_, remote, most) => {
    const value = { name: 'file 😀', data: ramp(200_000) };

    const messages = await messagesOf(serializerOf('binary')!, value, remote);

    expect(Math.max(...messages.map((message) => message.length))).toBeLessThanOrEqual(most);
    const [whole] = read(serializerOf('binary')!, messages.reverse()) as [{ name: string; data: ArrayBuffer }];
    expect(whole.name).toBe(value.name);
    expect(isSame(new Uint8Array(whole.data), value.data)).toBe(true);
  });

  test('buffers and Blobs arrive as an ArrayBuffer, however long they are', async () => {
    for (const length of [0, 10, 16_297, 16_298, 300_000]) {
      for (const value of [ramp(length), ramp(length).buffer, new Blob([ramp(length)])]) {
        const [arrived] = read(serializerOf('binary')!, await messagesOf(serializerOf('binary')!, value));
        expect(arrived).toBeInstanceOf(ArrayBuffer);
        expect(isSame(new Uint8Array(arrived as ArrayBuffer), ramp(length)), `${length}`).toBe(true);
      }
    }
  });

  test('a view sends what it shows, and no more', async () => {
    const value = new Uint16Array(ramp(20).buffer, 4, 3);
    const [arrived] = read(serializerOf('binary')!, await messagesOf(serializerOf('binary')!, value));
    expect(new Uint8Array(arrived as ArrayBuffer)).toEqual(ramp(20).slice(4, 10));
  });

  test('once a remote has shown its age, texts are written for it', async () => {
    const serializer = serializerOf('binary')!;
    // '😀' from 1.4.7, which declares six bytes of four.
    read(serializer, [Uint8Array.of(0xb6, 0xf0, 0x9f, 0x98, 0x80)]);
    const [message] = await messagesOf(serializer, '😀', MODERN);
    expect([...(message as Uint8Array)]).toEqual([0xb6, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]);
  });

  test('what an application must not say is refused before it goes', () => {
    const serializer = serializerOf('binary')!;
    expect(() => serializer.pack({ __peerData: 1 }, OURS, SIZES)).toThrow(/__peerData/);
    expect(() => serializer.pack(() => 1, OURS, SIZES)).toThrow(/function/);
    expect(() => serializer.pack({ a: 1n }, OURS, SIZES)).toThrow(/bigint/);
    expect(() => serializer.pack(new Map(), OURS, SIZES)).toThrow(/Map/);
    const loop: unknown[] = [];
    loop.push(loop);
    expect(() => serializer.pack(loop, OURS, SIZES)).toThrow(/127/);
    const huge = Object.defineProperty(new Blob(), 'size', { value: 257 << 20 });
    expect(() => serializer.pack(huge, OURS, SIZES)).toThrow(/sendFile/);
  });
});

describe('pieces', () => {
  const piece = (n: number, total: number, data: Uint8Array = ramp(10), id = 1) => ({ __peerData: id, n, total, data });

  test('come in any order, and again', () => {
    const reassembly = new Reassembly();
    expect(reassembly.add(piece(2, 3))).toBeUndefined();
    expect(reassembly.add(piece(0, 3))).toBeUndefined();
    expect(reassembly.add(piece(0, 3))).toBeUndefined();
    expect(reassembly.add(piece(1, 3))).toHaveLength(30);
    expect(reassembly.add(piece(1, 3))).toBeUndefined();
  });

  test('that make no sense or contradict each other are refused', () => {
    const reassembly = new Reassembly();
    for (const [n, total] of [
      [3, 3],
      [-1, 3],
      [0.5, 3],
      [0, 2 ** 40],
    ] as const) {
      expect(() => reassembly.add(piece(n, total))).toThrow(RangeError);
    }
    expect(() => reassembly.add({ ...piece(0, 3), data: 'text' })).toThrow(RangeError);
    reassembly.add(piece(0, 3));
    expect(() => reassembly.add(piece(1, 4))).toThrow(/contradicts/);
  });

  test('of values that are never finished are not kept for ever', () => {
    const reassembly = new Reassembly();
    const data = new Uint8Array(32 << 20);
    for (let id = 1; id <= 20; id++) reassembly.add(piece(0, 2, data, id));
    // The oldest gave way, the newest are there.
    expect(reassembly.add(piece(1, 2, data, 1))).toBeUndefined();
    expect(reassembly.add(piece(1, 2, data, 20))).toHaveLength(64 << 20);
    for (let n = 0; n < 7; n++) reassembly.add(piece(n, 100, data, 99));
    expect(() => {
      for (let n = 7; n < 10; n++) reassembly.add(piece(n, 100, data, 99));
    }).toThrow(/too big/);
  });
});

describe('json', () => {
  test('is text for legacy remotes, bytes for others, and as long as both can take', async () => {
    const [text] = await messagesOf(serializerOf('json')!, { a: 1 }, LEGACY);
    const [bytes] = await messagesOf(serializerOf('json')!, { a: 1 }, MODERN);
    expect(text).toBe('{"a":1}');
    expect(bytes).toBeInstanceOf(Uint8Array);
    const long = 'x'.repeat(100_000);
    expect(read(serializerOf('json')!, await messagesOf(serializerOf('json')!, long))).toEqual([long]);
    await expect(messagesOf(serializerOf('json')!, long, MODERN)).rejects.toMatchObject({ type: 'message-too-big' });
    await expect(messagesOf(serializerOf('json')!, undefined)).rejects.toMatchObject({ type: 'not-supported' });
  });

  test('a remote that says text hears text', async () => {
    const serializer = serializerOf('json')!;
    read(serializer, ['1']);
    expect(await messagesOf(serializer, [2], MODERN)).toEqual(['[2]']);
  });
});

describe('raw', () => {
  test('carries texts, buffers and Blobs, and says what it cannot', async () => {
    const serializer = serializerOf('none')!;
    expect(serializer.name).toBe('raw');
    expect(await messagesOf(serializer, 'hi')).toEqual(['hi']);
    expect(await messagesOf(serializer, new Blob(['hi']))).toEqual([Uint8Array.of(104, 105)]);
    await expect(messagesOf(serializer, { a: 1 })).rejects.toThrow(/another serialization/);
    await expect(messagesOf(serializer, 'x'.repeat(300_000))).rejects.toMatchObject({ type: 'message-too-big' });
  });
});

describe('MsgPack', () => {
  test('borders of messages mean nothing', async () => {
    const values = ['text', { at: new Date(1795277398123) }, [1, -1, 2 ** 40, -(2 ** 40), 0.5], null];
    const long = ramp(70_000);
    const stream = (
      await Promise.all([long, ...values].map((value) => messagesOf(serializerOf('MsgPack')!, value, MODERN)))
    ).flat();
    const joined = new Uint8Array(await new Blob(stream).arrayBuffer());
    for (const size of [1, 7, 1000, 32_768, joined.length]) {
      const serializer = serializerOf('MsgPack')!;
      const messages = Array.from({ length: Math.ceil(joined.length / size) }, (_, index) =>
        joined.slice(index * size, (index + 1) * size),
      );
      const [first, ...others] = read(serializer, messages);
      expect(isSame(first as Uint8Array, long), `${size}`).toBe(true);
      expect(others, `${size}`).toEqual(values);
    }
  });

  test('a stream that broke stays broken', () => {
    const serializer = serializerOf('MsgPack')!;
    expect(() => read(serializer, [Uint8Array.of(0xc1)])).toThrow(RangeError);
    expect(() => read(serializer, [Uint8Array.of(1)])).toThrow(/broke/);
  });

  test('a length that no message could have is refused before it comes', () => {
    expect(() => read(serializerOf('MsgPack')!, [Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff)])).toThrow(/too big/);
    expect(() => read(serializerOf('MsgPack')!, [Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)])).toThrow(/too many/);
  });
});

describe('what comes is not trusted', () => {
  test.each(['binary', 'json', 'MsgPack'])('%s: nothing is set that an object inherits from', (name) => {
    const text = '{"__proto__":{"polluted":true}}';
    const message =
      name === 'json'
        ? new TextEncoder().encode(text)
        : Uint8Array.of(
            0x81,
            name === 'binary' ? 0xb9 : 0xa9,
            ...new TextEncoder().encode('__proto__'),
            0x81,
            0x00,
            0xc3,
          );
    const [value] = read(serializerOf(name)!, [message]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn(value as object, '__proto__')).toBe(true);
  });

  test('lengths that are not there, and endless nesting', () => {
    const hostile = [
      [0xdd, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xdb, 0xff, 0xff, 0xff, 0xff],
      [0xd9, 0xff, 0xff, 0xff, 0xff, 0x61],
      [0xc4, 0x01],
      Array<number>(10_000).fill(0x91),
      [],
    ];
    for (const message of hostile)
      expect(() => read(serializerOf('binary')!, [Uint8Array.from(message)])).toThrow(RangeError);
  });

  test('noise ends in a value or in an error', () => {
    let seed = 1;
    const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 16;
    for (let round = 0; round < 3000; round++) {
      const noise = Uint8Array.from({ length: random() % 60 }, random);
      for (const name of ['binary', 'MsgPack', 'json']) {
        try {
          read(serializerOf(name)!, [noise]);
        } catch (error) {
          expect(error instanceof RangeError || error instanceof SyntaxError, String(error)).toBe(true);
        }
      }
    }
  });
});
