// What sending and receiving have in common: a link that may be lost and found again, and an end.

import { Emitter } from '../emitter.js';
import { PeerError } from '../errors.js';
import type { Link } from './link.js';
import { parseMessage, type FileEntry, type Message } from './messages.js';
import { Meter, sizeOf, type TransferProgress } from './progress.js';

export type FileResult = 'done' | 'refused' | 'skipped';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type TransferEvents<Result> = {
  accept: [];
  progress: [progress: TransferProgress];
  // One file is settled. `blob`: what was received, unless it went into a stream; `message`: why it was not sent.
  file: [file: FileEntry, result: FileResult, message?: string, blob?: File];
  // The connection is gone. It goes on when there is one again.
  lost: [];
  resumed: [];
  done: [result: Result];
  error: [error: PeerError<'transfer'>];
};

// How long a lost connection is waited for.
const PATIENCE_MS = 120_000;

export abstract class Transfer<Result> extends Emitter<TransferEvents<Result>> {
  // What only the two sides know.
  readonly transfer: string;
  // The other peer's id.
  readonly peer: string;
  readonly files: readonly FileEntry[];
  // Of all files, in bytes; undefined if nobody knows.
  readonly size: number | undefined;
  // Resolves when every file is settled; rejects when it is cancelled or given up.
  readonly done: Promise<Result>;
  protected link: Link | undefined;
  protected readonly meter = new Meter();
  #over = false;
  #wasLost = false;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #settle!: { resolve: (result: Result) => void; reject: (error: unknown) => void };

  constructor(transfer: string, peer: string, files: readonly FileEntry[]) {
    super();
    this.transfer = transfer;
    this.peer = peer;
    this.files = files;
    this.size = sizeOf(files);
    this.done = new Promise<Result>((resolve, reject) => (this.#settle = { resolve, reject }));
    this.done.catch(() => undefined);
  }

  get over(): boolean {
    return this.#over;
  }

  // Its connection is gone, and there is no other yet.
  get lost(): boolean {
    return !this.#over && !this.link;
  }

  // Files that are there stay; the other side is told.
  cancel(message = 'the user stopped it'): void {
    this.stop('interrupted', message, `The transfer was stopped: ${message}`);
  }

  // Goes on over another link.
  attach(link: Link): void {
    if (this.#over) return link.close();
    this.link?.close();
    this.link = link;
    clearTimeout(this.#patience);
    if (this.#wasLost) this.emit('resumed');
    link.listen(
      (message) => link === this.link && this.#handle(message),
      () => link === this.link && this.#lose(),
    );
    if (link === this.link) this.handleLink();
  }

  protected abstract handleLink(): void;
  protected abstract handleMessage(message: Message): void;
  protected abstract handleLost(): void;
  // Nothing is left running.
  protected abstract handleOver(): void;

  protected tell(message: Record<string, unknown>): Promise<void> {
    const told = this.link?.send(message) ?? Promise.resolve();
    // Who sends much waits for it; a link that ends says so itself.
    told.catch(() => undefined);
    return told;
  }

  protected finish(result: Result): void {
    if (!this.#end()) return;
    this.#settle.resolve(result);
    this.emit('done', result);
  }

  // Of our own accord. The other side hears `reason`, our application `words`.
  protected stop(reason: string, message: string, words: string, cause?: unknown): void {
    if (this.#over) return;
    void this.tell({ type: 'cancel', reason, message });
    this.fail(words, cause);
  }

  protected fail(words: string, cause?: unknown): void {
    if (!this.#end()) return;
    const error = new PeerError('transfer', words, cause);
    this.#settle.reject(error);
    this.emit('error', error);
  }

  #handle(value: unknown): void {
    if (this.#over) return;
    try {
      const message = parseMessage(value);
      if (message?.type === 'cancel')
        this.fail(`The other side stopped the transfer: ${message.message || message.reason}`);
      else if (message) this.handleMessage(message);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.stop('protocol', text, `The other side said something that makes no sense: ${text}`, error);
    }
  }

  #lose(): void {
    this.link = undefined;
    this.#wasLost = true;
    this.handleLost();
    this.#patience = setTimeout(() => this.fail('The connection was lost, and did not come back'), PATIENCE_MS);
    this.emit('lost');
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#patience);
    this.handleOver();
    this.link?.close();
    return true;
  }
}
