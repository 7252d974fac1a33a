// A room whose media go through the server's forwarding unit: each member sends once, whoever listens.

import { type ConnectionStats, StatsReader } from '../connection/stats.js';
import { PeerError } from '../errors.js';
import type { Frame } from '../signalling/frame.js';
import { Publications } from './publications.js';
import { text } from '../members.js';
import { Room } from './room.js';
import { type LegHost, SfuLeg } from './sfu_leg.js';
import { type Owner, parseOffer } from './sfu_lines.js';
import type { Received } from './sfu_link.js';
import { SfuStreams } from './sfu_streams.js';
import type { RoomContext } from './context.js';
import type { PublishOptions, Reception, RoomOptions, RoomStream } from './types.js';

// Refusals of what is published.
const UNPUBLISHED = ['publishers_full', 'too_many_streams', 'no_sfu'];

export class SFURoom extends Room {
  readonly mode = 'sfu';
  readonly #publications = new Publications();
  readonly #streams = new SfuStreams();
  readonly #wishes = new Map<string, Reception>();
  readonly #legs = new Map<string, SfuLeg>();
  readonly #statistics = new StatsReader();

  constructor(context: RoomContext, name: string, options: RoomOptions = {}) {
    super(context, name, options);
    const { stream, simulcast = false } = options;
    this.#leg('', stream && this.#publications.set(stream, { simulcast }));
  }

  // By the streams' ids.
  get remoteStreams(): Record<string, RoomStream> {
    return Object.fromEntries(this.#streams.all.map((stream) => [stream.id, stream]));
  }

  // Of all that is received, and of the stream without a name.
  getPeerConnection(): RTCPeerConnection | null {
    return this.#legs.get('')?.peerConnection ?? null;
  }

  // How the connection with the server is; null while there is none.
  async stats(): Promise<ConnectionStats | null> {
    const connection = this.getPeerConnection();
    return connection && this.#statistics.read(connection);
  }

  // As in skyway-js: makes the stream known to the server.
  call(stream?: MediaStream): void {
    if (stream) this.replaceStream(stream);
    else this.#legs.get('')?.ask();
  }

  // Resolves when it is on its way. Without a name it replaces what was sent so far, with one only what has that name.
  async publish(stream: MediaStream, options: PublishOptions = {}): Promise<void> {
    if (this.over) throw this.closed();
    const known = this.#publications.find(options.name)?.options;
    const simulcast = options.simulcast ?? known?.simulcast ?? false;
    const publication = this.#publications.set(stream, { ...options, simulcast });
    return this.#leg(publication.name, publication).publish(publication);
  }

  async unpublish(name = ''): Promise<void> {
    if (!this.#publications.delete(name)) return;
    const leg = this.#legs.get(name);
    if (!name) return leg?.publish(undefined);
    this.#legs.delete(name);
    leg?.close(new PeerError('media', `the stream ${name} was unpublished`));
  }

  // What is wanted of a member, from now on: all of it, until told.
  receive(peerId: string, reception: Reception): void {
    this.#wishes.set(peerId, { audio: true, video: true, ...reception });
    if (this.open) this.#wish(peerId);
  }

  protected handleMedia({ type, src, payload }: Frame): void {
    const leg = this.#legs.get(text(payload, 'stream') ?? '');
    if (type === 'ROOM-OFFER') {
      const offer = parseOffer(payload);
      if (offer) leg?.handleOffer(offer);
    } else if (type === 'ROOM-MEDIA-CLOSED') {
      leg?.handleLost(text(payload, 'msg') ?? 'the server ended it');
    } else if (type === 'ROOM-SPEAKER') {
      this.emit('activeSpeaker', src ?? null);
    }
  }

  protected handleEntered(): void {
    for (const peer of this.#wishes.keys()) if (this.members.includes(peer)) this.#wish(peer);
    for (const leg of this.#legs.values()) leg.ask();
  }

  protected handleJoined(peer: string): void {
    if (this.#wishes.has(peer)) this.#wish(peer);
  }

  protected handleLeft(peer: string): void {
    for (const stream of this.#streams.forget(peer)) this.emit('removeStream', stream);
  }

  protected override handleRefused(error: PeerError<string>): void {
    if (UNPUBLISHED.includes(error.type)) for (const leg of this.#legs.values()) leg.refuse(error);
  }

  protected handleEnd(why: PeerError<string>): void {
    for (const leg of this.#legs.values()) leg.close(why);
    this.#legs.clear();
  }

  #leg(name: string, publication?: ReturnType<Publications['find']>): SfuLeg {
    const known = this.#legs.get(name);
    if (known) return known;
    const isOpen = () => this.open;
    const host: LegHost = {
      get open() {
        return isOpen();
      },
      say: (type, payload) => this.say(type, payload),
      configuration: () => this.context.line.configured(),
      receive: (received, { streams }) => {
        if (!name) this.#receive(received, streams);
      },
      fault: (error) => this.fault(error),
    };
    const leg = new SfuLeg(host, name, publication);
    this.#legs.set(name, leg);
    return leg;
  }

  #receive(received: Received[], streams: Map<string, Owner>): void {
    // The connections of who leaves end one after the other, and there may be offers in between.
    const here = new Map([...streams].filter(([, { peer }]) => this.members.includes(peer)));
    const { added, removed } = this.#streams.update(received, here);
    for (const stream of removed) this.emit('removeStream', stream);
    for (const stream of added) this.emit('stream', stream);
  }

  #wish(peer: string): void {
    this.say('ROOM-RECEIVE', { peer, ...this.#wishes.get(peer) });
  }
}
