// The module: everything by its name, and `Peer` as the default.

import { Peer } from './peer.js';

export default Peer;
export { Peer };
export type * from './peer.js';
export { DataConnection } from './connection/data_connection.js';
export type * from './connection/data_connection.js';
export { MediaConnection } from './connection/media_connection.js';
export type * from './connection/media_connection.js';
export { StatsReader, type ConnectionStats, type StreamStats } from './connection/stats.js';
export { MeshRoom } from './room/mesh_room.js';
export { SFURoom, SFURoom as SfuRoom } from './room/sfu_room.js';
export type * from './room/room.js';
export type { Serializer, Outgoing, Remote } from './connection/channel.js';
export * from './errors.js';
export * from './options.js';
export { util, type UtilSupportsObj } from './util.js';
