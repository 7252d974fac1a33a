// What a room sees of its peer: a line that writes down what is said, calls that are answered when the test says so, and a
// connection with a forwarding unit that has the lines of the last offer.

import type { MediaConnection } from '../connection/media_connection.js';
import { Emitter } from '../emitter.js';
import type { RoomContext } from '../room/context.js';
import type { Frame } from '../signalling/frame.js';
import { FakeSender, FakeStream, FakeTrack } from './fake_rtc.js';

export class FakeContext implements RoomContext {
  readonly said: Frame[] = [];
  readonly calls: FakeCall[] = [];
  readonly forgotten: string[] = [];
  readonly line;

  constructor(id = 'me') {
    this.line = {
      id,
      send: (frame: Frame) => void this.said.push(frame),
      rtcConfiguration: () => ({}),
      configured: async () => ({}),
      check: () => {},
    };
  }

  call(peer: string, stream: MediaStream | undefined, options: object): MediaConnection {
    const call = new FakeCall(peer, { stream, options });
    this.calls.push(call);
    return call as unknown as MediaConnection;
  }

  forget(name: string): void {
    this.forgotten.push(name);
  }

  // What was said since the last question: `ROOM-JOIN {"mode":"mesh"}`.
  news(): string[] {
    return this.said
      .splice(0)
      .map(({ type, payload }) => (payload === undefined ? type : `${type} ${JSON.stringify(payload)}`));
  }
}

interface CallInit {
  stream?: MediaStream | undefined;
  options?: object;
  metadata?: unknown;
  ours?: boolean;
}

export class FakeCall extends Emitter<{ stream: [stream: MediaStream]; close: [] }> {
  readonly peer: string;
  readonly metadata: unknown;
  readonly options: object;
  readonly remote: { ours: boolean };
  readonly ready: Promise<void>;
  stream: MediaStream | undefined;
  answered = false;
  closed = false;
  // Whether it takes another stream.
  isFixed = false;
  connect!: () => void;

  constructor(peer: string, { stream, options = {}, metadata, ours = true }: CallInit = {}) {
    super();
    this.peer = peer;
    this.stream = stream;
    this.options = options;
    this.metadata = metadata;
    this.remote = { ours };
    this.ready = new Promise((resolve) => (this.connect = resolve));
  }

  answer(stream?: MediaStream): void {
    this.answered = true;
    this.stream = stream;
  }

  async replaceStream(stream: MediaStream): Promise<void> {
    if (this.isFixed) throw new Error('not supported');
    this.stream = stream;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.emit('close');
  }

  // For the room.
  get asCall(): MediaConnection {
    return this as unknown as MediaConnection;
  }
}

// Of the forwarding unit: our two lines, and one for each track of others (`stream-7 video`).
export function sfuOffer(user: string, ...others: string[]): string {
  const own = ['audio', 'video'].map((kind, mid) => `m=${kind} 9\r\na=mid:${mid}\r\na=recvonly\r\n`);
  const theirs = others.map((name, index) => {
    const [stream, kind] = name.split(' ');
    return `m=${kind} 9\r\na=mid:${index + 2}\r\na=msid:${stream} ${kind}-${stream}\r\na=sendonly\r\n`;
  });
  return `v=0\r\na=ice-ufrag:${user}\r\n${[...own, ...theirs].join('')}`;
}

export class FakeSfuConnection {
  static all: FakeSfuConnection[] = [];
  // The next description is refused.
  static isBroken = false;
  connectionState: RTCPeerConnectionState = 'new';
  onconnectionstatechange: (() => void) | undefined;
  localDescription: { sdp: string } | null = null;
  #transceivers: FakeTransceiver[] = [];
  #answers = 0;

  constructor() {
    FakeSfuConnection.all.push(this);
  }

  async setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    if (FakeSfuConnection.isBroken) throw new Error('this SDP is not understood');
    const kinds = [...sdp.matchAll(/^m=(audio|video)/gm)].map((match) => match[1] as 'audio' | 'video');
    kinds.slice(this.#transceivers.length).forEach((kind) => {
      this.#transceivers.push(new FakeTransceiver(`${this.#transceivers.length}`, kind));
    });
  }

  async setLocalDescription(): Promise<void> {
    for (const transceiver of this.#transceivers) transceiver.currentDirection = transceiver.direction;
    this.#answers += 1;
    this.localDescription = { sdp: `answer ${this.#answers}` };
  }

  getTransceivers(): FakeTransceiver[] {
    return this.#transceivers;
  }

  close(): void {
    this.connectionState = 'closed';
  }

  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  // What goes out: `audio`, `video`.
  get sends(): string[] {
    return this.#transceivers.flatMap(({ sender, currentDirection }) =>
      sender.track && currentDirection === 'sendonly' ? [sender.track.kind] : [],
    );
  }
}

class FakeTransceiver {
  readonly mid: string;
  readonly sender: FakeSender & { getParameters(): object; setParameters(): Promise<void> };
  readonly receiver: { track: FakeTrack };
  direction = 'recvonly';
  currentDirection: string | null = null;

  constructor(mid: string, kind: 'audio' | 'video') {
    this.mid = mid;
    this.receiver = { track: new FakeTrack(kind) };
    const parameters = { getParameters: () => ({ encodings: [{}] }), setParameters: async () => {} };
    this.sender = Object.assign(new FakeSender(null), parameters);
  }
}

export function fakeStream(...kinds: ('audio' | 'video')[]): MediaStream {
  const tracks = kinds.map((kind) => Object.assign(new FakeTrack(kind), { getSettings: () => ({}) }));
  return new FakeStream(tracks) as unknown as MediaStream;
}

// As `new MediaStream(tracks)`, whose tracks are the script's business.
export class FakeMediaStream extends FakeStream {
  removeTrack(track: FakeTrack): void {
    this.drop(track);
  }
}
