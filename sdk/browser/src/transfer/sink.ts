// Where a received file goes: parts of a Blob, which browsers keep out of the page's memory, or a stream.

import type { FileEntry } from './messages.js';

export interface Sink {
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void> | void;
  // What came so far is nothing after all. False: it cannot be taken back.
  rewind(): boolean;
  close(): Promise<File | undefined>;
  abort(): void;
}

// By the end of the name. Nothing that a browser would run as a page of ours.
const TYPES: Record<string, string> = {
  ...{ png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp' },
  ...{ avif: 'image/avif', mp4: 'video/mp4', webm: 'video/webm', mp3: 'audio/mpeg', ogg: 'audio/ogg' },
  ...{ wav: 'audio/wav', txt: 'text/plain', pdf: 'application/pdf', zip: 'application/zip' },
};

function typeOf(name: string): string {
  const end = /[^.]*$/.exec(name.toLowerCase())?.[0] ?? '';
  return (Object.hasOwn(TYPES, end) && TYPES[end]) || '';
}

// Of a part; each is an object of the browser's.
const PART = 4 << 20;

export class BlobSink implements Sink {
  readonly #entry: FileEntry;
  #parts: Blob[] = [];
  #pending: Uint8Array<ArrayBuffer>[] = [];
  #length = 0;

  constructor(entry: FileEntry) {
    this.#entry = entry;
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#pending.push(bytes);
    this.#length += bytes.length;
    if (this.#length >= PART) this.#store();
  }

  rewind(): boolean {
    this.abort();
    return true;
  }

  async close(): Promise<File> {
    this.#store();
    const { name, modified } = this.#entry;
    const options: FilePropertyBag = { type: typeOf(name), ...(modified !== undefined && { lastModified: modified }) };
    const file = new File(this.#parts, name.split('/').at(-1) ?? name, options);
    this.#parts = [];
    return file;
  }

  abort(): void {
    this.#parts = [];
    this.#pending = [];
    this.#length = 0;
  }

  #store(): void {
    if (this.#length) this.#parts.push(new Blob(this.#pending));
    this.#pending = [];
    this.#length = 0;
  }
}

export class StreamSink implements Sink {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #written = false;

  constructor(stream: WritableStream<Uint8Array<ArrayBuffer>>) {
    this.#writer = stream.getWriter();
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#written = true;
    await this.#writer.ready;
    await this.#writer.write(bytes);
  }

  rewind(): boolean {
    return !this.#written;
  }

  async close(): Promise<undefined> {
    await this.#writer.close();
  }

  abort(): void {
    this.#writer.abort().catch(() => undefined);
  }
}
