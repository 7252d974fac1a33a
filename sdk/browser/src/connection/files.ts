// The seam between data connections and file transfers (src/transfer/), which come in an entry of their own: a page that
// sends no files does not load them.

import type { Sender } from '../data/sender.js';
import type { FileReceiving } from '../transfer/receiving.js';
import type { FileSending, SendFileOptions } from '../transfer/sending.js';
import type { Serializer } from './channel.js';

export type Sendable = Blob | Iterable<Blob> | ArrayLike<Blob>;

// A data connection, as file transfers see it.
export interface FileHost {
  readonly peer: string;
  // One for each peer of ours: what transfers are remembered with.
  readonly context: object;
  readonly open: boolean;
  // Somebody wants to hear of files that are offered.
  readonly listens: boolean;
  // Tells the application of them.
  offer(files: FileReceiving): void;

  // The other side is a page with this SDK, so that each transfer has a channel of its own.
  readonly hasChannels: boolean;
  channel(label: string, init: RTCDataChannelInit): RTCDataChannel;
  sender(channel: RTCDataChannel): Sender;
  serializer(): Serializer;

  // For others the connection itself: values go out with `send`, and come by `handleValue`.
  readonly serialization: string;
  // How many bytes of a file are wise in one message.
  readonly chunk: number;
  send(value: Record<string, unknown>): Promise<void>;
  close(): void;
}

export interface FileTransfers {
  send(host: FileHost, files: Sendable | FileSending, options?: SendFileOptions): FileSending;
  // One that the other side opened, beside the first.
  handleChannel(host: FileHost, channel: RTCDataChannel): void;
  // Whether a value that came over the connection itself belongs to a transfer.
  handleValue(host: FileHost, value: unknown): boolean;
  // There is a connection to this peer (again), or no longer.
  handleOpen(host: FileHost): void;
  handleClosed(host: FileHost): void;
  // Our peer is destroyed.
  forget(context: object): void;
}

// Where the other entry puts itself, whichever of the two is loaded first.
const KEY = Symbol.for('peerway.files');

export function fileTransfers(): FileTransfers | undefined {
  return (globalThis as { [KEY]?: FileTransfers })[KEY];
}

export function provideFileTransfers(transfers: FileTransfers): void {
  (globalThis as { [KEY]?: FileTransfers })[KEY] = transfers;
}
