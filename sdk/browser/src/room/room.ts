// Placeholder: helper H writes this file.

import { Emitter } from '../emitter.js';
import type { PeerError } from '../errors.js';
import type { MediaConnection } from '../connection/media_connection.js';
import type { CallOption } from '../options.js';
import type { Frame } from '../signalling/frame.js';
import type { RoomContext, RoomInbox } from './context.js';

export interface RoomOptions extends CallOption {
  mode?: 'mesh' | 'sfu';
  stream?: MediaStream;
}

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type RoomEvents = { open: []; close: []; error: [error: PeerError] };

export class Room extends Emitter<RoomEvents> implements RoomInbox {
  readonly name: string;
  protected readonly context: RoomContext;

  constructor(context: RoomContext, name: string, _options: RoomOptions) {
    super();
    this.context = context;
    this.name = name;
  }

  close(): void {
    this.context.forget(this.name);
  }

  handleFrame(_frame: Frame): void {}
  handleCall(_connection: MediaConnection): void {}
  handleSession(_state: 'open' | 'lost'): void {}
}
