// The forms in which values travel, by their name in the OFFER (docs/reference/peerjs-data.md).

import type { MessageSizes, Outgoing, Remote, Serializer } from '../connection/channel.js';
import { PeerError } from '../errors.js';
import { pack, unpack } from './binarypack.js';
import { MsgPackStream, packMsgPack } from './msgpack.js';
import { MAX_VALUE, MTU, Reassembly, cut, inPieces } from './pieces.js';
import type { Dialect } from './text.js';

// What the remote understands as its end.
const GOODBYE = { __peerData: { type: 'close' } };
// Longest message of a MsgPack stream.
const STREAM_MESSAGE = 32_768;
// Of a piece, beside its data.
const ENVELOPE = 64;

export const SERIALIZATIONS = {
  BINARY: 'binary',
  BINARY_UTF8: 'binary-utf8',
  JSON: 'json',
  NONE: 'none',
  RAW: 'raw',
  MSGPACK: 'MsgPack',
} as const;

// `undefined` for a name that nobody knows. `none` is announced as `raw`: old clients pass values through under any name
// that they do not know, and 1.5 refuses `none`.
export function serializerOf(name: string): Serializer | undefined {
  switch (name) {
    case 'binary':
    case 'binary-utf8':
      return new BinarySerializer(name);
    case 'json':
      return new JsonSerializer();
    case 'none':
    case 'raw':
      return new RawSerializer();
    case 'MsgPack':
      return new MsgPackSerializer();
    default:
      return undefined;
  }
}

class BinarySerializer implements Serializer {
  sawLegacy = false;
  readonly name: string;
  readonly #reassembly = new Reassembly();
  #nextId = 1;
  #dialect: Dialect = 'modern';

  constructor(name: string) {
    this.name = name;
  }

  pack(value: unknown, remote: Remote, sizes: MessageSizes): Outgoing {
    if (isObject(value) && value.__peerData) throw reserved();
    const packed = pack(value, remote.legacy || this.sawLegacy);
    checkSize(packed.length);
    const piece = remote.ours ? sizes.piece : MTU;
    if (packed.length <= piece) return cut(packed, piece);
    return inPieces(packed, this.#nextId++, remote.ours ? piece - ENVELOPE : MTU);
  }

  unpack(message: string | ArrayBuffer, take: (value: unknown) => void, close: () => void): void {
    const bytes = new Uint8Array(bytesOf(message));
    const read = this.#unpack(bytes, isPiece(bytes));
    if (!isObject(read) || !read.__peerData) return take(read);
    if (isGoodbye(read)) return close();
    const whole = this.#reassembly.add(read);
    if (whole) take(this.#unpack(whole, false));
  }

  goodbye(remote: Remote): Outgoing | undefined {
    return remote.legacy || this.sawLegacy ? undefined : cut(pack(GOODBYE, false), MTU);
  }

  #unpack(bytes: Uint8Array<ArrayBuffer>, views: boolean): unknown {
    const { value, dialect } = unpack(bytes, this.#dialect, views);
    this.#dialect = dialect === 'oldest' ? 'legacy' : dialect;
    this.sawLegacy ||= dialect !== 'modern';
    return value;
  }
}

class JsonSerializer implements Serializer {
  readonly name = 'json';
  sawLegacy = false;

  // Legacy clients take text, modern ones bytes; 1.5 refuses to send long ones, so its users do not expect them.
  pack(value: unknown, remote: Remote, sizes: MessageSizes): Outgoing {
    if (isGoodbye(value)) throw reserved();
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new PeerError('not-supported', `JSON has no form for a ${typeof value}`);
    const legacy = remote.legacy || this.sawLegacy;
    const bytes = new TextEncoder().encode(text);
    checkSize(bytes.length, legacy || remote.ours ? sizes.most : MTU - 1);
    return { messages: [legacy ? text : bytes] };
  }

  unpack(message: string | ArrayBuffer, take: (value: unknown) => void, close: () => void): void {
    this.sawLegacy ||= typeof message === 'string';
    const value = JSON.parse(typeof message === 'string' ? message : new TextDecoder().decode(message)) as unknown;
    if (isGoodbye(value)) close();
    else take(value);
  }

  goodbye(remote: Remote): Outgoing | undefined {
    if (remote.legacy || this.sawLegacy) return undefined;
    return { messages: [new TextEncoder().encode(JSON.stringify(GOODBYE))] };
  }
}

// Text and bytes as they are.
class RawSerializer implements Serializer {
  readonly name = 'raw';

  pack(value: unknown, _remote: Remote, { most }: MessageSizes): Outgoing {
    if (typeof value === 'string') {
      // Only long ones are measured.
      if (value.length * 3 > most) checkSize(new TextEncoder().encode(value).length, most);
      return { messages: [value] };
    }
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      checkSize(value.byteLength, most);
      const bytes = (value instanceof ArrayBuffer ? new Uint8Array(value) : value) as ArrayBufferView<ArrayBuffer>;
      return { messages: [bytes] };
    }
    if (value instanceof Blob) {
      checkSize(value.size, most);
      return {
        messages: (async function* () {
          yield new Uint8Array(await value.arrayBuffer());
        })(),
      };
    }
    throw new PeerError(
      'not-supported',
      'raw connections carry only texts, buffers and Blobs; use another serialization',
    );
  }

  unpack(message: string | ArrayBuffer, take: (value: unknown) => void): void {
    take(message);
  }
}

class MsgPackSerializer implements Serializer {
  readonly name = 'MsgPack';
  readonly #stream = new MsgPackStream();

  pack(value: unknown, remote: Remote, sizes: MessageSizes): Outgoing {
    if (isGoodbye(value)) throw reserved();
    const packed = packMsgPack(value);
    checkSize(packed.length);
    return cut(packed, remote.ours ? sizes.piece : STREAM_MESSAGE);
  }

  unpack(message: string | ArrayBuffer, take: (value: unknown) => void, close: () => void): void {
    this.#stream.feed(new Uint8Array(bytesOf(message)), (value) => (isGoodbye(value) ? close() : take(value)));
  }

  goodbye(): Outgoing {
    return cut(packMsgPack(GOODBYE), STREAM_MESSAGE);
  }
}

// A packed map of four whose first name is `__peerData`: its bytes need no copy.
function isPiece(bytes: Uint8Array): boolean {
  return bytes[0] === 0x84 && bytes[1] === 0xba && String.fromCharCode(...bytes.subarray(2, 12)) === '__peerData';
}

function isGoodbye(value: unknown): boolean {
  return isObject(value) && isObject(value.__peerData) && value.__peerData.type === 'close';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function bytesOf(message: string | ArrayBuffer): ArrayBuffer {
  if (typeof message === 'string') throw new RangeError('a text, where bytes were expected');
  return message;
}

function checkSize(size: number, limit = MAX_VALUE): void {
  if (size <= limit) return;
  throw new PeerError(
    'message-too-big',
    `message too big: ${size} bytes, and the limit is ${limit}; use sendFile or 'binary'`,
  );
}

function reserved(): PeerError {
  return new PeerError('not-supported', "an object with a member '__peerData' means something else to PeerJS");
}
