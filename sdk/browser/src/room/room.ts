// A stay in a room: who is in, what is said, and coming back after the session with the server was lost.
// Fed with frames and the session's state; what it says goes to the line. Media are the business of the two kinds.

import { Emitter } from '../emitter.js';
import { PeerError, type ErrorType } from '../errors.js';
import { membersOf, text } from '../members.js';
import type { Frame } from '../signalling/frame.js';
import { unpackRoomData } from './room_data.js';
import { waiting, type Waiter } from '../waiting.js';
import { parseLog, skywayLog } from './room_log.js';
import { RoomOutbox } from './room_outbox.js';
import type { MediaConnection } from '../connection/media_connection.js';
import type { RoomContext, RoomInbox } from './context.js';
import type { PublishOptions, RoomEvents, RoomLogEntry, RoomMode, RoomOptions, RoomStream } from './types.js';

// How long the server may take to let us in. Another node may hold the room.
const ANSWER_MS = 15_000;

type State = 'away' | 'asking' | 'in' | 'over';

export type * from './types.js';

export abstract class Room extends Emitter<RoomEvents> implements RoomInbox {
  readonly name: string;
  abstract readonly mode: RoomMode;
  // Resolves when we are in for the first time.
  readonly ready: Promise<this>;

  protected readonly context: RoomContext;
  protected readonly options: RoomOptions;

  #state: State = 'away';
  #entered = false;
  #others: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #outbox: RoomOutbox;
  #log: Waiter<RoomLogEntry[]>[] = [];
  #ready!: Waiter<this>;

