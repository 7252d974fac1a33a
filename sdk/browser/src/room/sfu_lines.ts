// What the offers of the forwarding unit say of their lines (docs/reference/room-frames.md, "Media").

import { membersOf, text } from '../members.js';

// A line on which another member's track comes.
export interface Line {
  mid: string;
  stream: string;
}

// Whose a stream is, and what its publisher calls it.
export interface Owner {
  peer: string;
  name: string;
}

export interface RoomOffer {
  sdp: string;
  streams: Map<string, Owner>;
}

export function parseOffer(payload: unknown): RoomOffer | undefined {
  const sdp = text(payload, 'sdp');
  if (sdp === undefined) return undefined;
  const owners = new Map<string, Owner>();
  for (const [stream, owner] of Object.entries(membersOf(membersOf(payload).streams))) {
    const peer = typeof owner === 'string' ? owner : text(owner, 'peer');
    if (peer !== undefined) owners.set(stream, { peer, name: text(owner, 'name') ?? '' });
  }
  return { sdp, streams: owners };
}

// Names the connection: that of a new one is another one.
export function iceUser(sdp: string): string {
  return attribute(sdp, 'ice-ufrag') ?? '';
}

export function incomingLines(sdp: string): Line[] {
  return sdp.split(/\r?\n(?=m=)/).flatMap((section) => {
    const mid = attribute(section, 'mid');
    const stream = attribute(section, 'msid')?.split(' ')[0];
    return mid && stream && /^a=sendonly\r?$/m.test(section) ? [{ mid, stream }] : [];
  });
}

function attribute(section: string, name: string): string | undefined {
  return section.match(new RegExp(`^a=${name}:(.*?)\\r?$`, 'm'))?.[1];
}
