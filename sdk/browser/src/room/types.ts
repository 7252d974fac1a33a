// What rooms are made of and what they tell, as applications see it.

import type { PeerError } from '../errors.js';
import type { CallOption } from '../options.js';

export type RoomMode = 'mesh' | 'sfu';

// Those of a call count in a mesh room.
export interface RoomOptions extends CallOption {
  mode?: RoomMode;
  // What is sent to the others from the beginning.
  stream?: MediaStream;
  // In an SFU room: send the picture in three sizes, so that everybody gets the one that fits.
  simulcast?: boolean;
  // The most that one message may have as a frame, in bytes: `limits.frame_size` of the server. 256 KiB if absent.
  largestMessage?: number;
}

// How a stream is sent.
export interface PublishOptions {
  // Tells a second stream from the first: 'screen'. At most three streams have a name.
  name?: string;
  // In an SFU room: three sizes of the picture.
  simulcast?: boolean;
  // Of the picture, in bit/s.
  maxBitrate?: number;
}

// What is wanted of another member. What nobody wants is not sent.
export interface Reception {
  audio?: boolean;
  video?: boolean | { maxHeight: number };
}

// A stream of another member. `streamName` is what its publisher called it; the first has no name.
export type RoomStream = MediaStream & { readonly peerId: string; readonly streamName?: string };

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as everything that others say
export type RoomData = { src: string; data: any };

export interface RoomLogEntry {
  // When, by the server's clock, in milliseconds since 1970.
  timestamp: number;
  src: string;
  action: 'joined' | 'left' | 'data';
  mode?: RoomMode;
  data?: unknown;
}

export type RoomEvents = {
  open: [];
  peerJoin: [peerId: string];
  peerLeave: [peerId: string];
  stream: [stream: RoomStream];
  removeStream: [stream: RoomStream];
  data: [data: RoomData];
  // As skyway-js tells it: one JSON text for each entry. `getLog` resolves to something better.
  log: [entries: string[]];
  // Who is heard most; null when nobody is.
  activeSpeaker: [peerId: string | null];
  // `close` follows if that is the end.
  error: [error: PeerError];
  close: [];
};
