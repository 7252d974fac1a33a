// The sending side: offers its files, and sends those that are wanted, one after the other, from where they are wanted. A
// file is read a piece at a time and is never in memory as a whole.

import type { Sendable } from '../connection/files.js';
import { randomToken } from '../platform.js';
import { encodeOffer, type FileEntry, type Message } from './messages.js';
import { Sha256 } from './sha256.js';
import { Transfer, type FileResult } from './transfer.js';

export interface SendFileOptions {
  // Of a Blob, which has no name of its own.
  name?: string;
}

type Want = Extract<Message, { type: 'want' }>;

interface Outgoing {
  state: 'offered' | 'queued' | 'sending' | 'settled';
  // How far it is sent and confirmed, over this link.
  sent: number;
  confirmed: number;
  sha256: string | undefined;
}

// Read at a time.
const READ = 1 << 20;

export class FileSending extends Transfer<void> {
  readonly #blobs: Blob[];
  readonly #outgoing: Outgoing[];
  #queue: Want[] = [];
  #running = false;
  // Changes with each link: what was begun over another one ends.
  #epoch = 0;
  #accepted = false;
  #window = Infinity;
  #unconfirmed = 0;
  #bytes = 0;
  #wake: (() => void) | undefined;
  #left: number;

  constructor(peer: string, files: Sendable, { name = 'file' }: SendFileOptions = {}) {
    const blobs = files instanceof Blob ? [files] : Array.from(files as Iterable<Blob>);
    const entries = blobs.map((blob, index) => entryOf(blob, index, name));
    super(randomToken(), peer, entries);
    this.#blobs = blobs;
    this.#outgoing = blobs.map(() => ({ state: 'offered', sent: 0, confirmed: 0, sha256: undefined }));
    this.#left = blobs.length;
  }

  protected override handleLink(): void {
    void this.tell(encodeOffer({ type: 'offer', transfer: this.transfer, resume: true, files: [...this.files] }));
  }

  protected override handleMessage(message: Message): void {
    switch (message.type) {
      case 'accept':
        this.#window = message.window ?? Infinity;
        return this.#accept();
      case 'want':
        return this.#handleWant(message);
      case 'ack':
        return this.#confirm(message.index, message.offset);
      case 'done':
        return this.#handleDone(message.index, message.sha256);
      case 'refuse':
        return this.#settle(message.index, 'refused', message.message || message.reason);
      default:
        throw new RangeError(`a sender expects no '${message.type}'`);
    }
  }

  protected override handleLost(): void {
    this.#epoch++;
    this.#queue = [];
    this.#running = false;
    this.#window = Infinity;
    this.#unconfirmed = 0;
    for (const file of this.#outgoing) {
      if (file.state === 'settled') continue;
      this.#bytes -= file.confirmed;
      Object.assign(file, { state: 'offered', sent: 0, confirmed: 0 });
    }
    this.#wake?.();
  }

  protected override handleOver(): void {
    this.#epoch++;
    this.#queue = [];
    this.#wake?.();
  }

  #accept(): void {
    if (this.#accepted) return;
    this.#accepted = true;
    this.emit('accept');
  }

  #handleWant(want: Want): void {
    const file = this.#file(want.index);
    this.#accept();
    // A file is sent once; what is on its way is on its way.
    if (file.state !== 'offered') return;
    file.state = 'queued';
    this.#queue.push(want);
    if (!this.#running) void this.#run(this.#epoch);
  }

