// One class for all that can go wrong; `type` is the word that PeerJS, SkyWay's fork and skyway-js have for it.

// Of a peer. Those of the first paragraph are PeerJS's, the others skyway-js's and ours.
export type PeerErrorType =
  | 'browser-incompatible'
  | 'disconnected'
  | 'invalid-id'
  | 'invalid-key'
  | 'network'
  | 'peer-unavailable'
  | 'server-error'
  | 'socket-closed'
  | 'socket-error'
  | 'ssl-unavailable'
  | 'unavailable-id'
  | 'webrtc'
  | 'authentication'
  | 'permission'
  | 'list-error'
  | 'room-error';

// Of a connection.
export type ConnectionErrorType =
  'connection-closed' | 'message-too-big' | 'negotiation-failed' | 'not-open-yet' | 'not-supported' | 'transfer';

// Of a room: PeerJS frames' `ROOM-ERROR` types (docs/reference/room-frames.md), and ours.
export type RoomErrorType =
  | 'room_mode'
  | 'not_in_room'
  | 'room_full'
  | 'too_many_rooms'
  | 'app_rooms_full'
  | 'no_sfu'
  | 'mesh_room'
  | 'publishers_full'
  | 'too_many_streams'
  | 'room_data'
  | 'invalid_room'
  | 'media';

export type ErrorType = PeerErrorType | ConnectionErrorType | RoomErrorType;

export class PeerError<Type extends string = ErrorType> extends Error {
  override readonly name = 'PeerError';
  readonly type: Type;

  // `message` says what to do where that is not plain; `cause` is what the browser said, if it did.
  constructor(type: Type, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.type = type;
  }
}

// By the names that PeerJS's types have.
export const PeerErrorType = {
  BrowserIncompatible: 'browser-incompatible',
  Disconnected: 'disconnected',
  InvalidID: 'invalid-id',
  InvalidKey: 'invalid-key',
  Network: 'network',
  PeerUnavailable: 'peer-unavailable',
  SslUnavailable: 'ssl-unavailable',
  ServerError: 'server-error',
  SocketError: 'socket-error',
  SocketClosed: 'socket-closed',
  UnavailableID: 'unavailable-id',
  WebRTC: 'webrtc',
} as const;
export const BaseConnectionErrorType = {
  NegotiationFailed: 'negotiation-failed',
  ConnectionClosed: 'connection-closed',
} as const;
export type BaseConnectionErrorType = (typeof BaseConnectionErrorType)[keyof typeof BaseConnectionErrorType];
export const DataConnectionErrorType = { NotOpenYet: 'not-open-yet', MessageToBig: 'message-too-big' } as const;
export type DataConnectionErrorType = (typeof DataConnectionErrorType)[keyof typeof DataConnectionErrorType];
