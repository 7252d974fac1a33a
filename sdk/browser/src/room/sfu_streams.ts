// Streams of other members: each is told once, and stays the same object while its tracks come over another connection.

import type { Owner } from './sfu_lines.js';
import type { Received } from './sfu_link.js';
import type { RoomStream } from './types.js';

export interface Difference {
  added: RoomStream[];
  removed: RoomStream[];
}

export class SfuStreams {
  #streams = new Map<string, RoomStream>();

  get all(): RoomStream[] {
    return [...this.#streams.values()];
  }

  // What there is now, completely.
  update(received: Received[], owners: Map<string, Owner>): Difference {
    const now = new Map<string, { owner: Owner; tracks: MediaStreamTrack[] }>();
    for (const { line, track } of received) {
      const owner = owners.get(line.stream);
      if (!owner) continue;
      const key = JSON.stringify([owner.peer, owner.name]);
      const entry = now.get(key) ?? { owner, tracks: [] };
      entry.tracks.push(track);
      now.set(key, entry);
    }
    const removed = this.#remove((key) => !now.has(key));
    const added: RoomStream[] = [];
    for (const [key, { owner, tracks }] of now) {
      const known = this.#streams.get(key);
      if (known) {
        for (const track of known.getTracks()) if (!tracks.includes(track)) known.removeTrack(track);
        for (const track of tracks) known.addTrack(track);
      } else {
        const stream = nameStream(new MediaStream(tracks), owner.peer, owner.name);
        this.#streams.set(key, stream);
        added.push(stream);
      }
    }
    return { added, removed };
  }

  // Somebody has left.
  forget(peer: string): RoomStream[] {
    return this.#remove((_key, stream) => stream.peerId === peer);
  }

  #remove(ends: (key: string, stream: RoomStream) => boolean): RoomStream[] {
    const ended = [...this.#streams].filter(([key, stream]) => ends(key, stream));
    for (const [key, stream] of ended) {
      this.#streams.delete(key);
      // The line and its track may be somebody else's next.
      for (const track of stream.getTracks()) stream.removeTrack(track);
    }
    return ended.map(([, stream]) => stream);
  }
}

export function nameStream(stream: MediaStream, peerId: string, name: string): RoomStream {
  return Object.assign(stream, { peerId, ...(name && { streamName: name }) });
}
