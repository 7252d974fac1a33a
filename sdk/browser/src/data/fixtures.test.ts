// What published PeerJS builds put on a data channel, and what they read of ours: the same files and the same questions
// as in crates/protocol/tests/data_fixtures.rs.

import { describe, expect, test } from 'vitest';

import type { Remote, Serializer } from '../connection/channel.js';
import { serializerOf } from './serializers.js';
import { MTU } from './pieces.js';

type Json = unknown;
type Described = { text: string } | { hex: string } | { binary: boolean; length: number; hash: string; head: string };

interface Capture {
  client: string;
  serialization: string;
  generation: 'legacy' | 'modern';
  sent: { what: string; value?: Json; refused?: string; messages?: Described[] }[];
  read: { what: string; messages: string[]; value: Json }[];
  close: Described[] | null;
}

const files = import.meta.glob<Capture>('../../../../crates/protocol/fixtures/data/*.json', {
  eager: true,
  import: 'default',
});
const captures = Object.values(files);

test('all fixtures are there', () => {
  expect(captures).toHaveLength(13);
});

describe.each(captures)('$client $serialization', (capture) => {
  const remote: Remote = { legacy: capture.generation === 'legacy', ours: false, renegotiates: false };
  const modern: Remote = { ...remote, legacy: false };

  test('what it sends is read', () => {
    const serializer = serializerOf(capture.serialization)!;
    // Texts that are not short are the same from all clients.
    const rebuilt = serializerOf(capture.serialization)!;
    for (const sent of capture.sent) {
      if (!('value' in sent)) continue;
      const expected = untagged(sent.value);
      const ours = messagesOf(rebuilt, expected, capture.serialization === 'binary' ? modern : remote);
      const read: unknown[] = [];

      for (const [index, described] of sent.messages!.entries()) {
        const message = 'length' in described ? ours[index]! : original(described);
        expect(matches(described, message), `${sent.what} ${index}`).toBe(true);
        serializer.unpack(typeof message === 'string' ? message : bufferOf(message), (value) => read.push(value), fail);
      }

      expect(plain(read), sent.what).toEqual([plain(expected)]);
    }
  });

  test('what we send is what it sends', () => {
    const serializer = serializerOf(capture.serialization)!;
    for (const sent of capture.sent) {
      if (!('value' in sent)) continue;
      const value = untagged(sent.value);
      const messages = messagesOf(serializer, value, remote);
      // What old clients make of emoji they cannot read themselves. In JSON a cut emoji is written in letters. Below
      // -2^31 the others write what they themselves misread.
      const broken =
        remote.legacy && capture.serialization === 'binary' && /[\u{10000}-\u{10ffff}]/u.test(JSON.stringify(value));
      const cut = sent.what === 'a cut emoji' && capture.serialization === 'json';
      if (broken || cut || sent.what === 'integers at their edges') continue;
      expect(messages, sent.what).toHaveLength(sent.messages!.length);
      messages.forEach((message, index) => {
        expect(matches(sent.messages![index]!, message), `${sent.what} ${index}: ${hexOf(message)}`).toBe(true);
      });
    }
  });

  test('it reads what we send', () => {
    for (const { what, messages, value } of capture.read) {
      let expected = untagged(value);
      if (what.endsWith('a date')) expected = new Date(expected as string);
      const serializer = serializerOf(capture.serialization)!;

      const ours = messagesOf(serializer, expected, remote).map(hexOf).join('');

      expect(ours, what).toBe(
        messages.map((message) => (message.startsWith('text:') ? hexOf(message.slice(5)) : message)).join(''),
      );
    }
  });

  test('its close is understood and said', () => {
    const [described] = capture.close ?? [];
    if (!described) return;
    const serializer = serializerOf(capture.serialization)!;
    const ours = serializer.goodbye?.(remote);
    if (!('hex' in described)) {
      // 1.5 closes a raw connection with the words [object Object], which is no use.
      expect(ours).toBeUndefined();
      return;
    }
    expect(hexOf([...(ours!.messages as Iterable<Uint8Array>)][0]!)).toBe(described.hex);
    let closed = 0;
    serializer.unpack(bufferOf(bytes(described.hex)), fail, () => closed++);
    expect(closed).toBe(1);
  });

  test('long json is refused where it refuses it', () => {
    if (!capture.sent.some((sent) => sent.refused)) return;
    const serializer = serializerOf(capture.serialization)!;
    expect(() => messagesOf(serializer, Array(70_000).fill(7), remote)).toThrow(/16299/);
  });
});

function messagesOf(serializer: Serializer, value: unknown, remote: Remote): (string | Uint8Array)[] {
  return [...(serializer.pack(value, remote, { piece: MTU, most: 262_144 }).messages as Iterable<string | Uint8Array>)];
}

const fail = (): never => {
  throw new Error('this was not expected');
};

function original(described: { text: string } | { hex: string }): string | Uint8Array {
  return 'text' in described ? described.text : bytes(described.hex);
}

function matches(described: Described, message: string | Uint8Array): boolean {
  if ('text' in described) return message === described.text;
  if ('hex' in described) return typeof message !== 'string' && hexOf(message) === described.hex;
  const content = typeof message === 'string' ? new TextEncoder().encode(message) : message;
  return (
    described.binary === (typeof message !== 'string') &&
    content.length === described.length &&
    hexOf(content).startsWith(described.head) &&
    fnv(content) === described.hash
  );
}

// FNV-1a, 64 bits, by halves, as BigInt would take minutes.
function fnv(content: Uint8Array): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of content) {
    low = (low ^ byte) >>> 0;
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + ((low << 8) >>> 0) + Math.floor(product / 2 ** 32)) >>> 0;
    low = product >>> 0;
  }
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16);
}

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

function hexOf(message: string | Uint8Array): string {
  const content = typeof message === 'string' ? new TextEncoder().encode(message) : message;
  return Array.from(content, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bufferOf(content: Uint8Array): ArrayBuffer {
  return content.slice().buffer as ArrayBuffer;
}

function untagged(value: Json): unknown {
  if (Array.isArray(value)) return value.map(untagged);
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, Json>;
  const [name] = Object.keys(members);
  const argument = members[name ?? ''];
  if (name === '$bytes') return bytes(argument as string).buffer;
  if (name === '$ramp') return Uint8Array.from({ length: argument as number }, (_, index) => index * 7).buffer;
  if (name === '$sevens') return Array(argument as number).fill(7);
  if (name === '$repeat') return (argument as [string, number])[0].repeat((argument as [string, number])[1]);
  if (name === '$date') return new Date(argument as number);
  if (name === '$float') return NaN;
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, untagged(member)]));
}

// Views and buffers with the same bytes are the same, as are -0 and 0.
function plain(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return `bytes ${hexOf(new Uint8Array(value))}`;
  if (value instanceof Uint8Array) return `bytes ${hexOf(value)}`;
  if (Array.isArray(value)) return value.map(plain);
  // JSON keeps halves of an emoji, which the captures do not.
  if (typeof value === 'string') return value.replace(/\p{Surrogate}/gu, '\ufffd');
  if (value instanceof Date || typeof value !== 'object' || value === null) return value === 0 ? 0 : value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}
