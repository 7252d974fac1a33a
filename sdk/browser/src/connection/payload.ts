// What two clients say to each other about one connection: the payloads of OFFER, ANSWER, CANDIDATE and LEAVE
// (docs/reference/peerjs-dialect.md; crates/protocol/src/peerjs/payload.rs reads the same).

import { membersOf, text } from '../members.js';
import type { Remote } from './channel.js';
import type { Wish } from './wish.js';

export type ConnectionKind = 'data' | 'media';

// `peerway` in OFFER and ANSWER. 1 is the native SDK: it answers offers that say `restart`. 2 are pages: they answer any
// new offer of a connection that exists. 3 are pages whose callee asks the caller to offer, instead of offering itself.
// What is not ours must never hear a second offer: PeerJS 1.x begins anew.
const RENEGOTIATES = 2;
const MARKER = 3;

// Without a browser's name 0.3 and 1.0 do not cut big values into pieces.
const BROWSER = 'Chrome';

export interface Introduction extends Remote {
  renegotiates: boolean;
  // A page that asks for offers and makes those that it is asked for.
  takesWishes: boolean;
}

export const STRANGER: Introduction = { legacy: false, ours: false, renegotiates: false, takesWishes: false };

interface Description {
  sdp: string;
  type: ConnectionKind;
  connectionId: string;
  // Of a mesh room.
  room?: string;
  // Which offer it is, or answers; ours only.
  round?: number;
  from: Introduction;
}

export interface Offer extends Description {
  // Whatever the caller passed.
  metadata?: unknown;
  label?: string;
  reliable?: boolean;
  serialization?: string;
  // Ours only: of a connection that exists.
  restart: boolean;
}

export type Answer = Description;

export interface Candidate {
  connectionId: string;
  candidate: RTCIceCandidateInit;
}

export function parseOffer(payload: unknown): Offer | undefined {
  const members = membersOf(payload);
  const description = parseAnswer(members, 'offer');
  if (!description) return undefined;
  const offer: Offer = { ...description, restart: members.restart === true };
  if ('metadata' in members) offer.metadata = members.metadata;
  if (typeof members.label === 'string') offer.label = members.label;
  if (typeof members.reliable === 'boolean') offer.reliable = members.reliable;
  if (typeof members.serialization === 'string') offer.serialization = members.serialization;
  return offer;
}

export function parseAnswer(payload: unknown, sdpType = 'answer'): Answer | undefined {
  const { sdp: description, type, room, round, peerway, browser } = membersOf(payload);
  const sdp = text(description, 'sdp');
  const connectionId = connectionIdOf(payload);
  if (sdp === undefined || !connectionId || (membersOf(description).type ?? sdpType) !== sdpType) return undefined;
  if (type !== 'data' && type !== 'media') return undefined;
  const version = Number(peerway) || 0;
  const ours = version > 0;
  const answer: Answer = {
    sdp,
    type,
    connectionId,
    from: {
      ours,
      renegotiates: version >= RENEGOTIATES,
      takesWishes: version >= MARKER,
      legacy: !ours && browser !== undefined,
    },
  };
  // skyway-js names rooms by numbers too.
  if (typeof room === 'string' || typeof room === 'number') answer.room = String(room);
  if (typeof round === 'number') answer.round = round;
  return answer;
}

export function parseCandidate(payload: unknown): Candidate | undefined {
  const connectionId = connectionIdOf(payload);
  const given = membersOf(membersOf(payload).candidate);
  if (!connectionId || typeof given.candidate !== 'string' || !given.candidate) return undefined;
  const candidate: RTCIceCandidateInit = { candidate: given.candidate };
  if (typeof given.sdpMid === 'string') candidate.sdpMid = given.sdpMid;
  if (typeof given.sdpMLineIndex === 'number') candidate.sdpMLineIndex = given.sdpMLineIndex;
  if (typeof given.usernameFragment === 'string') candidate.usernameFragment = given.usernameFragment;
  if (candidate.sdpMid === undefined && candidate.sdpMLineIndex === undefined) return undefined;
  return { connectionId, candidate };
}

// The callee's wish for an ICE restart, instead of a candidate; between pages of ours only.
export function isNudge(payload: unknown): boolean {
  return membersOf(payload).restart === true;
}

// The callee's wish for an offer, instead of a candidate; between pages of ours only.
export function parseWish(payload: unknown): Wish | undefined {
  const { negotiate, round } = membersOf(payload);
  return negotiate && typeof round === 'number' ? { lines: membersOf(negotiate), round } : undefined;
}

// Which connection any of the four is about.
export function connectionIdOf(payload: unknown): string | undefined {
  return text(payload, 'connectionId') || undefined;
}

// In the order of PeerJS 1.5. `extra`: what only the first offer of a connection has.
export function encodeDescription(
  description: { sdp: string; type: 'offer' | 'answer' },
  names: { type: ConnectionKind; connectionId: string; room?: string | undefined },
  extra: Record<string, unknown> = {},
): Record<string, unknown> {
  const { sdp, type } = description;
  return { sdp: { type, sdp }, ...names, ...extra, browser: BROWSER, peerway: MARKER };
}