  constructor(context: RoomContext, name: string, options: RoomOptions = {}) {
    super();
    this.name = name;
    this.context = context;
    this.options = options;
    const fault = (error: unknown) => this.fault(error);
    this.#outbox = new RoomOutbox(options.largestMessage, () => this.#flush(), fault);
    this.ready = waiting((waiter) => (this.#ready = waiter));
  }

  // Whether we are in now.
  get open(): boolean {
    return this.#state === 'in';
  }

  // The ids of the others, in the order in which they came.
  get members(): string[] {
    return [...this.#others];
  }

  getPeers(): string[] {
    return this.members;
  }

  // Streams of others that are there now.
  abstract readonly remoteStreams: Record<string, RoomStream>;

  // Sends another stream from now on. Of the same kinds of tracks without any delay.
  abstract publish(stream: MediaStream, options?: PublishOptions): Promise<void>;
  abstract unpublish(name?: string): Promise<void>;

  replaceStream(stream: MediaStream): void {
    this.publish(stream).catch((error: unknown) => this.fault(error));
  }

  // Any JSON, with ArrayBuffers, views and Blobs in it, to all others. Throws if it is too large or cannot be said.
  send(data: unknown): void {
    if (this.#state === 'over') throw new PeerError('room-error', `the room ${this.name} is closed: join it again`);
    this.#outbox.add(data);
  }

  // What happened so far, as far as the server keeps it. The event `log` tells the same.
  getLog(): Promise<RoomLogEntry[]> {
    return waiting((waiter) => {
      if (this.#state === 'over') {
        waiter.reject(this.closed());
      } else if (this.#log.push(waiter) === 1 && this.open) {
        this.say('ROOM-LOG');
      }
    });
  }

  // Leaves. Nothing is told after `close`.
  close(): void {
    if (this.#state === 'in' || this.#state === 'asking') this.say('ROOM-LEAVE');
    this.#end(this.closed());
  }

  // From the peer: its session with the server is open (again), or lost.
  handleSession(state: 'open' | 'lost'): void {
    if (this.#state === 'over') return;
    clearTimeout(this.#timer);
    if (state === 'open') {
      this.#ask();
    } else {
      this.#state = 'away';
    }
  }

  // From the peer: a frame whose `room` is this one.
  handleFrame(frame: Frame): void {
    if (this.#state === 'over') return;
    const { type, src, payload } = frame;
    switch (type) {
      case 'ROOM-JOINED':
        if (src === this.context.line.id) this.#enter(strings(payload, 'members'));
        else if (src !== undefined) this.#comes(src);
        break;
      case 'ROOM-LEFT':
        if (src !== undefined) this.#goes(src);
        break;
      case 'ROOM-MEMBERS':
        this.#compare(strings(payload, 'members'));
        break;
      case 'ROOM-DATA':
        if (src !== undefined) this.#hear(src, frame);
        break;
      case 'ROOM-LOG': {
        const entries = parseLog(payload);
        for (const waiter of this.#log.splice(0)) waiter.resolve(entries);
        this.emit('log', skywayLog(entries, this.name));
        break;
      }
      case 'ROOM-ERROR':
        this.#refused(text(payload, 'type') ?? 'room-error', text(payload, 'msg') ?? 'the server refused');
        break;
      default:
        this.handleMedia(frame);
    }
  }

  // From the peer: an OFFER that names this room.
  handleCall(call: MediaConnection): void {
    call.close();
  }

  // Whatever else a frame may be.
  protected abstract handleMedia(frame: Frame): void;
  // We are in, for the first time or again.
  protected abstract handleEntered(): void;
  protected abstract handleJoined(peer: string): void;
  protected abstract handleLeft(peer: string): void;
  // It is over: everything that runs has to end.
  protected abstract handleEnd(why: PeerError<string>): void;
  // What the server refused while we are in. It was told as `error` already.
  protected handleRefused(_error: PeerError<string>): void {}

  protected say(type: string, payload?: unknown): void {
    const frame: Frame = { type, room: this.name };
    if (payload !== undefined) frame.payload = payload;
    this.context.line.send(frame);
  }

  protected get over(): boolean {
    return this.#state === 'over';
  }

  protected fault(error: unknown): void {
    if (this.#state === 'over') return;
    const known = error instanceof PeerError;
    this.emit(
      'error',
      known ? error : new PeerError('room-error', error instanceof Error ? error.message : String(error), error),
    );
  }

  #ask(): void {
    this.#state = 'asking';
    this.say('ROOM-JOIN', { mode: this.mode });
    this.#timer = setTimeout(() => {
      // A server that let us in before may be starting again.
      if (this.#entered) return this.#ask();
      this.#fail('room-error', 'the server did not let us into the room: does it have rooms? PeerServer has none');
    }, ANSWER_MS);
  }

  #enter(members: string[]): void {
    clearTimeout(this.#timer);
    this.#state = 'in';
    const first = !this.#entered;
    this.#entered = true;
    if (first) this.#others = members.filter((member) => member !== this.context.line.id);
    else this.#compare(members);
    this.handleEntered();
    if (this.#log.length) this.say('ROOM-LOG');
    if (first) {
      this.#ready.resolve(this);
      this.emit('open');
    }
    this.#flush();
  }

  // The difference is told as if they had come and gone.
  #compare(members: string[]): void {
    for (const peer of this.#others) if (!members.includes(peer)) this.#goes(peer);
    for (const peer of members) this.#comes(peer);
  }

  #comes(peer: string): void {
    if (peer === this.context.line.id || this.#others.includes(peer)) return;
    this.#others.push(peer);
    this.emit('peerJoin', peer);
    if (!this.over) this.handleJoined(peer);
  }

  #goes(peer: string): void {
    if (!this.#others.includes(peer)) return;
    this.#others = this.#others.filter((other) => other !== peer);
    this.handleLeft(peer);
    this.emit('peerLeave', peer);
  }

  #hear(src: string, { payload, attachments }: Frame): void {
    let data: unknown;
    try {
      data = unpackRoomData(payload, attachments);
    } catch (error) {
      return this.fault(new PeerError('room_data', `what ${src} said cannot be read`, error));
    }
    this.emit('data', { src, data });
  }

  #refused(type: string, message: string): void {
    if (type === 'not_in_room') {
      // The node that kept the room is gone. While we are asking it is about something that was asked before.
      if (this.#state !== 'in') return;
      this.fault(new PeerError(type, message));
      if (!this.over) this.#ask();
    } else if (this.#state === 'in') {
      const error = new PeerError(type as ErrorType, message);
      this.fault(error);
      if (!this.over) this.handleRefused(error);
    } else {
      this.#fail(type as ErrorType, message);
    }
  }

  #flush(): void {
    while (this.open) {
      const message = this.#outbox.take();
      if (!message) return;
      const { payload, attachments } = message;
      const frame: Frame = { type: 'ROOM-DATA', room: this.name, payload };
      if (attachments.length) frame.attachments = attachments;
      this.context.line.send(frame);
    }
  }

  #fail(type: ErrorType, message: string): void {
    const error = new PeerError(type, message);
    this.fault(error);
    this.#end(error);
  }

  #end(why: PeerError<string>): void {
    if (this.#state === 'over') return;
    clearTimeout(this.#timer);
    this.handleEnd(why);
    this.#state = 'over';
    this.#outbox.clear();
    this.#others = [];
    for (const waiter of this.#log.splice(0)) waiter.reject(why);
    this.#ready.reject(why);
    this.context.forget(this.name);
    this.emit('close');
  }

  protected closed(): PeerError<'room-error'> {
    return new PeerError('room-error', `the room ${this.name} was left`);
  }
}

function strings(payload: unknown, key: string): string[] {
  const value = membersOf(payload)[key];
  return Array.isArray(value) ? value.filter((it) => typeof it === 'string') : [];
}
