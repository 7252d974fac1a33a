// A stand-in for RTCPeerConnection that keeps to the rules of signalling and connects nothing. Its SDP are texts like
// `offer 1`, and behind that their lines, if there are any: `offer 2; audio sendrecv; video recvonly`.

type Transceiver = {
  mid: string | null;
  // A track of ours made it, so it takes a line of the other side.
  takesLines: boolean;
  direction: RTCRtpTransceiverDirection;
  currentDirection: RTCRtpTransceiverDirection | null;
  sender: FakeSender;
  receiver: { track: { kind: string }; transport: EventTarget };
  setCodecPreferences(codecs: unknown[]): void;
};

export class FakeTrack extends EventTarget {
  readonly id = crypto.randomUUID();
  readonly kind: 'audio' | 'video';

  constructor(kind: 'audio' | 'video') {
    super();
    this.kind = kind;
  }
}

export class FakeStream extends EventTarget {
  readonly id = crypto.randomUUID();
  #tracks: FakeTrack[];

  constructor(tracks: FakeTrack[] = []) {
    super();
    this.#tracks = tracks;
  }

  getTracks(): FakeTrack[] {
    return [...this.#tracks];
  }

  addTrack(track: FakeTrack): void {
    this.#tracks.push(track);
  }

  // As the browser does it when the other side takes a track away.
  drop(track: FakeTrack): void {
    this.#tracks = this.#tracks.filter((it) => it !== track);
    this.dispatchEvent(new Event('removetrack'));
  }
}

export class FakeSender {
  track: FakeTrack | null;

  constructor(track: FakeTrack | null) {
    this.track = track;
  }

  async replaceTrack(track: FakeTrack | null): Promise<void> {
    this.track = track;
  }
}

export class FakeChannel extends EventTarget {
  readonly label: string;
  readyState = 'connecting';
  binaryType = 'blob';

  constructor(label: string) {
    super();
    this.label = label;
  }

  open(): void {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  close(): void {
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

export class FakeRTCPeerConnection extends EventTarget {
  // All that were made, newest last.
  static made: FakeRTCPeerConnection[] = [];

  signalingState: RTCSignalingState = 'stable';
  iceConnectionState: RTCIceConnectionState = 'new';
  connectionState: RTCPeerConnectionState = 'new';
  localDescription: RTCSessionDescriptionInit | null = null;
  remoteDescription: RTCSessionDescriptionInit | null = null;
  sctp: { transport: EventTarget } | null = null;
  configuration: RTCConfiguration;
  readonly channels: FakeChannel[] = [];
  readonly candidates: RTCIceCandidateInit[] = [];
  readonly transceivers: Transceiver[] = [];
  readonly offered: RTCOfferOptions[] = [];
  #descriptions = 0;
  // Lines of an offer of ours that may be taken back.
  #pending: Transceiver[] = [];

  constructor(configuration: RTCConfiguration = {}) {
    super();
    this.configuration = configuration;
    FakeRTCPeerConnection.made.push(this);
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }

  async createOffer(options: RTCOfferOptions = {}): Promise<RTCSessionDescriptionInit> {
    this.offered.push(options);
    this.#descriptions += 1;
    const lines = inOrder(this.transceivers).map(({ receiver, direction }) => `; ${receiver.track.kind} ${direction}`);
    return { type: 'offer', sdp: [`offer ${this.#descriptions}`, ...lines].join('') };
  }

  async createAnswer(): Promise<RTCSessionDescriptionInit> {
    if (this.signalingState !== 'have-remote-offer') throw new DOMException('nothing to answer', 'InvalidStateError');
    this.#descriptions += 1;
    return { type: 'answer', sdp: `answer ${this.#descriptions} to ${this.remoteDescription?.sdp}` };
  }

  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.#move('local', description.type);
    if (description.type === 'offer') this.#nameLines();
    if (description.type === 'rollback') this.#takeBack();
    else this.localDescription = description;
    this.#lookAgain();
  }

  // An offer that meets one of ours takes ours back.
  async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
    if (description.type === 'offer' && this.signalingState === 'have-local-offer') {
      this.signalingState = 'stable';
      this.#takeBack();
    }
    this.#move('remote', description.type);
    this.remoteDescription = description;
    this.#pending = [];
    if (description.type === 'offer') this.#takeLines(description.sdp ?? '');
    this.#lookAgain();
  }

  async addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (!this.remoteDescription) throw new DOMException('no description yet', 'InvalidStateError');
    this.candidates.push(candidate);
  }

