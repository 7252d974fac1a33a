// One RTCPeerConnection: fed with what the other side describes, it emits what is to be told to the other side. It never
// sees a socket.
//
//   handleOffer, handleAnswer, handleWish, handleCandidate  -->  Negotiator  -->  description, wish, candidate
//
// Everything goes one after the other. Between pages of ours only the caller offers, and the callee asks it to: browsers
// lose pictures when they take an offer back. Where two offers meet all the same (an older page, a line that the callee
// has made by hand) the caller's counts ("perfect negotiation").

import { Emitter } from '../emitter.js';
import { platform } from '../platform.js';
import { Reminder } from './reminder.js';
import { addLines, linesWithoutOffer, type Wish } from './wish.js';

export type SdpTransform = (sdp: string) => string | void;

export interface LocalDescription {
  type: 'offer' | 'answer';
  sdp: string;
  // The first offer of the connection.
  first: boolean;
  // ICE begins anew.
  restart: boolean;
  // Which of our offers, or which of theirs is answered.
  round: number | undefined;
}

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type NegotiatorEvents = {
  description: [description: LocalDescription];
  wish: [wish: Wish];
  candidate: [candidate: RTCIceCandidateInit];
  track: [event: RTCTrackEvent];
  channel: [channel: RTCDataChannel];
  state: [state: RTCIceConnectionState];
  // Nothing can come of the connection any more.
  failed: [error: unknown];
};

// What the kind of connection adds to our descriptions.
export interface NegotiatorHooks {
  // Before each of them.
  prepare?(connection: RTCPeerConnection): void;
  transform?: SdpTransform | undefined;
  offerOptions?: RTCOfferOptions | undefined;
}

export interface NegotiatorOptions extends NegotiatorHooks {
  configuration: RTCConfiguration;
  // The caller.
  initiator: boolean;
}

// Those that come before their description.
const EARLY_CANDIDATES = 200;
// Then the caller cannot do it (a line made by hand is not one that its offers can fill), and the callee offers itself.
const MOST_WISHES = 2;
// How long what was said may have been on the way when the server was lost.
const LOST_MS = 60_000;

export class Negotiator extends Emitter<NegotiatorEvents> {
  readonly connection: RTCPeerConnection;
  // Whether the other side understands further offers, and whether it makes or takes wishes: known from its first
  // description on.
  renegotiates = false;
  takesWishes = false;
  readonly #initiator: boolean;
  readonly #hooks: NegotiatorHooks;
  readonly #early: RTCIceCandidateInit[] = [];
  readonly #gathered: RTCIceCandidateInit[] = [];
  readonly #listeners = new AbortController();
  #tasks: Promise<void> = Promise.resolve();
  #round = 0;
  #theirRound = 0;
  // Since all that we send had its line.
  #wishes = 0;
  readonly #reminder = new Reminder();
  #last: LocalDescription | undefined;
  #describedAt = 0;
  // An exchange of ours or of theirs has been completed.
  #settled = false;
  // An offer of ours, since the last answer.
  #tookBack = false;
  #closed = false;
  #watched: RTCDtlsTransport | undefined;

  constructor({ configuration, initiator, ...hooks }: NegotiatorOptions) {
    super();
    this.#initiator = initiator;
    this.#hooks = hooks;
    this.connection = new RTCPeerConnection(configuration);
    this.#listen();
  }

