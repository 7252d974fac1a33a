// The seam between data connections and file transfers (src/transfer/), which come in an entry of their own: a page that
// sends no files does not load them.

import type { FileReceiving } from '../transfer/receiving.js';
import type { FileSending, SendFileOptions } from '../transfer/sending.js';

// The way between the two ends of a transfer, as one end sees it.
export interface Link {
  // The other peer's id.
  readonly peer: string;
  // How many bytes of a file are wise in one message.
  readonly chunk: number;
  // Resolves when it is handed over; rejects when the link has ended.
  send(message: Record<string, unknown>): Promise<void>;
  // What comes, from now on. `ended` is called once, unless we close it.
  listen(take: (message: unknown) => void, ended: () => void): void;
  // Behind what was sent.
  close(): void;
}

// A data connection, as file transfers see it.
export interface FileHost {
  readonly peer: string;
  // One for each peer of ours: what transfers are remembered with.
  readonly context: object;
  readonly open: boolean;
  // Somebody wants to hear of files that are offered.
  readonly listens: boolean;
  // The other side is a page with this SDK, so that transfers have channels of their own.
  readonly hasLinks: boolean;
  link(): Link;
  // For others the connection itself: values go out with `send`, and come by `handleValue`.
  readonly serialization: string;
  readonly chunk: number;
  send(value: Record<string, unknown>): Promise<void>;
  close(): void;
  // Tells the application of files that are offered. False: nobody listens.
  offer(files: FileReceiving): boolean;
}

export interface FileTransfers {
  send(host: FileHost, files: Sendable | FileSending, options?: SendFileOptions): FileSending;
  // A link that the other side opened.
  handleLink(host: FileHost, link: Link): void;
  // Whether a value that came over the connection itself belongs to a transfer.
  handleValue(host: FileHost, value: unknown): boolean;
  // There is a connection to this peer (again), or no longer.
  handleOpen(host: FileHost): void;
  handleClosed(host: FileHost): void;
  // Our peer is destroyed.
  forget(context: object): void;
}

export type Sendable = Blob | Iterable<Blob> | ArrayLike<Blob>;

// For the protocol's channels between pages with this SDK.
export const FILE_PROTOCOL = 'peerway-file';

// Where the other entry puts itself, whichever of the two is loaded first.
const KEY = Symbol.for('peerway.files');

export function fileTransfers(): FileTransfers | undefined {
  return (globalThis as { [KEY]?: FileTransfers })[KEY];
}

export function provideFileTransfers(transfers: FileTransfers): void {
  (globalThis as { [KEY]?: FileTransfers })[KEY] = transfers;
}
