// The peer: an id at a server, and the connections, calls and rooms that come of it.

import type { AnyConnection, ConnectionContext, ConnectionInit } from './connection/connection.js';
import { Connections } from './connection/connections.js';
import { DataConnection } from './connection/data_connection.js';
import { MediaConnection } from './connection/media_connection.js';
import type { Offer } from './connection/payload.js';
import { Emitter } from './emitter.js';
import { PeerError } from './errors.js';
import type { CallOption, PeerConnectOption, PeerCredential, PeerOptions } from './options.js';
import { randomToken } from './platform.js';
import { waiting, type Waiter } from './waiting.js';
import { Credentials } from './signalling/credentials.js';
import { Directory } from './signalling/directory.js';
import { endpoint, type Endpoint } from './signalling/endpoint.js';
import type { Frame } from './signalling/frame.js';
import { IceServers } from './signalling/ice.js';
import type { Line } from './signalling/line.js';
import { Session, wordsOf } from './signalling/session.js';
import { MeshRoom } from './room/mesh_room.js';
import type { Room, RoomOptions } from './room/room.js';
import { SFURoom } from './room/sfu_room.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type PeerEvents = {
  open: [id: string];
  connection: [connection: DataConnection];
  call: [call: MediaConnection];
  close: [];
  // Asked for, or given up: `reconnect()` tries again.
  disconnected: [id: string];
  // The server is not there; which try comes next.
  reconnecting: [attempt: number];
  // It is there again, under the same id.
  reconnected: [id: string];
  // Seconds that the credential is good for.
  expiresin: [seconds: number];
  error: [error: PeerError];
};

export class Peer extends Emitter<PeerEvents> {
  static readonly EVENTS = events('open', 'connection', 'call', 'close', 'disconnected', 'error', 'expiresin');

