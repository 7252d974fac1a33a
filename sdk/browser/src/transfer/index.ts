// The entry of file transfers: loading it is enough for `connection.sendFile` and the event `file`. What is sent and
// received under one peer of ours is remembered here, until it has ended.

import { provideFileTransfers, type FileHost, type FileTransfers, type Sendable } from '../connection/files.js';
import { PeerError } from '../errors.js';
import { ChannelLink, FILE_PROTOCOL } from './channel_link.js';
import type { Link } from './link.js';
import { isOffer, parseMessage } from './messages.js';
import { FileReceiving } from './receiving.js';
import { FileSending, type SendFileOptions } from './sending.js';
import { WholeLink } from './whole_link.js';

export type { FileEntry } from './messages.js';
export type { TransferProgress } from './progress.js';
export type { FileResult, TransferEvents } from './transfer.js';
export type { ReceiveFileOptions, Target } from './receiving.js';
export { FileReceiving, FileSending, type SendFileOptions };

// That the other side may open over one connection.
const MOST_LINKS = 16;
// All channels of a connection that ends close within this time.
const PAUSE_MS = 1000;

class Transfers implements FileTransfers {
  readonly #live = new WeakMap<object, Set<FileReceiving | FileSending>>();
  // The ways that each connection has: channels, or all of itself.
  readonly #links = new WeakMap<FileHost, Set<ChannelLink>>();
  readonly #whole = new WeakMap<FileHost, WholeLink>();

  send(host: FileHost, files: Sendable | FileSending, options?: SendFileOptions): FileSending {
    const sending = files instanceof FileSending ? files : new FileSending(host.peer, files, options);
    this.#remember(host, sending);
    if (!sending.files.length) sending.cancel('there are no files');
    else sending.attach(this.#linkOf(host));
    sending.on('lost', () => setTimeout(() => this.#handleLost(host, sending), PAUSE_MS));
    return sending;
  }

  handleChannel(host: FileHost, channel: RTCDataChannel): void {
    const links = this.#links.get(host);
    if (channel.protocol !== FILE_PROTOCOL || (links && links.size >= MOST_LINKS)) channel.close();
    else this.#handleLink(host, this.#linkOver(host, channel));
  }

  #handleLink(host: FileHost, link: Link): void {
    link.listen(
      (value) => this.#handleOffer(host, link, value),
      () => undefined,
    );
  }

  handleValue(host: FileHost, value: unknown): boolean {
    const whole = this.#whole.get(host);
    if (whole) {
      whole.receive(value);
      return true;
    }
    if (!isOffer(value) || !(host.listens || this.#known(host, value))) return false;
    const link = this.#wholeLink(host);
    this.#handleLink(host, link);
    link.receive(value);
    return true;
  }

  handleClosed(host: FileHost): void {
    this.#whole.get(host)?.end();
    for (const link of this.#links.get(host) ?? []) link.end();
  }

  // Between pages any connection will do.
  handleOpen(host: FileHost): void {
    if (!host.hasChannels) return;
    for (const transfer of this.#live.get(host.context) ?? []) {
      if (transfer instanceof FileSending && transfer.lost && transfer.peer === host.peer)
        transfer.attach(this.#linkOf(host));
    }
  }

  forget(context: object): void {
    for (const transfer of this.#live.get(context) ?? []) transfer.cancel('the peer was destroyed');
  }

  // Its channel is gone, but not its connection: the other side did not want it, or knows no files.
  #handleLost(host: FileHost, sending: FileSending): void {
    if (host.open && sending.lost) sending.cancel('the other side ended it, or takes no files');
  }

  #linkOf(host: FileHost): Link {
    if (!host.hasChannels) return this.#wholeLink(host);
    return this.#linkOver(host, host.channel('file', { protocol: FILE_PROTOCOL }));
  }

  #linkOver(host: FileHost, channel: RTCDataChannel): Link {
    const links = this.#links.get(host) ?? new Set();
    this.#links.set(host, links);
    const link = new ChannelLink(host, channel, () => links.delete(link));
    links.add(link);
    return link;
  }

  #wholeLink(host: FileHost): WholeLink {
    if (this.#whole.has(host)) throw new PeerError('not-supported', 'One transfer at a time goes over this connection');
    const link = new WholeLink(host);
    this.#whole.set(host, link);
    return link;
  }

  #handleOffer(host: FileHost, link: Link, value: unknown): void {
    const known = this.#known(host, value);
    if (known) return known.attach(link);
    let offer;
    try {
      offer = parseMessage(value);
    } catch {
      // Told below.
    }
    if (offer?.type !== 'offer') {
      void link
        .send({ type: 'cancel', reason: 'protocol', message: 'a transfer begins with an offer' })
        .catch(() => undefined);
      return link.close();
    }
    const receiving = new FileReceiving(host.peer, offer);
    this.#remember(host, receiving);
    receiving.attach(link);
    if (host.listens) host.offer(receiving);
    else receiving.refuse('nobody here takes files');
  }

  // The transfer that an offer goes on with.
  #known(host: FileHost, value: unknown): FileReceiving | undefined {
    try {
      const offer = parseMessage(value);
      if (offer?.type !== 'offer') return undefined;
      for (const transfer of this.#live.get(host.context) ?? []) {
        if (transfer instanceof FileReceiving && transfer.peer === host.peer && transfer.isSame(offer)) return transfer;
      }
    } catch {
      // No offer, then.
    }
    return undefined;
  }

  #remember(host: FileHost, transfer: FileReceiving | FileSending): void {
    const live = this.#live.get(host.context) ?? new Set();
    this.#live.set(host.context, live);
    live.add(transfer);
    const forget = (): unknown => live.delete(transfer);
    transfer.done.then(forget, forget);
  }
}

export const transfers: FileTransfers = new Transfers();
provideFileTransfers(transfers);
