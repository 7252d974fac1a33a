// A call: audio and video between two peers.

import type { CallOption, AnswerOption } from '../options.js';
import { Connection, type ConnectionContext, type ConnectionEvents, type ConnectionInit } from './connection.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type MediaConnectionEvents = ConnectionEvents & {
  // Once for each stream of the other side.
  stream: [stream: MediaStream];
  removeStream: [stream: MediaStream];
  track: [track: MediaStreamTrack, stream: MediaStream];
  // From now on the other side notices at once when we hang up.
  willCloseOnRemote: [];
};

export class MediaConnection extends Connection<MediaConnectionEvents> {
  readonly type = 'media' as const;
  #localStream: MediaStream | undefined;
  #remoteStream: MediaStream | undefined;

  constructor(context: ConnectionContext, init: ConnectionInit, stream?: MediaStream, _options: CallOption = {}) {
    super(context, 'mc_', init);
    this.#localStream = stream;
  }

  get localStream(): MediaStream {
    return this.#localStream as MediaStream;
  }

  get remoteStream(): MediaStream {
    return this.#remoteStream as MediaStream;
  }

  override begin(): void {}

  answer(stream?: MediaStream, _options: AnswerOption = {}): void {
    this.#localStream = stream;
  }

  async replaceStream(_stream: MediaStream): Promise<void> {}

  protected override offerMembers(): Record<string, unknown> {
    return { metadata: this.metadata };
  }
}
