// A room whose members call each other: the newcomer those who were there.

import type { ConnectionStats } from '../connection/stats.js';
import { PeerError } from '../errors.js';
import type { MediaConnection } from '../connection/media_connection.js';
import { text } from '../members.js';
import type { CallOption } from '../options.js';
import type { Frame } from '../signalling/frame.js';
import { LONGEST_NAME, MOST_NAMED, type Publication, Publications } from './publications.js';
import { Room } from './room.js';
import { nameStream } from './sfu_streams.js';
import type { RoomContext } from './context.js';
import type { PublishOptions, RoomOptions, RoomStream } from './types.js';

const FIRST_RETRY_MS = 2_000;
const MOST_RETRIES = 5;

interface Tie {
  call: MediaConnection;
  // What its publisher calls the stream on it; '' for the one that goes both ways.
  name: string;
  isOutgoing: boolean;
  stream?: RoomStream;
}

export class MeshRoom extends Room {
  readonly mode = 'mesh';
  readonly #publications = new Publications();
  readonly #ties = new Map<string, Tie[]>();
  readonly #retries = new Map<string, { timer: ReturnType<typeof setTimeout>; count: number }>();

  constructor(context: RoomContext, name: string, options: RoomOptions = {}) {
    super(context, name, options);
    if (options.stream) this.#publications.set(options.stream, {});
  }