  readonly id: string;
  readonly options: PeerOptions;
  // Resolves when the server knows us, rejects if that fails.
  readonly ready: Promise<this>;
  readonly rooms: Record<string, Room> = Object.create(null);
  readonly #connections = new Connections({
    send: (frame) => this.#session.send(frame),
    report: (error) => this.#report(error),
  });
  readonly #credentials: Credentials;
  readonly #endpoint: Endpoint | undefined;
  readonly #directory: Directory | undefined;
  readonly #ice: IceServers;
  readonly #session: Session;
  readonly #context: ConnectionContext;
  #ready!: Waiter<this>;
  #wasOpen = false;
  #asked = true;
  #disconnected = false;
  #destroyed = false;
  #told: Promise<unknown>;
  #open!: Waiter;
  #unlisten: () => void = () => undefined;

  constructor(options?: PeerOptions);
  constructor(id?: string | null, options?: PeerOptions);
  constructor(idOrOptions?: string | null | PeerOptions, given?: PeerOptions) {
    super();
    const [id, options] =
      typeof idOrOptions === 'object' && idOrOptions ? [undefined, idOrOptions] : [idOrOptions, given];
    this.options = { key: 'peerjs', token: randomToken(), debug: 0, turn: true, ...options };
    this.id = id ? String(id) : randomToken();
    this.ready = waiting((waiter) => (this.#ready = waiter));
    this.#told = waiting((waiter) => (this.#open = waiter));
    this.#credentials = new Credentials(this.options.credential, (seconds) => this.emit('expiresin', seconds));
    this.#ice = new IceServers({
      config: this.options.config ?? {},
      turn: this.options.turn !== false,
      ask: (signal) => this.#directory?.ice(signal) ?? Promise.resolve(undefined),
    });
    this.#session = new Session({
      id: this.id,
      attempts: this.options.attempts ?? 3,
      url: () => this.#url(),
    });
    this.#context = {
      line: this.#line(),
      patience: this.options.patience ?? 15_000,
      forget: (connection, goodbye) => this.#connections.remove(connection, goodbye),
    };
    const problem = this.#problem(id);
    try {
      this.#endpoint = endpoint(this.options);
      this.#directory = new Directory(this.#endpoint, this.options, this.id);
    } catch (cause) {
      queueMicrotask(() => this.#abort(new PeerError('server-error', (cause as Error).message, cause)));
      return;
    }
    if (problem) {
      queueMicrotask(() => this.#abort(problem));
      return;
    }
    this.#listen();
    this.#session.start();
  }

  // Whether the server is there now. It is false while the connection to it is being made again.
  get open(): boolean {
    return this.#session.isOpen;
  }

  get disconnected(): boolean {
    return this.#disconnected;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  get connections(): Record<string, (DataConnection | MediaConnection)[]> {
    return this.#connections.byPeer();
  }

  connect(peer: string, options: PeerConnectOption = {}): DataConnection {
    const { connectionId, label, metadata } = options;
    const init: ConnectionInit = { peer, connectionId, label, metadata, options };
    const connection = new DataConnection(this.#context, init, options, this.options.serializers);
    return this.#begin(connection);
  }

  call(peer: string, stream?: MediaStream, options: CallOption = {}): MediaConnection {
    return this.#begin(this.#media(peer, stream, options));
  }

  // One that we are in already is returned as it is.
  joinRoom(name: string, options: RoomOptions & { mode: 'sfu' }): SFURoom;
  joinRoom(name: string, options?: RoomOptions & { mode?: 'mesh' }): MeshRoom;
  joinRoom<R extends MeshRoom | SFURoom = MeshRoom | SFURoom>(name: string, options?: RoomOptions): R;
  joinRoom(name: string, options: RoomOptions = {}): MeshRoom | SFURoom {
    const existing = this.rooms[name];
    if (existing) return existing as MeshRoom | SFURoom;
    if (!name && name !== (0 as unknown)) {
      this.#report(new PeerError('room-error', 'A room needs a name'));
      return null as unknown as MeshRoom;
    }
    const context = {
      line: this.#context.line,
      call: (peer: string, stream: MediaStream | undefined, call: CallOption & { room: string }) =>
        this.#begin(this.#media(peer, stream, call, call.room)),
      forget: (room: string) => void delete this.rooms[room],
    };
    const kind = options.mode === 'sfu' ? SFURoom : MeshRoom;
    const room = new kind(context, String(name), options);
    this.rooms[room.name] = room;
    if (this.open) room.handleSession('open');
    return room;
  }

  getConnection<T extends DataConnection | MediaConnection = DataConnection | MediaConnection>(
    peer: string,
    connectionId: string,
  ): T | null {
    return (this.#connections.find(peer, connectionId) as T | undefined) ?? null;
  }

  // Needs `allow_discovery` on the server.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async listAllPeers(take?: (peers: any[]) => void): Promise<string[]> {
    const peers = await this.#ask((directory) => directory.peers(), 'list-error', []);
    take?.(peers);
    return peers;
  }

  async fetchPeerExists(peer: string): Promise<boolean> {
    return this.#ask((directory) => directory.exists(peer), 'server-error', false);
  }

  // For the next time that the server asks who we are.
  updateCredential(credential: PeerCredential): void {
    this.#credentials.update(credential);
  }

  // Leaves the server; connections stay.
  disconnect(): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#session.close();
    this.#ready.reject(new PeerError('disconnected', 'Disconnected before the server knew us'));
    for (const room of Object.values(this.rooms)) room.handleSession('lost');
    this.emit('disconnected', this.id);
  }

  reconnect(): void {
    if (this.#destroyed) throw new Error('This peer is destroyed: make a new one');
    if (!this.#disconnected) return this.#session.check();
    this.#disconnected = false;
    this.#asked = true;
    this.#session.start();
  }

  // Ends all, for good.
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const room of Object.values(this.rooms)) room.close();
    for (const connection of this.#connections.all()) connection.close();
    this.#unlisten();
    this.#credentials.stop();
    this.disconnect();
    this.emit('close');
  }

  // ---- the server ----

  #url(): string {
    const { key, token } = this.options;
    const query = new URLSearchParams({
      key: key ?? '',
      id: this.id,
      token: token ?? '',
      version: 'peerway-0.1',
      ice: '1',
    });
    const credential = this.#credentials.text;
    if (credential) query.set('credential', credential);
    return `${this.#endpoint?.http.replace(/^http/, 'ws')}peerjs?${query}`;
  }

  #line(): Line {
    return {
      id: this.id,
      send: (frame) => this.#session.send(frame),
      rtcConfiguration: () => this.#ice.configuration,
      configured: async () => {
        await this.#told;
        return this.#ice.fresh();
      },
      check: () => this.#session.check(),
    };
  }

  #listen(): void {
    const session = this.#session;
    session.on('open', (payload) => this.#handleOpen(payload));
    session.on('frame', (frame) => this.#handleFrame(frame));
    session.on('lost', (attempt, wasOpen) => {
      if (wasOpen) for (const room of Object.values(this.rooms)) room.handleSession('lost');
      this.emit('reconnecting', attempt);
    });
    session.on('ended', (error) => this.#abort(error));
    this.#unlisten = whenNetworkChanges(
      () => {
        session.check();
        for (const connection of this.#connections.all()) connection.handleNetworkChange();
      },
      // The others should not wait for a page that is gone.
      (forEver) => {
        if (forEver) return this.destroy();
        for (const connection of this.#connections.all()) connection.close();
      },
    );
  }

  #handleOpen(payload: unknown): void {
    this.#ice.take(payload);
    this.#open.resolve();
    for (const room of Object.values(this.rooms)) room.handleSession('open');
    // As in PeerJS `open` comes again if it was asked for.
    const asked = this.#asked;
    const again = this.#wasOpen;
    this.#asked = false;
    this.#wasOpen = true;
    this.#ready.resolve(this);
    if (again) for (const connection of this.#connections.all()) connection.handleSession();
    this.emit(asked ? 'open' : 'reconnected', this.id);
  }

  #handleFrame(frame: Frame): void {
    const { type, src, room } = frame;
    if (type.startsWith('ROOM-')) {
      if (room !== undefined) this.rooms[room]?.handleFrame(frame);
    } else if (type === 'ERROR') {
      this.#report(new PeerError('server-error', wordsOf(frame)));
    } else if (src !== undefined) {
      const offer = this.#connections.handleFrame(frame, src);
      if (offer) this.#handleOffer(src, offer);
    }
  }

  #handleOffer(peer: string, offer: Offer): void {
    const room = offer.room === undefined ? undefined : this.rooms[offer.room];
    // Of a room that we are not in, or that has no such connections.
    if (offer.room !== undefined && (!room || offer.type === 'data')) return;
    if (offer.type === 'data') {
      const init: ConnectionInit = { peer, offer };
      const connection = this.#begin(new DataConnection(this.#context, init, {}, this.options.serializers));
      if (!connection.closed) this.emit('connection', connection);
      return;
    }
    const call = this.#begin(new MediaConnection(this.#context, { peer, offer }));
    if (room) room.handleCall(call);
    else this.emit('call', call);
  }

  // ---- connections ----

  #media(peer: string, stream: MediaStream | undefined, options: CallOption, room?: string): MediaConnection {
    const { connectionId, label, metadata } = options;
    const init: ConnectionInit = { peer, connectionId, label, metadata, room, options };
    return new MediaConnection(this.#context, init, stream, options);
  }

  #begin<C extends AnyConnection>(connection: C): C {
    const { offer } = connection as unknown as { offer?: Offer };
    if (this.#disconnected && !offer) {
      const error = new PeerError('disconnected', 'Disconnected from the server: call reconnect(), or make a new peer');
      queueMicrotask(() => {
        this.#report(error);
        connection.close();
      });
      return connection;
    }
    this.#connections.add(connection);
    // Errors at once would come before anybody listens.
    connection.begin();
    return connection;
  }

  // ---- errors ----

  #problem(id: string | null | undefined): PeerError | undefined {
    if (typeof RTCPeerConnection !== 'function')
      return new PeerError('browser-incompatible', 'This browser has no WebRTC');
    if (id && !ID.test(String(id)))
      return new PeerError('invalid-id', `"${id}" cannot be an id: use letters, digits, - and _`);
    return undefined;
  }

  async #ask<T>(question: (directory: Directory) => Promise<T>, type: PeerError['type'], otherwise: T): Promise<T> {
    try {
      return this.#directory ? await question(this.#directory) : otherwise;
    } catch (cause) {
      this.#report(new PeerError(type, (cause as Error).message, cause));
      return otherwise;
    }
  }

  // As PeerJS: who never was open is destroyed, others are disconnected. A network may come back.
  #abort(error: PeerError): void {
    this.#ready.reject(error);
    this.#report(error);
    // Nobody will answer these.
    const unanswered = new PeerError('peer-unavailable', 'The server is gone', error);
    for (const connection of this.#connections.all()) connection.handleUnavailable(unanswered);
    if (!this.#wasOpen && error.type !== 'network') this.destroy();
    else this.disconnect();
  }

  #report(error: PeerError): void {
    if (this.options.debug) (this.options.logFunction ?? log)(1, error);
    this.emit('error', error);
  }
}

// PeerJS's rule and that of SkyWay's fork.
const ID = /^[A-Za-z0-9_-]+(?:[ _-][A-Za-z0-9]+)*$/;

function log(_level: number, ...rest: unknown[]): void {
  console.error('peerway:', ...rest);
}

// As skyway-js has them, and as plain text.
function events<Name extends string>(...names: Name[]): { [N in Name]: { key: N; value: N } } {
  return Object.fromEntries(names.map((name) => [name, { key: name, value: name, toString: () => name }])) as never;
}

function whenNetworkChanges(changed: () => void, left: (forEver: boolean) => void): () => void {
  if (typeof addEventListener !== 'function') return () => undefined;
  const controller = new AbortController();
  const { signal } = controller;
  const { connection } = navigator as { connection?: EventTarget };
  // Where there is no network at all nothing can be found.
  const listener = (): void => {
    if (navigator.onLine !== false) changed();
  };
  addEventListener('online', listener, { signal });
  connection?.addEventListener('change', listener, { signal });
  addEventListener('pagehide', (event) => left(!event.persisted), { signal });
  return () => controller.abort();
}
