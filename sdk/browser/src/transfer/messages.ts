// What sender and receiver of files say to each other (docs/reference/file-transfer.md). Reading is liberal: what has a
// sensible default may be missing, and what is not known is ignored.

export interface FileEntry {
  readonly index: number;
  // Relative, with `/` between folders. Of a receiver: without anything that leads elsewhere.
  readonly name: string;
  // Undefined when only the end will tell.
  readonly size: number | undefined;
  // Milliseconds since 1970.
  readonly modified: number | undefined;
  readonly folder: boolean;
}

export interface Offer {
  type: 'offer';
  transfer: string;
  resume: boolean;
  files: FileEntry[];
}

export interface Refusal {
  reason: string;
  message: string;
}

export type Message =
  | Offer
  | { type: 'accept'; window: number | undefined }
  | { type: 'want'; index: number; offset: number; sha256: string | undefined; restart: boolean }
  | { type: 'begin' | 'ack'; index: number; offset: number }
  | { type: 'chunk'; index: number; offset: number; data: Uint8Array<ArrayBuffer> }
  | { type: 'end'; index: number; size: number | undefined; sha256: string | undefined }
  | { type: 'done'; index: number; sha256: string | undefined }
  | ({ type: 'refuse' | 'skip'; index: number } & Refusal)
  | ({ type: 'cancel' } & Refusal);

const VERSION = 1;
const MOST_FILES = 100_000;
const LONGEST_NAME = 4096;
const LONGEST_MESSAGE = 1000;

type Members = Record<string, unknown>;

// `undefined` for what is no message of this protocol. Throws where it is one that makes no sense.
export function parseMessage(value: unknown): Message | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = value as Members;
  const { type } = members;
  switch (type) {
    case 'offer':
      return parseOffer(members);
    case 'accept':
      return { type, window: count(members, 'window') };
    case 'want': {
      const offset = count(members, 'offset') ?? 0;
      return { type, index: index(members), offset, sha256: digest(members), restart: members.restart !== false };
    }
    case 'begin':
    case 'ack':
      return { type, index: index(members), offset: count(members, 'offset') ?? missing('offset') };
    case 'chunk': {
      const offset = count(members, 'offset') ?? missing('offset');
      return { type, index: index(members), offset, data: bytes(members.data) ?? missing('data') };
    }
    case 'end':
      return { type, index: index(members), size: count(members, 'size'), sha256: digest(members) };
    case 'done':
      return { type, index: index(members), sha256: digest(members) };
    case 'refuse':
    case 'skip':
      return { type, index: index(members), ...refusal(members) };
    case 'cancel':
      return { type, ...refusal(members) };
    default:
      return undefined;
  }
}

// Whether it is an offer beyond doubt, and not something of an application's own that looks a little like one.
export function isOffer(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { type, files } = value as Members;
  return (
    type === 'offer' &&
    Array.isArray(files) &&
    files.length > 0 &&
    files.every((file) => typeof (file as Members)?.name === 'string')
  );
}

export function encodeOffer({ transfer, resume, files }: Offer): Members {
  const entries = files.map(({ name, size, modified, folder }) => ({
    name,
    ...(folder ? { folder } : { size: size ?? null }),
    ...(modified !== undefined && { modified }),
  }));
  return { type: 'offer', version: VERSION, transfer, resume, files: entries };
}

function parseOffer(members: Members): Offer {
  const { version, transfer, resume, files } = members;
  if (version !== undefined && version !== VERSION)
    throw new RangeError(`version ${String(version)} is not known here`);
  if (!Array.isArray(files) || !files.length || files.length > MOST_FILES) missing('files');
  if (transfer !== undefined && (typeof transfer !== 'string' || transfer.length > 64)) missing('transfer');
  return {
    type: 'offer',
    transfer: (transfer as string | undefined) ?? '',
    resume: resume === true,
    files: (files as unknown[]).map((file, place) => parseFile(file, place)),
  };
}

function parseFile(value: unknown, place: number): FileEntry {
  const file = (value ?? {}) as Members;
  if (typeof file.name !== 'string' || file.name.length > LONGEST_NAME) missing('name');
  const folder = file.folder === true;
  const { modified } = file;
  return {
    index: place,
    name: safeName(file.name as string),
    size: folder ? 0 : count(file, 'size'),
    modified: typeof modified === 'number' && Number.isFinite(modified) ? modified : undefined,
    folder,
  };
}

// Nothing that leads elsewhere, hides or turns letters.
export function safeName(name: string): string {
  const parts = name
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff<>:"|?*]/g, '_')
    .split(/[\\/]+/)
    .filter((part) => part && part !== '.' && part !== '..');
  return parts.join('/') || 'file';
}

function count(members: Members, name: string): number | undefined {
  const value = members[name];
  if (value === undefined || value === null) return undefined;
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : missing(name);
}

function index(members: Members): number {
  return count(members, 'index') ?? 0;
}

function digest({ sha256 }: Members): string | undefined {
  if (sha256 === undefined || sha256 === null) return undefined;
  return typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256) ? sha256.toLowerCase() : missing('sha256');
}

function bytes(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array ? (value as Uint8Array<ArrayBuffer>) : undefined;
}

function refusal({ reason, message }: Members): Refusal {
  return {
    reason: typeof reason === 'string' ? reason.slice(0, 64) : 'other',
    message: typeof message === 'string' ? message.slice(0, LONGEST_MESSAGE) : '',
  };
}

function missing(name: string): never {
  throw new RangeError(`the member '${name}' is missing or is not what it should be`);
}