  // By the members' ids.
  get connections(): Record<string, MediaConnection[]> {
    return Object.fromEntries([...this.#ties].map(([peer, ties]) => [peer, ties.map(({ call }) => call)]));
  }

  get remoteStreams(): Record<string, RoomStream> {
    const streams = [...this.#ties.values()].flat().flatMap(({ stream }) => stream ?? []);
    return Object.fromEntries(streams.map((stream) => [stream.id, stream]));
  }

  getPeerConnections(): Record<string, RTCPeerConnection> {
    const found = [...this.#ties].flatMap(([peer, ties]) => {
      const connection = ties.find(({ name }) => !name)?.call.getPeerConnection();
      return connection ? [[peer, connection] as const] : [];
    });
    return Object.fromEntries(found);
  }

  // Of the connections that stand, by the members' ids.
  async stats(): Promise<Record<string, ConnectionStats>> {
    const open = [...this.#ties].flatMap(([peer]) => {
      const call = this.#tie(peer, '')?.call;
      return call?.getPeerConnection() ? [call.stats().then((stats) => [peer, stats] as const)] : [];
    });
    return Object.fromEntries(await Promise.all(open));
  }

  // As in skyway-js: calls all members that there is no call with.
  call(stream?: MediaStream): void {
    if (stream) this.replaceStream(stream);
    if (this.open) for (const peer of this.members) if (!this.#tie(peer, '')) this.#call(peer);
  }

  // skyway-js has it and does nothing in it: rooms have no data connections, `send` is for all.
  connect(): void {}

  async publish(stream: MediaStream, options: PublishOptions = {}): Promise<void> {
    if (this.over) throw this.closed();
    const publication = this.#publications.set(stream, options);
    if (!this.open) return;
    const changes = this.members.map(async (peer) => {
      const tie = this.#tie(peer, publication.name);
      if (tie) await tie.call.replaceStream(stream).catch((error: unknown) => this.#callAgain(peer, tie, error));
      else if (publication.name) this.#callNamed(peer);
      else this.#call(peer);
    });
    await Promise.all(changes);
  }

  async unpublish(name = ''): Promise<void> {
    if (!this.#publications.delete(name)) return;
    const changes = [...this.#ties].flatMap(([peer, ties]) =>
      ties.map(async (tie) => {
        if (tie.name !== name || (name && !tie.isOutgoing)) return;
        if (name) this.#drop(peer, tie);
        else
          await tie.call.replaceStream(new MediaStream()).catch((error: unknown) => this.#callAgain(peer, tie, error));
      }),
    );
    await Promise.all(changes);
  }

  // From the peer: an OFFER that names this room.
  override handleCall(call: MediaConnection): void {
    const peer = call.peer;
    const name = nameIn(call.metadata);
    const known = this.#ties.get(peer)?.find((tie) => tie.name === name && (!name || !tie.isOutgoing));
    // Both called at once: as in skyway-js the call of the larger id stays.
    const isGlare = known?.isOutgoing && !known.stream && this.context.line.id > peer;
    const isTooMany = (this.#ties.get(peer)?.filter((tie) => !tie.isOutgoing).length ?? 0) > MOST_NAMED;
    if (this.over || isGlare || (isTooMany && !known)) return call.close();
    this.#add(peer, { call, name, isOutgoing: false });
    if (known) this.#drop(peer, known);
    // Only the stream without a name goes both ways.
    call.answer(name ? undefined : this.#publications.find()?.stream, this.#settings(this.#publications.find()));
  }

  protected handleMedia(_frame: Frame): void {}

  protected handleEntered(): void {
    // The others have heard us leave, and have closed theirs.
    for (const [peer, ties] of this.#ties) for (const tie of ties) this.#drop(peer, tie);
    for (const peer of this.members) this.#call(peer);
  }

  // It calls us.
  protected handleJoined(): void {}

  protected handleLeft(peer: string): void {
    this.#calm(peer);
    for (const tie of this.#ties.get(peer) ?? []) this.#drop(peer, tie);
  }

  protected handleEnd(): void {
    for (const peer of this.#retries.keys()) this.#calm(peer);
    for (const [peer, ties] of this.#ties) for (const tie of ties) this.#drop(peer, tie);
  }

  #call(peer: string, publication = this.#publications.find()): void {
    const name = publication?.name ?? '';
    const settings = this.#settings(publication);
    const oneWay = { metadata: { stream: name }, videoReceiveEnabled: false, audioReceiveEnabled: false };
    const call = this.context.call(peer, publication?.stream, { ...settings, ...(name && oneWay), room: this.name });
    this.#add(peer, { call, name, isOutgoing: true });
  }

  // skyway-js takes no tracks that it has not agreed on, and a second call only from who has the larger id.
  #callAgain(peer: string, tie: Tie, error: unknown): void {
    if (!this.#holds(peer, tie)) return;
    if (tie.call.remote.ours || this.context.line.id < peer) return this.fault(error);
    this.#drop(peer, tie);
    this.#call(peer, this.#publications.find(tie.name));
  }

  // skyway-js has one call for each member only, and would take these for it.
  #callNamed(peer: string): void {
    if (!this.#tie(peer, '')?.call.remote.ours) return;
    for (const publication of this.#publications.named()) {
      if (!this.#tie(peer, publication.name)) this.#call(peer, publication);
    }
  }

  #settings(publication: Publication | undefined): CallOption {
    const { mode, stream, simulcast, largestMessage, metadata, connectionId, ...call } = this.options;
    const maxBitrate = publication?.options.maxBitrate;
    return maxBitrate ? { ...call, videoBandwidth: maxBitrate / 1000 } : call;
  }

  #add(peer: string, tie: Tie): void {
    this.#ties.set(peer, [...(this.#ties.get(peer) ?? []), tie]);
    tie.call.on('stream', (stream) => {
      // What comes back on a call that was made for one stream of ours is not wanted.
      if (tie.stream || (tie.name && tie.isOutgoing) || !this.#holds(peer, tie)) return;
      this.#calm(peer);
      tie.stream = nameStream(stream, peer, tie.name);
      this.emit('stream', tie.stream);
    });
    tie.call.on('close', () => {
      if (!this.#drop(peer, tie)) return;
      if (tie.isOutgoing && this.open && this.members.includes(peer)) this.#callLater(peer, tie.name);
    });
    if (!tie.name) tie.call.ready.then(() => this.#holds(peer, tie) && this.#callNamed(peer)).catch(() => {});
  }

  #callLater(peer: string, name: string): void {
    const count = this.#retries.get(peer)?.count ?? 0;
    if (count >= MOST_RETRIES)
      return this.fault(new PeerError('media', `no media connection with ${peer} could be made`));
    clearTimeout(this.#retries.get(peer)?.timer);
    const timer = setTimeout(
      () => {
        const publication = this.#publications.find(name);
        if (this.open && !this.#tie(peer, name) && (publication || !name)) this.#call(peer, publication);
      },
      FIRST_RETRY_MS * 2 ** count,
    );
    this.#retries.set(peer, { timer, count: count + 1 });
  }

  #calm(peer: string): void {
    clearTimeout(this.#retries.get(peer)?.timer);
    this.#retries.delete(peer);
  }

  // Whether it was there.
  #drop(peer: string, tie: Tie): boolean {
    if (!this.#holds(peer, tie)) return false;
    const left = this.#ties.get(peer)?.filter((it) => it !== tie) ?? [];
    if (left.length) this.#ties.set(peer, left);
    else this.#ties.delete(peer);
    tie.call.close();
    if (tie.stream) this.emit('removeStream', tie.stream);
    return true;
  }

  #holds(peer: string, tie: Tie): boolean {
    return this.#ties.get(peer)?.includes(tie) ?? false;
  }

  #tie(peer: string, name: string): Tie | undefined {
    return this.#ties.get(peer)?.find((tie) => tie.name === name && (!name || tie.isOutgoing));
  }
}

// It came from another member: anything.
function nameIn(metadata: unknown): string {
  return (text(metadata, 'stream') ?? '').slice(0, LONGEST_NAME);
}
