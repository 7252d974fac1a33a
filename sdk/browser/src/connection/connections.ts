// Which connections a peer has, what the others say to them, and the candidates that came before their offers.

import { PeerError } from '../errors.js';
import { text } from '../members.js';
import type { Frame } from '../signalling/frame.js';
import type { AnyConnection } from './connection.js';
import type { DataConnection } from './data_connection.js';
import type { MediaConnection } from './media_connection.js';
import { connectionIdOf, isNudge, parseAnswer, parseCandidate, parseOffer, parseWish, type Offer } from './payload.js';

export interface ConnectionsHooks {
  send(frame: Frame): void;
  // Somebody whom we called is not there.
  report(error: PeerError): void;
}

const EARLY_CONNECTIONS = 64;
const EARLY_CANDIDATES = 64;

export class Connections {
  readonly #hooks: ConnectionsHooks;
  readonly #all = new Set<AnyConnection>();
  readonly #early = new Map<string, RTCIceCandidateInit[]>();

  constructor(hooks: ConnectionsHooks) {
    this.#hooks = hooks;
  }

  all(): AnyConnection[] {
    return [...this.#all];
  }

  find(peer: string, connectionId: string | undefined): AnyConnection | undefined {
    return this.#of(peer).find((connection) => connection.connectionId === connectionId);
  }

  // Those of rooms are their rooms'.
  byPeer(): Record<string, (DataConnection | MediaConnection)[]> {
    const peers: Record<string, (DataConnection | MediaConnection)[]> = Object.create(null);
    for (const connection of this.#all) {
      if (connection.room === undefined) (peers[connection.peer] ??= []).push(connection as unknown as DataConnection);
    }
    return peers;
  }

  // It hears the candidates that were there before it.
  add(connection: AnyConnection): void {
    this.#all.add(connection);
    const name = nameOf(connection.peer, connection.connectionId);
    for (const candidate of this.#early.get(name) ?? []) connection.handleCandidate(candidate);
    this.#early.delete(name);
  }

  // `goodbye`: the other side should be told. Others than ours hear LEAVE of all connections to us, so it is said to them
  // only if there is no other.
  remove(connection: AnyConnection, goodbye: boolean): void {
    const { peer, connectionId, remote, room } = connection;
    this.#all.delete(connection);
    const isLast = room === undefined && this.#of(peer).length === 0;
    if (goodbye && ((remote as { renegotiates?: boolean }).renegotiates || isLast)) this.#sayLeave(peer, connectionId);
  }

  // What concerns a connection goes to it. The offer of a new one comes back.
  handleFrame({ type, payload }: Frame, src: string): Offer | undefined {
    const id = connectionIdOf(payload);
    const connection = this.find(src, id);
    if (type === 'OFFER') return this.#handleOffer(src, connection, parseOffer(payload));
    if (type === 'ANSWER') {
      const answer = parseAnswer(payload);
      if (answer) connection?.handleAnswer(answer);
    } else if (type === 'CANDIDATE') {
      const wish = parseWish(payload);
      if (isNudge(payload)) connection?.handleNudge();
      else if (wish) connection?.handleWish(wish);
      else this.#handleCandidate(src, connection, payload);
    } else if (type === 'LEAVE') {
      for (const left of id === undefined ? this.#of(src) : [connection]) left?.handleLeave();
      if (id !== undefined) this.#early.delete(nameOf(src, id));
    } else if (type === 'EXPIRE') {
      this.#handleExpire(src, payload);
    }
    return undefined;
  }

  #of(peer: string): AnyConnection[] {
    return this.all().filter((connection) => connection.peer === peer);
  }

  #handleOffer(src: string, existing: AnyConnection | undefined, offer: Offer | undefined): Offer | undefined {
    if (!offer) return undefined;
    if (existing) {
      existing.handleOffer(offer);
    } else if (!offer.restart && (offer.round ?? 1) === 1) {
      return offer;
    } else if (offer.from.renegotiates) {
      // Of one that has ended here: the other side may stop looking for it.
      this.#sayLeave(src, offer.connectionId);
    }
    return undefined;
  }

  #handleCandidate(src: string, connection: AnyConnection | undefined, payload: unknown): void {
    const parsed = parseCandidate(payload);
    if (!parsed) return;
    if (connection) return connection.handleCandidate(parsed.candidate);
    const name = nameOf(src, parsed.connectionId);
    const early = this.#early.get(name) ?? [];
    if (early.length >= EARLY_CANDIDATES) return;
    early.push(parsed.candidate);
    this.#early.set(name, early);
    const oldest = this.#early.keys().next().value;
    if (this.#early.size > EARLY_CONNECTIONS && oldest !== undefined) this.#early.delete(oldest);
  }

  // `src` is no id where the server says why: docs/reference/interop.md.
  #handleExpire(src: string, payload: unknown): void {
    const id = text(payload, 'peer') ?? src;
    const words = text(payload, 'msg');
    const reason = words === undefined ? '' : `: ${words}`;
    const waiting = this.#of(id).filter((connection) => !connection.answered);
    if (waiting.length === 0) return;
    const error = new PeerError('peer-unavailable', `Could not connect to peer ${id}${reason}`);
    this.#hooks.report(error);
    for (const connection of waiting) connection.handleUnavailable(error);
  }

  #sayLeave(dst: string, connectionId: string): void {
    this.#hooks.send({ type: 'LEAVE', dst, payload: { connectionId } });
  }
}

// No id has a line break.
function nameOf(peer: string, connectionId: string): string {
  return `${peer}\n${connectionId}`;
}
