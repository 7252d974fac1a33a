// What goes through the forwarding unit under one name, over as many connections one after another as it takes:
// asks for offers, answers them, and begins again with growing pauses when a connection is lost.

import { PeerError } from '../errors.js';
import { waiting, type Waiter } from '../waiting.js';
import type { Publication } from './publications.js';
import { iceUser, type RoomOffer } from './sfu_lines.js';
import { type Received, SfuLink } from './sfu_link.js';

// How long an offer may take before it is asked for again.
const OFFER_MS = 15_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

export interface LegHost {
  // Whether anything can be asked of the room now.
  readonly open: boolean;
  say(type: string, payload: unknown): void;
  // With ICE servers that are good for a while.
  configuration(): Promise<RTCConfiguration>;
  // Tracks of others that there are now.
  receive(received: Received[], offer: RoomOffer): void;
  fault(error: unknown): void;
}

export class SfuLeg {
  readonly name: string;
  publication: Publication | undefined;
  readonly #host: LegHost;
  #link: SfuLink | undefined;
  // What named the connection that ended last: there is nothing to answer its offers with.
  #dead = '';
  // What it was begun with; it counts for the connection's life.
  #simulcast = false;
  // For an offer that has not come.
  #asked = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retry = FIRST_RETRY_MS;
  #waiters: Waiter[] = [];
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(host: LegHost, name: string, publication: Publication | undefined) {
    this.#host = host;
    this.name = name;
    this.publication = publication;
  }

  get peerConnection(): RTCPeerConnection | null {
    return this.#link?.peerConnection ?? null;
  }

  // We are in the room (again), or there is something new to send.
  ask(): void {
    clearTimeout(this.#timer);
    if (!this.#host.open || this.#closed) return;
    const simulcast = this.publication?.options.simulcast ?? false;
    // One that is over, or of another kind, is not to be continued.
    const restart = this.#dead !== '' || (this.#link !== undefined && this.#simulcast !== simulcast);
    this.#simulcast = simulcast;
    this.#asked = true;
    this.#host.say('ROOM-GET-OFFER', { simulcast, ...(restart && { restart }), ...this.#tag() });
    this.#timer = setTimeout(() => this.ask(), OFFER_MS);
  }

  // Resolves when what is published now is on its way.
  publish(publication: Publication | undefined): Promise<void> {
    this.publication = publication;
    return waiting((waiter) => {
      this.#waiters.push(waiter);
      this.#enqueue(async () => {
        const link = this.#link;
        if (!link || this.#simulcast !== (publication?.options.simulcast ?? false)) return this.ask();
        if (await link.replace(this.#outgoing())) this.ask();
        else this.#settle();
      });
    });
  }

  refuse(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  handleOffer(offer: RoomOffer): void {
    this.#enqueue(async () => {
      if (this.#closed || iceUser(offer.sdp) === this.#dead) return;
      clearTimeout(this.#timer);
      this.#asked = false;
      if (this.#link?.iceUser !== iceUser(offer.sdp)) await this.#begin(offer);
      const link = this.#link;
      if (!link) return;
      const sdp = await link.accept(offer, this.#outgoing());
      if (link !== this.#link) return;
      this.#host.say('ROOM-ANSWER', { sdp, ...this.#tag() });
      this.#host.receive(link.received, offer);
      this.#settle();
    });
  }

  // The server has ended the connection, or it broke.
  handleLost(reason: string): void {
    // Told of one that we know is over; unless it is what we asked for that the server cannot make.
    if (!this.#link && !this.#asked) return;
    this.#asked = false;
    this.#dead = this.#link?.iceUser ?? this.#dead;
    this.#link?.close();
    this.#link = undefined;
    this.#host.fault(new PeerError('media', `the media connection ended and is made again: ${reason}`));
    this.#askLater();
  }

  close(why: unknown): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = undefined;
    this.refuse(why);
  }

  async #begin(offer: RoomOffer): Promise<void> {
    this.#link?.close();
    this.#link = undefined;
    const configuration = await this.#host.configuration();
    if (this.#closed) return;
    this.#dead = '';
    const link: SfuLink = new SfuLink(offer, configuration, {
      open: () => {
        this.#retry = FIRST_RETRY_MS;
        this.#settle();
      },
      lost: () => link === this.#link && this.handleLost('the path to the server was lost'),
    });
    this.#link = link;
  }

  #askLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.ask(), this.#retry);
    this.#retry = Math.min(this.#retry * 2, LONGEST_RETRY_MS);
  }

  // Publishing is done when the connection stands.
  #settle(): void {
    if (this.#link?.isOpen) for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  // One after another: an offer must not come between another one and its answer.
  #enqueue(work: () => Promise<void> | void): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      if (this.#closed) return;
      const message = error instanceof Error ? error.message : String(error);
      this.handleLost(message);
    });
  }

  #outgoing() {
    return { stream: this.publication?.stream, options: this.publication?.options };
  }

  #tag(): { stream?: string } {
    return this.name ? { stream: this.name } : {};
  }
}
