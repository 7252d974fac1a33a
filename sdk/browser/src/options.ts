// What an application may say when it makes a peer, calls or connects: the options of PeerJS, of SkyWay's fork of it and
// of skyway-js. Those that mean nothing here are taken and ignored.

import type { Serializer } from './connection/channel.js';
import type { SdpTransform } from './connection/negotiator.js';

export interface PeerJSOption {
  // The app's key. Default `peerjs`.
  key?: string;
  // Default: where this script was loaded from. `/` is the page's own host.
  host?: string;
  port?: number;
  path?: string;
  secure?: boolean;
  // What proves that the id is ours; see docs/guide/signed-ids.md. Default: a random text.
  token?: string;
  // For every RTCPeerConnection. Its `iceServers` come before those of the server.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  config?: RTCConfiguration | any;
  // 0 nothing, 1 errors, 2 warnings, 3 everything.
  debug?: number;
  referrerPolicy?: ReferrerPolicy;
}

// For keys that want signed ids, in skyway-js's form.
export interface PeerCredential {
  // Seconds since 1970.
  timestamp: number;
  // Seconds.
  ttl: number;
  authToken: string;
  peerId?: string;
}

export interface PeerOptions extends PeerJSOption {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  logFunction?: (level: number, ...rest: any[]) => void;
  // Serializations of the application's own, by name.
  serializers?: Record<string, () => Serializer>;
  credential?: PeerCredential;
  // false: no TURN servers.
  turn?: boolean;
  // How long a connection looks for a way after it has lost its own, in ms. Default 15000.
  patience?: number;
  // How often a server that never answered is tried before `error` and `disconnected`. Default 3.
  attempts?: number;
  pingInterval?: number;
  dispatcherHost?: string;
  dispatcherPort?: number;
  dispatcherSecure?: boolean;
}

export interface PeerConstructorOption extends PeerOptions {}

export interface PeerConnectOption {
  // Default: the connection's id.
  label?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  metadata?: any;
  // `binary` (default), `binary-utf8`, `json`, `raw` or `none`, `MsgPack`, or one of `serializers`.
  serialization?: string;
  // Ordered, where the other side is PeerJS 1.5: our channels always are.
  reliable?: boolean;
  ordered?: boolean;
  connectionId?: string;
  dcInit?: RTCDataChannelInit;
}

export interface ConnectOption extends PeerConnectOption {}

export interface AnswerOption {
  // Changes our SDP before it is used.
  // eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
  sdpTransform?: SdpTransform | Function;
  // kbit/s.
  videoBandwidth?: number;
  audioBandwidth?: number;
  // As in rtpmap, like `VP9`.
  videoCodec?: string;
  audioCodec?: string;
  videoReceiveEnabled?: boolean;
  audioReceiveEnabled?: boolean;
}

export interface CallOption extends AnswerOption {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  metadata?: any;
  label?: string;
  connectionId?: string;
  // For createOffer, of old.
  constraints?: RTCOfferOptions;
}

export const LogLevel = { Disabled: 0, Errors: 1, Warnings: 2, All: 3 } as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];
export const ConnectionType = { Data: 'data', Media: 'media' } as const;
export type ConnectionType = (typeof ConnectionType)[keyof typeof ConnectionType];
export const SerializationType = { Binary: 'binary', BinaryUTF8: 'binary-utf8', JSON: 'json', None: 'raw' } as const;
export type SerializationType = (typeof SerializationType)[keyof typeof SerializationType];
