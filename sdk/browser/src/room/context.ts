// What a room gets from its peer, and what the peer tells it.

import type { MediaConnection } from '../connection/media_connection.js';
import type { CallOption } from '../options.js';
import type { Frame } from '../signalling/frame.js';
import type { Line } from '../signalling/line.js';

export interface RoomContext {
  readonly line: Line;
  // A call that says in its offer which room it belongs to; it is no call of the peer's.
  call(remoteId: string, stream: MediaStream | undefined, options: CallOption & { room: string }): MediaConnection;
  // The room is over: its name may be joined again.
  forget(name: string): void;
}

// What a peer does with its rooms.
export interface RoomInbox {
  handleFrame(frame: Frame): void;
  handleCall(connection: MediaConnection): void;
  // The session with the server ended, or began: a room that we are in has to be joined again.
  handleSession(state: 'open' | 'lost'): void;
  handleNetworkChange?(): void;
}