  createDataChannel(label: string): FakeChannel {
    const channel = new FakeChannel(label);
    this.channels.push(channel);
    return channel;
  }

  addTrack(track: FakeTrack): FakeSender {
    return this.#add(track.kind, track, 'sendrecv').sender;
  }

  addTransceiver(kind: string, { direction }: { direction: RTCRtpTransceiverDirection }): Transceiver {
    return this.#add(kind, null, direction);
  }

  removeTrack(sender: FakeSender): void {
    sender.track = null;
    this.dispatchEvent(new Event('negotiationneeded'));
  }

  getTransceivers(): Transceiver[] {
    return this.transceivers;
  }

  getSenders(): FakeSender[] {
    return this.transceivers.map((transceiver) => transceiver.sender);
  }

  getReceivers(): Transceiver['receiver'][] {
    return this.transceivers.map((transceiver) => transceiver.receiver);
  }

  close(): void {
    this.signalingState = 'closed';
    this.connectionState = 'closed';
    for (const channel of this.channels) channel.readyState = 'closed';
  }

  // ---- what a network would do ----

  turn(state: RTCIceConnectionState): void {
    this.iceConnectionState = state;
    this.dispatchEvent(new Event('iceconnectionstatechange'));
  }

  receive(track: FakeTrack, ...streams: FakeStream[]): void {
    this.dispatchEvent(Object.assign(new Event('track'), { track, streams }));
  }

  gather(candidate: string): void {
    const init = { candidate, sdpMid: '0', sdpMLineIndex: 0 };
    const event = Object.assign(new Event('icecandidate'), { candidate: { ...init, toJSON: () => init } });
    this.dispatchEvent(event);
  }

  #add(kind: string, track: FakeTrack | null, direction: RTCRtpTransceiverDirection): Transceiver {
    const transceiver: Transceiver = {
      mid: null,
      takesLines: track !== null,
      direction,
      currentDirection: null,
      sender: new FakeSender(track),
      receiver: { track: { kind }, transport: new EventTarget() },
      setCodecPreferences: () => undefined,
    };
    this.transceivers.push(transceiver);
    queueMicrotask(() => transceiver.mid === null && this.dispatchEvent(new Event('negotiationneeded')));
    return transceiver;
  }

  #nameLines(): void {
    inOrder(this.transceivers).forEach((transceiver, index) => {
      if (transceiver.mid !== null) return;
      transceiver.mid = `${index}`;
      this.#pending.push(transceiver);
    });
  }

  #takeBack(): void {
    for (const transceiver of this.#pending.splice(0)) transceiver.mid = null;
  }

  // RFC 9429, 5.10: the first of ours that has no line yet and fits, else a new one.
  #takeLines(sdp: string): void {
    const lines = sdp.split('; ').slice(1);
    lines.forEach((line, index) => {
      const mid = `${index}`;
      const [kind = '', direction = ''] = line.split(' ');
      if (this.transceivers.some((it) => it.mid === mid)) return;
      const fits = (it: Transceiver): boolean => it.mid === null && it.takesLines && it.receiver.track.kind === kind;
      const taken = /recv/.test(direction) && this.transceivers.find(fits);
      (taken || this.#add(kind, null, 'recvonly')).mid = mid;
    });
  }

  #lookAgain(): void {
    if (this.signalingState !== 'stable' || this.transceivers.every(({ mid }) => mid !== null)) return;
    queueMicrotask(() => this.dispatchEvent(new Event('negotiationneeded')));
  }

  #move(side: 'local' | 'remote', type: RTCSdpType): void {
    const state = `${this.signalingState} ${side} ${type}`;
    const next: Record<string, RTCSignalingState> = {
      'stable local offer': 'have-local-offer',
      'stable remote offer': 'have-remote-offer',
      'have-local-offer local rollback': 'stable',
      'have-local-offer remote answer': 'stable',
      'have-remote-offer local answer': 'stable',
    };
    const after = next[state];
    if (!after) throw new DOMException(state, 'InvalidStateError');
    this.signalingState = after;
  }
}

// As the lines of an offer: those that have one already, then the new ones.
function inOrder(transceivers: Transceiver[]): Transceiver[] {
  const place = ({ mid }: Transceiver): number => Number(mid ?? Infinity);
  return [...transceivers].sort((one, other) => (place(one) === place(other) ? 0 : place(one) - place(other)));
}
