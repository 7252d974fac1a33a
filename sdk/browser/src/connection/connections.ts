// Which connections a peer has, and the candidates that came before their offers.

import type { AnyConnection } from './connection.js';
import type { DataConnection } from './data_connection.js';
import type { MediaConnection } from './media_connection.js';
import type { Candidate } from './payload.js';

const EARLY_CONNECTIONS = 64;
const EARLY_CANDIDATES = 64;

export class Connections {
  readonly #all = new Set<AnyConnection>();
  readonly #early = new Map<string, RTCIceCandidateInit[]>();

  all(): AnyConnection[] {
    return [...this.#all];
  }

  of(peer: string): AnyConnection[] {
    return this.all().filter((connection) => connection.peer === peer);
  }

  find(peer: string, connectionId: string): AnyConnection | undefined {
    return this.all().find((connection) => connection.peer === peer && connection.connectionId === connectionId);
  }

  // Those of rooms are their rooms'.
  byPeer(): Record<string, (DataConnection | MediaConnection)[]> {
    const peers: Record<string, (DataConnection | MediaConnection)[]> = Object.create(null);
    for (const connection of this.#all) {
      if (connection.room === undefined) (peers[connection.peer] ??= []).push(connection as unknown as DataConnection);
    }
    return peers;
  }

  // The candidates that were there before it.
  add(connection: AnyConnection): RTCIceCandidateInit[] {
    this.#all.add(connection);
    const name = nameOf(connection.peer, connection.connectionId);
    const early = this.#early.get(name) ?? [];
    this.#early.delete(name);
    return early;
  }

  remove(connection: AnyConnection): void {
    this.#all.delete(connection);
  }

  handleCandidate(peer: string, { connectionId, candidate }: Candidate): void {
    const connection = this.find(peer, connectionId);
    if (connection) return connection.handleCandidate(candidate);
    const name = nameOf(peer, connectionId);
    const early = this.#early.get(name) ?? [];
    if (early.length >= EARLY_CANDIDATES) return;
    early.push(candidate);
    this.#early.set(name, early);
    const oldest = this.#early.keys().next().value;
    if (this.#early.size > EARLY_CONNECTIONS && oldest !== undefined) this.#early.delete(oldest);
  }

  handleLeave(peer: string, connectionId: string | undefined): void {
    if (connectionId !== undefined) this.#early.delete(nameOf(peer, connectionId));
  }
}

// No id has a line break.
function nameOf(peer: string, connectionId: string): string {
  return `${peer}\n${connectionId}`;
}
