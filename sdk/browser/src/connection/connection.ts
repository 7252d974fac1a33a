// What data connections and calls have in common: names, state, and the way from signals to the negotiator and back.

import { Emitter } from '../emitter.js';
import { PeerError, type ConnectionErrorType } from '../errors.js';
import type { Line } from '../signalling/line.js';
import { randomToken } from '../platform.js';
import { waiting, type Waiter } from '../waiting.js';
import type { Remote } from './channel.js';
import { Negotiator, type LocalDescription, type NegotiatorHooks } from './negotiator.js';
import {
  encodeDescription,
  STRANGER,
  type Answer,
  type ConnectionKind,
  type Introduction,
  type Offer,
} from './payload.js';
import { Recovery } from './recovery.js';
import { StatsReader, type ConnectionStats } from './stats.js';
import type { Wish } from './wish.js';

export type ConnectionError = PeerError<ConnectionErrorType | 'peer-unavailable' | 'webrtc'>;

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type ConnectionEvents = {
  close: [];
  error: [error: ConnectionError];
  iceStateChanged: [state: RTCIceConnectionState];
};

// What a connection needs of its peer.
export interface ConnectionContext {
  readonly line: Line;
  // How long a lost path is looked for, in ms.
  readonly patience: number;
  // Closed for good. `goodbye`: we ended it, and the other side should hear of it at once.
  forget(connection: AnyConnection, goodbye: boolean): void;
}

// Of any kind.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyConnection = Connection<any>;

export interface ConnectionInit {
  peer: string;
  connectionId?: string | undefined;
  label?: string | undefined;
  metadata?: unknown;
  // Of the mesh room it belongs to.
  room?: string | undefined;
  // With which we were called; none if we call.
  offer?: Offer | undefined;
  // As the application gave them.
  options?: object | undefined;
}

const EARLY_CANDIDATES = 200;

export abstract class Connection<
  Events extends ConnectionEvents & { [Event in keyof Events]: unknown[] },
