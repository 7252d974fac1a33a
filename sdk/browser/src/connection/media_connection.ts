// A call: audio and video between two peers.

import type { AnswerOption, CallOption } from '../options.js';
import { Connection, type ConnectionContext, type ConnectionEvents, type ConnectionInit } from './connection.js';
import type { NegotiatorHooks } from './negotiator.js';
import { RemoteStreams } from './remote_streams.js';
import { limitBandwidth, type Kind } from './sdp.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type MediaConnectionEvents = ConnectionEvents & {
  // Once for each stream of the other side.
  stream: [stream: MediaStream];
  // Its last track is gone.
  removeStream: [stream: MediaStream];
  track: [track: MediaStreamTrack, stream: MediaStream];
  // From now on the other side notices at once when we hang up.
  willCloseOnRemote: [];
};

const KINDS: Kind[] = ['audio', 'video'];

export class MediaConnection extends Connection<MediaConnectionEvents> {
  readonly type = 'media' as const;
  #media: CallOption;
  #localStream: MediaStream | undefined;
  #remote = new RemoteStreams({
    added: (stream) => this.emit('stream', stream),
    removed: (stream) => this.emit('removeStream', stream),
  });

  constructor(context: ConnectionContext, init: ConnectionInit, stream?: MediaStream, options: CallOption = {}) {
    super(context, 'mc_', init);
    this.#localStream = stream;
    this.#media = options;
  }

  // Undefined where there is none, as in PeerJS, whose types these are.
  get localStream(): MediaStream {
    return this.#localStream as MediaStream;
  }

  get remoteStream(): MediaStream {
    return this.#remote.first as MediaStream;
  }

  override begin(): void {
    // A call that comes in waits for `answer`.
    if (this.offer) return;
    const { connection } = this.createNegotiator(this.#hooks());
    this.#addTracks(connection);
    // What we do not send we can hear nevertheless.
    for (const kind of KINDS) {
      const sent = this.#localStream?.getTracks().some((track) => track.kind === kind);
      if (!sent && this.#receives(kind)) connection.addTransceiver(kind, { direction: 'recvonly' });
    }
    // Nothing is said on it: its end is what the other side notices first. PeerJS 1.5 does the same.
    this.handleChannel(connection.createDataChannel(this.label, { ordered: false }));
    this.negotiate();
  }

  // Takes the call, with or without a stream of our own.
  answer(stream?: MediaStream, options: AnswerOption = {}): void {
    if (!this.offer || this.negotiator || this.closed) return;
    this.#localStream = stream;
    this.#media = options;
    const { connection } = this.createNegotiator(this.#hooks());
    this.#addTracks(connection);
    this.negotiate();
    this.markOpen();
  }

  // The other side goes on with the stream it has, and hears and sees what is in this one.
  async replaceStream(stream: MediaStream): Promise<void> {
    const senders = this.#senders();
    const tracks = stream.getTracks();
    const kept = new Set<RTCRtpSender>();
    for (const track of tracks) {
      const sender = senders.find((it) => !kept.has(it) && kindOf(it, this.peerConnection) === track.kind);
      if (sender) kept.add(sender);
      if (sender) await sender.replaceTrack(track);
      else await this.addTrack(track, this.#localStream ?? stream);
    }
    for (const sender of senders) if (!kept.has(sender)) await sender.replaceTrack(null);
    this.#localStream = stream;
  }

  // During a call too. Other clients than ours take a further track only in place of one that they know.
  async addTrack(track: MediaStreamTrack, ...streams: MediaStream[]): Promise<RTCRtpSender> {
    // Who the other side is shows in its answer.
    if (!this.answered) await this.ready;
    const free = this.#senders().find((it) => !it.track && kindOf(it, this.peerConnection) === track.kind);
    if (!this.#canRenegotiate()) {
      if (!free) throw this.error('not-supported', `The other side takes no further ${track.kind} during a call`);
      await free.replaceTrack(track);
      return free;
    }
    const into = streams.length > 0 ? streams : [this.#localStream ?? new MediaStream([track])];
    this.#localStream ??= into[0];
    return this.peerConnection.addTrack(track, ...into);
  }

  async removeTrack(trackOrSender: MediaStreamTrack | RTCRtpSender): Promise<void> {
    const sender = this.#senders().find((it) => it === trackOrSender || it.track === trackOrSender);
    if (!sender) return;
    if (this.#canRenegotiate()) this.peerConnection.removeTrack(sender);
    else await sender.replaceTrack(null);
  }

  protected override handleAccepted(): void {
    this.markOpen();
  }

  protected override handleConnected(): void {
    this.markReady();
  }

  protected override handleTrack({ track, streams }: RTCTrackEvent): void {
    const stream = this.#remote.add(track, streams[0]);
    this.emit('track', track, stream);
  }

  // Of the caller: the callee of a newer client watches it as well. Older ones let go of it, and Firefox then closes it.
  protected override handleChannel(channel: RTCDataChannel): void {
    channel.addEventListener('open', () => this.emit('willCloseOnRemote'));
    channel.addEventListener('close', () => this.remote.legacy || this.end(false));
  }

  protected override onClosing(): void {
    this.#remote.clear();
  }

  protected override offerMembers(): Record<string, unknown> {
    return { metadata: this.metadata };
  }

  #hooks(): NegotiatorHooks {
    const { sdpTransform, videoBandwidth, audioBandwidth, constraints } = this.#media;
    const limits = { video: videoBandwidth, audio: audioBandwidth };
    return {
      offerOptions: constraints,
      prepare: (connection) => this.#prepare(connection),
      transform: (sdp) => {
        const limited = limitBandwidth(sdp, limits);
        return (sdpTransform?.(limited) as string | undefined) || limited;
      },
    };
  }

  #prepare(connection: RTCPeerConnection): void {
    for (const transceiver of connection.getTransceivers()) {
      const kind = transceiver.receiver.track.kind as Kind;
      if (!this.#receives(kind)) {
        if (transceiver.direction === 'sendrecv') transceiver.direction = 'sendonly';
        if (transceiver.direction === 'recvonly') transceiver.direction = 'inactive';
      }
      const wanted = kind === 'video' ? this.#media.videoCodec : this.#media.audioCodec;
      if (wanted) this.#prefer(transceiver, kind, wanted);
    }
  }

  // The browser's extras (retransmission, correction) stay.
  #prefer(transceiver: RTCRtpTransceiver, kind: Kind, wanted: string): void {
    const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
    const matches = (codec: RTCRtpCodec, name: string): boolean => codec.mimeType.toLowerCase() === `${kind}/${name}`;
    const chosen = codecs.filter((codec) => matches(codec, wanted.toLowerCase()));
    if (chosen.length === 0) throw this.error('not-supported', `This browser has no ${kind} codec ${wanted}`);
    const extras = codecs.filter((codec) =>
      ['rtx', 'red', 'ulpfec', 'flexfec-03'].some((name) => matches(codec, name)),
    );
    transceiver.setCodecPreferences?.([...chosen, ...extras]);
  }

  #receives(kind: Kind): boolean {
    return this.#media[`${kind}ReceiveEnabled`] !== false;
  }

  #addTracks(connection: RTCPeerConnection): void {
    const stream = this.#localStream;
    for (const track of stream?.getTracks() ?? []) connection.addTrack(track, stream as MediaStream);
  }

  // Those that have a line which the other side knows as one that we send on.
  #senders(): RTCRtpSender[] {
    if (this.closed || !this.negotiator) throw this.error('not-open-yet', 'The call is not open');
    return this.peerConnection
      .getTransceivers()
      .filter(({ currentDirection, direction }) => (currentDirection ?? direction).startsWith('send'))
      .map((transceiver) => transceiver.sender);
  }

  #canRenegotiate(): boolean {
    return this.negotiator?.renegotiates === true;
  }
}

function kindOf(sender: RTCRtpSender, connection: RTCPeerConnection): string | undefined {
  return connection.getTransceivers().find((transceiver) => transceiver.sender === sender)?.receiver.track.kind;
}
