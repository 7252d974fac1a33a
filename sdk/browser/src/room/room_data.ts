// What members say: any JSON with bytes in it. The bytes travel beside it as Base64, with a placeholder where they belong
// (docs/reference/room-frames.md, "Attachments"): so SkyWay's members and ours understand each other.

const CHUNK = 0x8000;

export interface RoomMessage {
  payload: unknown;
  attachments: string[];
}

// At once where it can be; Blobs have to be read first. Throws what JSON.stringify throws.
export function packRoomData(value: unknown): RoomMessage | Promise<RoomMessage> {
  const parts: (Uint8Array | Blob)[] = [];
  const text = JSON.stringify(value, (_key, part: unknown) => {
    const bytes = binary(part);
    return bytes ? { _placeholder: true, num: parts.push(bytes) - 1 } : part;
  }) as string | undefined;
  const payload: unknown = text === undefined ? null : JSON.parse(text);
  if (!parts.some((part) => part instanceof Blob)) return { payload, attachments: (parts as Uint8Array[]).map(encode) };
  const read = parts.map(async (part) => (part instanceof Blob ? new Uint8Array(await part.arrayBuffer()) : part));
  return Promise.all(read).then((all) => ({ payload, attachments: all.map(encode) }));
}

// Throws where an attachment is not Base64.
export function unpackRoomData(payload: unknown, attachments: string[] = []): unknown {
  return attachments.length ? fill(payload, attachments.map(decode)) : (payload ?? null);
}

function fill(value: unknown, parts: ArrayBuffer[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const members = value as Record<string, unknown>;
  if (members._placeholder === true) return parts[members.num as number] ?? value;
  for (const key of Object.keys(members)) members[key] = fill(members[key], parts);
  return value;
}

function binary(value: unknown): Uint8Array | Blob | undefined {
  if (value instanceof Blob) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(text);
}

function decode(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}