> extends Emitter<Events> {
  abstract readonly type: ConnectionKind;
  // The id of the peer on the other side; `remoteId` is skyway-js's name for it.
  readonly peer: string;
  readonly connectionId: string;
  readonly label: string;
  // Whatever the caller gave.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly metadata: any;
  readonly room: string | undefined;
  readonly options: object;
  // Resolves when the connection can be used, rejects if it ends before.
  readonly ready: Promise<this>;
  // What the other side understands. Known from its first description on.
  remote: Remote = STRANGER;
  protected readonly context: ConnectionContext;
  protected readonly offer: Offer | undefined;
  protected negotiator: Negotiator | undefined;
  #open = false;
  #closed = false;
  #answered = false;
  #early: RTCIceCandidateInit[] = [];
  #recovery: Recovery | undefined;
  readonly #stats = new StatsReader();
  #ready!: Waiter<this>;

  constructor(context: ConnectionContext, prefix: string, init: ConnectionInit) {
    super();
    this.context = context;
    this.peer = init.peer;
    this.offer = init.offer;
    this.connectionId = init.offer?.connectionId ?? init.connectionId ?? `${prefix}${randomToken()}`;
    this.label = init.offer?.label ?? init.label ?? this.connectionId;
    this.metadata = init.offer ? init.offer.metadata : init.metadata;
    this.room = init.offer?.room ?? init.room;
    this.options = init.options ?? {};
    if (init.offer) this.#meet(init.offer.from);
    this.ready = waiting((waiter) => (this.#ready = waiter));
  }

  get remoteId(): string {
    return this.peer;
  }

  get id(): string {
    return this.connectionId;
  }

  get open(): boolean {
    return this.#open;
  }

  get closed(): boolean {
    return this.#closed;
  }

  // The other side has described itself.
  get answered(): boolean {
    return this.#answered || this.offer !== undefined;
  }

  // Undefined until the call is answered, as in PeerJS, whose type this is.
  get peerConnection(): RTCPeerConnection {
    return this.negotiator?.connection as RTCPeerConnection;
  }

  getPeerConnection(): RTCPeerConnection | null {
    return this.#open ? this.peerConnection : null;
  }

  // Rates are those since the last question.
  async stats(): Promise<ConnectionStats> {
    if (!this.negotiator || this.#closed) throw this.error('not-open-yet', 'There are no statistics yet');
    return this.#stats.read(this.negotiator.connection);
  }

  // `forceClose` of skyway-js means nothing here: the other side always hears of it.
  close(_options?: boolean | { flush?: boolean }): void {
    this.end(true);
  }

  // ---- what the peer tells ----

  // Begins to negotiate. Calls wait for `answer` instead.
  abstract begin(): void;

  // A second offer of the same connection.
  handleOffer(offer: Offer): void {
    this.negotiator?.handleOffer(offer);
  }

  handleAnswer(answer: Answer): void {
    const first = !this.#answered;
    this.#answered = true;
    if (first) this.#meet(answer.from);
    this.negotiator?.handleAnswer(answer);
    if (first) this.handleAccepted();
  }

  handleCandidate(candidate: RTCIceCandidateInit): void {
    if (this.negotiator) this.negotiator.handleCandidate(candidate);
    else if (this.#early.length < EARLY_CANDIDATES) this.#early.push(candidate);
  }

  // The other side has ended it.
  handleLeave(): void {
    this.end(false);
  }

  // Nobody is there who could answer.
  handleUnavailable(error: PeerError<'peer-unavailable'>): void {
    if (!this.answered) this.fail(error);
  }

  // The server is there again.
  handleSession(): void {
    if (this.remote.ours) this.negotiator?.repeat();
  }

  // The callee asks us, who called, to look for a way.
  handleNudge(): void {
    if (!this.offer && this.answered) this.#restart();
  }

  // The callee asks us for an offer.
  handleWish(wish: Wish): void {
    this.negotiator?.handleWish(wish);
  }

  // The machine is on another network, or on one again.
  handleNetworkChange(): void {
    this.#recovery?.handleNetworkChange();
  }

  // ---- what the kinds of connections do ----

  // Members of the first OFFER beside the description.
  protected abstract offerMembers(): Record<string, unknown>;
  protected handleAccepted(): void {}
  protected handleChannel(_channel: RTCDataChannel): void {}
  protected handleTrack(_event: RTCTrackEvent): void {}
  protected handleConnected(): void {}
  // What is left is to be thrown away; `close` is told after it.
  protected onClosing(): void {}

  protected createNegotiator(hooks: NegotiatorHooks = {}): Negotiator {
    const { context } = this;
    const initiator = this.offer === undefined;
    const configuration = context.line.rtcConfiguration();
    const negotiator = new Negotiator({ configuration, initiator, ...hooks });
    this.negotiator = negotiator;
    const { renegotiates, takesWishes } = this.remote as Introduction;
    Object.assign(negotiator, { renegotiates, takesWishes });
    const onLoss = { restart: () => this.#restart(), giveUp: () => this.#lost() };
    this.#recovery = new Recovery(onLoss, { initiator, patience: context.patience });
    negotiator.on('description', (description) => this.#tell(description));
    negotiator.on('wish', ({ lines, round }) => this.#send('CANDIDATE', { ...this.#names(), negotiate: lines, round }));
    negotiator.on('candidate', (candidate) => this.#send('CANDIDATE', { candidate, ...this.#names() }));
    negotiator.on('track', (event) => this.handleTrack(event));
    negotiator.on('channel', (channel) => this.handleChannel(channel));
    negotiator.on('state', (state) => this.#handleState(state));
    negotiator.on('failed', (error) => {
      const known = error instanceof PeerError;
      this.fail(known ? error : this.error('negotiation-failed', 'Could not negotiate', error));
    });
    return negotiator;
  }

  // With the offer of the other side, or with ours.
  protected negotiate(): void {
    const { negotiator, offer } = this;
    const configured = this.context.line.configured();
    if (offer) negotiator?.startWith(offer, configured);
    else negotiator?.start(configured);
    for (const candidate of this.#early.splice(0)) negotiator?.handleCandidate(candidate);
  }

  protected markOpen(): void {
    if (!this.#closed) this.#open = true;
  }

  protected markReady(): void {
    if (!this.#closed) this.#ready.resolve(this);
  }

  protected error<Type extends ConnectionErrorType>(type: Type, message: string, cause?: unknown): PeerError<Type> {
    return new PeerError(type, `${message} (connection ${this.connectionId} to ${this.peer})`, cause);
  }

  // Tells the error and ends.
  protected fail(error: ConnectionError): void {
    if (this.#closed) return;
    this.#ready.reject(error);
    this.#emit('error', error);
    this.end(true);
  }

  protected end(goodbye: boolean): void {
    if (this.#closed) return;
    // What is open ends visibly for all but the calls of older clients.
    const said = this.#open && !(this.type === 'media' && this.remote.legacy) && !this.negotiator?.renegotiates;
    this.#closed = true;
    this.#open = false;
    this.#recovery?.stop();
    this.onClosing();
    this.negotiator?.close();
    this.context.forget(this, goodbye && !said);
    this.#ready.reject(this.error('connection-closed', 'Closed before it was open'));
    this.#emit('close');
  }

  // In a mesh room who is not ours is skyway-js, which takes further offers from whoever called.
  #meet(introduction: Introduction): void {
    this.remote = introduction;
    const skyway = this.room !== undefined && this.offer === undefined && !introduction.ours;
    if (!this.negotiator) return;
    this.negotiator.renegotiates = introduction.renegotiates || skyway;
    this.negotiator.takesWishes = introduction.takesWishes;
  }

  #handleState(state: RTCIceConnectionState): void {
    this.#emit('iceStateChanged', state);
    if (state === 'connected' || state === 'completed') this.handleConnected();
    if (state === 'closed') return this.end(false);
    if (this.#canRestart()) {
      if (state === 'disconnected') this.context.line.check();
      this.#recovery?.handleState(state);
    } else if (state === 'failed') {
      this.#lost();
    }
  }

  // PeerJS would begin a new connection; the native SDK and ours go on.
  #canRestart(): boolean {
    return this.remote.ours;
  }

  // Only who called offers it, so that no two offers meet. The native SDK does it without being asked.
  #restart(): void {
    this.context.line.check();
    if (!this.offer) this.negotiator?.restart(this.context.line.configured());
    else if (this.negotiator?.renegotiates) this.#send('CANDIDATE', { ...this.#names(), restart: true });
  }

  #lost(): void {
    const message = this.#open ? 'No way to the other side is left' : 'No way to the other side was found';
    const type = this.#open ? 'connection-closed' : 'negotiation-failed';
    this.fail(this.error(type, `${message}; a TURN server may help`));
  }

  #tell({ type, sdp, first, restart, round }: LocalDescription): void {
    const members = {
      ...(type === 'offer' && first && this.offerMembers()),
      ...(restart && { restart }),
      round,
    };
    this.#send(type === 'offer' ? 'OFFER' : 'ANSWER', encodeDescription({ type, sdp }, this.#names(), members));
  }

  #names(): { type: ConnectionKind; connectionId: string; room?: string | undefined } {
    return { type: this.type, connectionId: this.connectionId, room: this.room };
  }

  #send(type: string, payload: unknown): void {
    this.context.line.send({ type, dst: this.peer, payload });
  }

  #emit<Event extends keyof ConnectionEvents>(event: Event, ...values: ConnectionEvents[Event]): void {
    (this as unknown as Emitter<ConnectionEvents>).emit(event, ...values);
  }
}