  async #run(epoch: number): Promise<void> {
    this.#running = true;
    for (let want = this.#queue.shift(); want; want = this.#queue.shift()) {
      try {
        if (this.#file(want.index).state === 'queued') await this.#sendFile(want, epoch);
      } catch (error) {
        // A link that ends says so itself; else it was the file.
        if (epoch === this.#epoch) this.#skip(want.index, 'io', `it could not be read: ${(error as Error).message}`);
      }
      if (epoch !== this.#epoch) return;
    }
    this.#running = false;
  }

  async #sendFile({ index, offset, sha256, restart }: Want, epoch: number): Promise<void> {
    const file = this.#file(index);
    const blob = this.#blobs[index]!;
    file.state = 'sending';
    let hash = new Sha256();
    if (offset) {
      if (offset <= blob.size) for await (const bytes of windows(blob, 0, offset)) hash.update(bytes);
      if (epoch !== this.#epoch) return;
      const same = hash.length === offset && hash.hex() === sha256;
      if (!same && !restart) return this.#skip(index, 'exists', 'the receiver has another file with this name');
      if (!same) hash = new Sha256();
      void this.tell({ type: 'begin', index, offset: hash.length });
    }
    file.sent = file.confirmed = hash.length;
    this.#bytes += hash.length;
    const chunk = this.link?.chunk ?? READ;
    for await (const bytes of windows(blob, hash.length, blob.size)) {
      hash.update(bytes);
      for (let at = 0; at < bytes.length; at += chunk) {
        const data = bytes.subarray(at, at + chunk);
        while (this.#unconfirmed && this.#unconfirmed + data.length > this.#window) {
          await new Promise<void>((resolve) => (this.#wake = resolve));
          if (epoch !== this.#epoch) return;
        }
        if (epoch !== this.#epoch || this.#file(index).state !== 'sending') return;
        const sent = this.tell({ type: 'chunk', index, offset: file.sent, data });
        file.sent += data.length;
        this.#unconfirmed += data.length;
        await sent;
        if (this.#window === Infinity) this.#confirm(index, file.sent);
      }
    }
    if (epoch !== this.#epoch || this.#file(index).state !== 'sending') return;
    file.sha256 = hash.hex();
    void this.tell({ type: 'end', index, size: file.sent, sha256: file.sha256 });
  }

  #confirm(index: number, offset: number): void {
    const file = this.#file(index);
    const moved = Math.min(offset, file.sent) - file.confirmed;
    if (moved <= 0) return;
    file.confirmed += moved;
    this.#bytes += moved;
    this.#unconfirmed -= moved;
    if (this.meter.move(moved)) this.#tellProgress(index);
    this.#wake?.();
  }

  #handleDone(index: number, sha256: string | undefined): void {
    const ours = this.#file(index).sha256;
    if (sha256 && ours && sha256 !== ours)
      return this.#settle(index, 'refused', 'the receiver has other bytes than were sent');
    this.#settle(index, 'done');
  }

  #skip(index: number, reason: string, message: string): void {
    void this.tell({ type: 'skip', index, reason, message });
    this.#settle(index, 'skipped', message);
  }

  #settle(index: number, result: FileResult, message?: string): void {
    const file = this.#file(index);
    if (file.state === 'settled') return;
    this.#confirm(index, file.sent);
    // What need not be sent counts as well.
    this.#bytes += this.#blobs[index]!.size - file.confirmed;
    file.state = 'settled';
    this.#left--;
    this.#tellProgress(index);
    this.emit('file', this.files[index]!, result, message);
    this.#wake?.();
    if (!this.#left) this.finish();
  }

  #tellProgress(index: number): void {
    const fileBytes = this.#file(index).confirmed;
    const { size, meter } = this;
    this.emit('progress', { file: this.files[index]!, fileBytes, bytes: this.#bytes, size, rate: meter.rate });
  }

  #file(index: number): Outgoing {
    const file = this.#outgoing[index];
    if (!file) throw new RangeError(`there is no file ${index}`);
    return file;
  }
}

// The next piece is read while the one before is sent.
async function* windows(blob: Blob, from: number, to: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const read = async (at: number): Promise<ArrayBuffer | undefined> =>
    at < to ? blob.slice(at, Math.min(at + READ, to)).arrayBuffer() : undefined;
  let next = read(from);
  for (let at = from; at < to; at += READ) {
    const buffer = await next;
    next = read(at + READ);
    next.catch(() => undefined);
    if (buffer) yield new Uint8Array(buffer);
  }
}

function entryOf(blob: Blob, index: number, name: string): FileEntry {
  const file = blob instanceof File ? blob : undefined;
  return {
    index,
    name: file?.webkitRelativePath || file?.name || name,
    size: blob.size,
    modified: file?.lastModified,
    folder: false,
  };
}
