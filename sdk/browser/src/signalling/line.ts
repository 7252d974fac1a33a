// What connections and rooms see of the way to the server: they never see a socket.

import type { Frame } from './frame.js';

export interface Line {
  // Our own id.
  readonly id: string;
  // Goes out at once, or when the server is there again: bounded, the oldest candidates are dropped first.
  send(frame: Frame): void;
  // With the ICE servers that are good now: those of the options before the server has told its own.
  rtcConfiguration(): RTCConfiguration;
  // The same, once the server has told its ICE servers or cannot. It never rejects.
  configured(): Promise<RTCConfiguration>;
  // Somebody doubts that the server is there: asks it, and opens a new socket if no answer comes.
  check(): void;
}