  // Of the caller, once its tracks and channels are there.
  start(configured: Promise<RTCConfiguration>): void {
    this.#run(async () => {
      this.#configure(await configured);
      if (!this.#closed) await this.#offer({});
    });
  }

  // Of the callee, with the offer it was called with.
  startWith(offer: { sdp: string; round?: number | undefined }, configured: Promise<RTCConfiguration>): void {
    this.#run(async () => this.#configure(await configured));
    this.handleOffer(offer);
  }

  handleOffer({ sdp, round }: { sdp: string; round?: number | undefined }): void {
    this.#run(async () => {
      const { connection } = this;
      // Ours counts, and the other side gives way.
      const pending = connection.signalingState !== 'stable';
      if (pending && this.#initiator) return;
      this.#tookBack ||= pending;
      this.#reminder.stop();
      await connection.setRemoteDescription({ type: 'offer', sdp });
      await this.#addEarly();
      this.#hooks.prepare?.(connection);
      const answer = await connection.createAnswer();
      const transformed = this.#transformed(answer.sdp ?? '');
      await connection.setLocalDescription({ type: 'answer', sdp: transformed });
      const first = !this.#settled;
      this.#settled = true;
      this.#theirRound = round ?? 0;
      const { audio, video } = linesWithoutOffer(connection);
      if (audio + video === 0) this.#wishes = 0;
      if (this.#closed) return;
      await this.#revive();
      this.#describe({ type: 'answer', sdp: transformed, first, restart: false, round });
    });
  }

  // `round`: which of our offers it answers, if the other side tells.
  handleAnswer({ sdp, round }: { sdp: string; round?: number | undefined }): void {
    this.#run(async () => {
      // The answer to an offer that was taken back.
      if (this.connection.signalingState !== 'have-local-offer') return;
      if (round !== undefined && round !== this.#round) return;
      this.#reminder.stop();
      await this.connection.setRemoteDescription({ type: 'answer', sdp });
      this.#settled = true;
      await this.#addEarly();
      await this.#revive();
    });
  }

  // While an offer of ours is under way there is nothing to do: when it is answered the other side looks again.
  handleWish({ lines, round }: Wish): void {
    this.#run(async () => {
      const { connection } = this;
      if (!this.#initiator || !this.#settled || connection.signalingState !== 'stable' || round !== this.#round) return;
      addLines(connection, lines);
      await this.#offer({});
    });
  }

  handleCandidate(candidate: RTCIceCandidateInit): void {
    this.#run(async () => {
      if (this.connection.remoteDescription) await this.#addCandidate(candidate);
      else if (this.#early.length < EARLY_CANDIDATES) this.#early.push(candidate);
    });
  }

  // What we said last may have been lost with the way to the server. Hearing it twice does no harm to ours.
  repeat(): void {
    this.#run(async () => {
      const last = this.#last;
      if (!last || !this.#settled || !this.renegotiates || platform.now() - this.#describedAt > LOST_MS) return;
      if (last.type === 'offer' && this.connection.signalingState !== 'have-local-offer') return;
      this.emit('description', last);
    });
  }

  // ICE from the beginning, over what networks there are now. An offer that was not answered was lost on the way, and is
  // said again: Chromium (seen in 148) never sends media again after it took an offer back while there was no way.
  restart(configured: Promise<RTCConfiguration>): void {
    this.#run(async () => {
      if (!this.#settled) return;
      this.#configure(await configured);
      if (this.#closed) return;
      if (this.connection.signalingState === 'stable') await this.#offer({ iceRestart: true });
      else if (this.#last?.type === 'offer') this.emit('description', this.#last);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reminder.stop();
    this.#listeners.abort();
    this.connection.close();
    this.removeAllListeners();
  }

  async #offer(options: RTCOfferOptions): Promise<void> {
    const { connection } = this;
    this.#hooks.prepare?.(connection);
    const made = await connection.createOffer({ ...this.#hooks.offerOptions, ...options });
    const sdp = this.#transformed(made.sdp ?? '');
    await connection.setLocalDescription({ type: 'offer', sdp });
    if (this.#closed) return;
    this.#round += 1;
    const restart = options.iceRestart === true;
    const offer: LocalDescription = { type: 'offer', sdp, first: this.#round === 1, restart, round: this.#round };
    this.#describe(offer);
    if (this.takesWishes) this.#reminder.start(() => this.emit('description', offer));
  }

  #wish(): void {
    this.#wishes += 1;
    const wish = { lines: linesWithoutOffer(this.connection), round: this.#theirRound };
    this.emit('wish', wish);
    this.#reminder.start(() => this.emit('wish', wish));
  }

  // Chromium (seen in 148) sends nothing more on the tracks that it had when an offer was taken back.
  async #revive(): Promise<void> {
    if (!this.#tookBack) return;
    this.#tookBack = false;
    for (const sender of this.connection.getSenders()) await sender.replaceTrack(sender.track);
  }

  #describe(description: LocalDescription): void {
    this.#last = description;
    this.#describedAt = platform.now();
    this.emit('description', description);
    this.#tellGathered();
  }

  // 0.3 loses candidates that come before their description.
  #tellGathered(): void {
    for (const candidate of this.#gathered.splice(0)) this.emit('candidate', candidate);
  }

  #configure(configuration: RTCConfiguration): void {
    if (this.#closed) return;
    try {
      this.connection.setConfiguration(configuration);
    } catch {
      // Then it goes on with those that it has.
    }
  }

  async #addEarly(): Promise<void> {
    for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
  }

  // One way less is no reason to give up; and those of an offer that gave way fit nothing.
  async #addCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    await this.connection.addIceCandidate(candidate).catch(() => undefined);
  }

  #transformed(sdp: string): string {
    return this.#hooks.transform?.(sdp) || sdp;
  }

  #run(task: () => Promise<void>): void {
    this.#tasks = this.#tasks.then(async () => {
      if (this.#closed) return;
      try {
        await task();
      } catch (error) {
        // What exists goes on as it was.
        if (!this.#closed && !this.#settled) this.emit('failed', error);
      }
    });
  }

  #listen(): void {
    const { connection } = this;
    const { signal } = this.#listeners;
    const on = <Event extends keyof RTCPeerConnectionEventMap>(
      event: Event,
      listener: (event: RTCPeerConnectionEventMap[Event]) => void,
    ): void => connection.addEventListener(event, listener, { signal });

    on('icecandidate', ({ candidate }) => {
      if (!candidate?.candidate) return;
      this.#gathered.push(candidate.toJSON());
      if (this.#last) this.#tellGathered();
    });
    on('negotiationneeded', () => {
      // The first exchange takes what was there before it.
      if (!this.renegotiates || !connection.remoteDescription) return;
      this.#run(async () => {
        if (this.connection.signalingState !== 'stable' || !this.#settled) return;
        if (this.takesWishes && !this.#initiator && this.#wishes < MOST_WISHES) this.#wish();
        else await this.#offer({});
      });
    });
    on('track', (event) => this.emit('track', event));
    on('datachannel', ({ channel }) => this.emit('channel', channel));
    on('iceconnectionstatechange', () => this.emit('state', connection.iceConnectionState));
    on('connectionstatechange', () => {
      // DTLS can fail where ICE did not.
      if (connection.connectionState === 'failed') this.emit('state', 'failed');
      if (connection.connectionState === 'connected') this.#watchGoodbye();
    });
  }

  // A client that closes says so in DTLS, whatever its library: ICE would notice after many seconds.
  #watchGoodbye(): void {
    const { connection } = this;
    const transport = connection.sctp?.transport ?? connection.getReceivers()[0]?.transport;
    if (!transport || transport === this.#watched) return;
    this.#watched = transport;
    const { signal } = this.#listeners;
    transport.addEventListener('statechange', () => transport.state === 'closed' && this.emit('state', 'closed'), {
      signal,
    });
  }
}
