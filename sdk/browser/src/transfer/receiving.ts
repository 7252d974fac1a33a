// The receiving side: asks for the files it is offered once the user wants them, puts them together, compares them, and
// after a loss goes on where it was.

import type { FileEntry, Message, Offer } from './messages.js';
import { Sha256 } from './sha256.js';
import { BlobSink, StreamSink, type Sink } from './sink.js';
import { Transfer, type FileResult } from './transfer.js';

export interface ReceiveFileOptions {
  // Where a file is to be written; into a Blob if it says nothing. A FileSystemFileHandle will do.
  to?: (file: FileEntry) => Target | undefined | Promise<Target | undefined>;
}

export type Target = WritableStream | { createWritable(): Promise<WritableStream> };

interface Incoming {
  state: 'offered' | 'wanted' | 'receiving' | 'closing' | 'settled';
  sink: Sink | undefined;
  opening: boolean;
  hash: Sha256;
  // What came ahead of its turn, by offset.
  held: Map<number, Uint8Array<ArrayBuffer>>;
  end: { size: number | undefined; sha256: string | undefined } | undefined;
  acknowledged: number;
  // Of what is said again after a loss.
  last: Record<string, unknown> | undefined;
}

// May be on the way unconfirmed, and is confirmed this often.
const WINDOW = 8 << 20;
const CONFIRMED = 1 << 20;
// On channels without order.
const MOST_HELD = 64 << 20;
// Files that are asked for ahead of time.
const AHEAD = 8;

export class FileReceiving extends Transfer<File[]> {
  readonly #incoming: Incoming[];
  readonly #received: File[] = [];
  #accepted: ReceiveFileOptions | undefined;
  #held = 0;
  #bytes = 0;
  #left: number;
  // The first that was not asked for yet, and how many are on their way.
  #next = 0;
  #active = 0;

  constructor(peer: string, offer: Offer) {
    super(offer.transfer, peer, offer.files);
    this.#incoming = offer.files.map(() => fresh());
    this.#left = offer.files.length;
  }

  // Of one file; of several how many there are.
  get name(): string {
    return this.files.length === 1 ? this.files[0]!.name : `${this.files.length} files`;
  }

  // Resolves to the files, without those that were written elsewhere.
  accept(options: ReceiveFileOptions = {}): Promise<File[]> {
    if (!this.#accepted && !this.over) {
      this.#accepted = options;
      this.emit('accept');
      if (this.link) this.#begin();
    }
    return this.done;
  }

  refuse(message = 'the user said no'): void {
    this.stop('declined', message, 'The files were refused');
  }

  // Whether an offer is this one, over another connection.
  isSame({ transfer, files }: Offer): boolean {
    const same = ({ name, size }: FileEntry, index: number): boolean =>
      name === files[index]?.name && size === files[index]?.size;
    return !!transfer && transfer === this.transfer && files.length === this.files.length && this.files.every(same);
  }

  protected override handleLink(): void {
    if (this.#accepted) this.#begin();
  }

  protected override handleMessage(message: Message): void {
    switch (message.type) {
      case 'begin':
        return this.#handleBegin(message.index, message.offset);
      case 'chunk':
        return this.#handleChunk(message.index, message.offset, message.data);
      case 'end':
        return this.#handleEnd(message.index, message);
      case 'skip':
        this.#settle(message.index, 'skipped', message.message || message.reason);
        return this.#plan();
      default:
        throw new RangeError(`a receiver expects no '${message.type}'`);
    }
  }

  protected override handleLost(): void {
    this.#held = 0;
    for (const file of this.#incoming) {
      file.held.clear();
      file.end = undefined;
      if (file.state !== 'wanted' && file.state !== 'receiving') continue;
      file.state = 'offered';
      this.#active--;
    }
    this.#next = 0;
  }

  protected override handleOver(): void {
    for (const file of this.#incoming) {
      file.held.clear();
      if (file.state !== 'settled') file.sink?.abort();
    }
  }

  #begin(): void {
    void this.tell({ type: 'accept', window: WINDOW });
    // What was said before the loss may not have arrived.
    for (const { last } of this.#incoming) if (last) void this.tell(last);
    this.#plan();
  }

  #plan(): void {
    while (this.#active < AHEAD && this.#next < this.files.length && this.link && !this.over) {
      const index = this.#next++;
      const file = this.#file(index);
      if (file.state !== 'offered') continue;
      if (this.files[index]!.folder) {
        this.#say(index, { type: 'done', index });
        this.#settle(index, 'done');
        continue;
      }
      this.#active++;
      file.state = 'wanted';
      if (file.sink) this.#want(index);
      else if (!file.opening) void this.#open(index);
    }
  }

  async #open(index: number): Promise<void> {
    const file = this.#file(index);
    const entry = this.files[index]!;
    file.opening = true;
    try {
      const target = await this.#accepted?.to?.(entry);
      const stream = target && ('createWritable' in target ? await target.createWritable() : target);
      file.sink = stream ? new StreamSink(stream) : new BlobSink(entry);
    } catch (error) {
      return this.#refuse(index, 'permission', `it could not be written: ${(error as Error).message}`);
    }
    if (this.over) return file.sink.abort();
    if (file.state === 'wanted' && this.link) this.#want(index);
  }

  #want(index: number): void {
    const { hash } = this.#file(index);
    const offset = hash.length;
    void this.tell({ type: 'want', index, offset, ...(offset && { sha256: hash.hex() }) });
  }

  #handleBegin(index: number, offset: number): void {
    const file = this.#expected(index);
    if (!file) return;
    if (file.state !== 'wanted' || (offset && offset !== file.hash.length)) {
      throw new RangeError(`file ${index} begins at ${offset}, where nobody asked`);
    }
    if (!offset && file.hash.length) {
      if (!file.sink?.rewind()) return this.#refuse(index, 'changed', 'it is another file now');
      this.#bytes -= file.hash.length;
      file.hash = new Sha256();
    }
    file.state = 'receiving';
    file.acknowledged = offset;
    this.#advance(index, file);
  }

  #handleChunk(index: number, offset: number, data: Uint8Array<ArrayBuffer>): void {
    const file = this.#expected(index);
    if (!file || !data.length) return;
    if (offset < file.hash.length && file.state === 'receiving')
      throw new RangeError(`chunks of file ${index} overlap`);
    this.#held += data.length - (file.held.get(offset)?.length ?? 0);
    file.held.set(offset, data);
    if (this.#held > MOST_HELD) throw new RangeError('too much arrived out of order');
    this.#advance(index, file);
  }

  #handleEnd(index: number, end: NonNullable<Incoming['end']>): void {
    const file = this.#expected(index);
    if (!file) return;
    file.end = end;
    this.#advance(index, file);
  }

  #advance(index: number, file: Incoming): void {
    // From the beginning: that needs no word.
    if (file.state === 'wanted' && !file.hash.length) {
      file.state = 'receiving';
      file.acknowledged = 0;
    }
    if (file.state !== 'receiving') return;
    const size = this.files[index]!.size ?? file.end?.size;
    for (let data = file.held.get(file.hash.length); data; data = file.held.get(file.hash.length)) {
      file.held.delete(file.hash.length);
      this.#held -= data.length;
      file.hash.update(data);
      this.#bytes += data.length;
      if (size !== undefined && file.hash.length > size) throw new RangeError(`file ${index} is longer than told`);
      this.#write(index, file, data);
    }
    if (!file.end) return;
    const whole = file.end.size ?? size ?? file.hash.length;
    if (size !== undefined && size !== whole) throw new RangeError(`file ${index} is not as long as told`);
    if (file.hash.length === whole) void this.#close(index, file);
  }

  #write(index: number, file: Incoming, data: Uint8Array<ArrayBuffer>): void {
    const offset = file.hash.length;
    const written = (): void => {
      if (this.meter.move(data.length)) this.#tellProgress(index);
      if (file.state !== 'receiving' || offset - file.acknowledged < CONFIRMED) return;
      file.acknowledged = offset;
      void this.tell({ type: 'ack', index, offset });
    };
    const result = file.sink?.write(data);
    if (!result) return written();
    result.then(written, (error: unknown) =>
      this.#refuse(index, 'io', `it could not be written: ${(error as Error).message}`),
    );
  }

  async #close(index: number, file: Incoming): Promise<void> {
    file.state = 'closing';
    const sha256 = file.hash.hex();
    const told = file.end?.sha256;
    if (told && told !== sha256) return this.#refuse(index, 'corrupt', 'its bytes are not those that were sent');
    try {
      const received = await file.sink?.close();
      if (this.over) return;
      if (received) this.#received.push(received);
      this.#say(index, { type: 'done', index, sha256 });
      this.#settle(index, 'done', undefined, received);
      this.#plan();
    } catch (error) {
      this.#refuse(index, 'io', `it could not be written: ${(error as Error).message}`);
    }
  }

  #refuse(index: number, reason: string, message: string): void {
    if (this.over || this.#file(index).state === 'settled') return;
    this.#file(index).sink?.abort();
    this.#say(index, { type: 'refuse', index, reason, message });
    this.#settle(index, 'refused', message);
    this.#plan();
  }

  #say(index: number, message: Record<string, unknown>): void {
    this.#file(index).last = message;
    void this.tell(message);
  }

  #settle(index: number, result: FileResult, message?: string, blob?: File): void {
    const file = this.#file(index);
    if (file.state === 'settled') return;
    if (result !== 'done') this.#bytes += (this.files[index]!.size ?? file.hash.length) - file.hash.length;
    if (file.state !== 'offered') this.#active--;
    file.state = 'settled';
    file.held.clear();
    this.#left--;
    this.#tellProgress(index);
    this.emit('file', this.files[index]!, result, message, blob);
    if (!this.#left) this.finish(this.#received);
  }

  #tellProgress(index: number): void {
    const { rate } = this.meter;
    const fileBytes = this.#file(index).hash.length;
    this.emit('progress', { file: this.files[index]!, fileBytes, bytes: this.#bytes, size: this.size, rate });
  }

  // Nothing for what is settled: that was on its way. Throws for what nobody asked for.
  #expected(index: number): Incoming | undefined {
    const file = this.#file(index);
    if (file.state === 'settled' || file.state === 'closing') return undefined;
    if (file.state === 'offered') throw new RangeError(`file ${index} was not wanted`);
    return file;
  }

  #file(index: number): Incoming {
    const file = this.#incoming[index];
    if (!file) throw new RangeError(`there is no file ${index}`);
    return file;
  }
}

function fresh(): Incoming {
  const hash = new Sha256();
  return {
    state: 'offered',
    sink: undefined,
    opening: false,
    hash,
    held: new Map(),
    end: undefined,
    acknowledged: 0,
    last: undefined,
  };
}
