// What our types promise beyond those of the libraries that they stand in for, and what they refuse.

import Peer, { MeshRoom, PeerError, SFURoom, type ConnectionStats, type RoomLogEntry } from 'peerway';

async function promises(): Promise<string> {
  const peer = new Peer({ key: 'mine' });
  await peer.ready;
  const connection = peer.connect('bob', { serialization: 'binary', reliable: true });
  try {
    await connection.ready;
    await connection.send({ hello: 'bob' });
  } catch (error) {
    if (error instanceof PeerError && error.type === 'peer-unavailable') return error.message;
    throw error;
  }
  return connection.peer;
}

async function rooms(peer: Peer, camera: MediaStream, screen: MediaStream): Promise<void> {
  const room = peer.joinRoom('studio', { mode: 'sfu', stream: camera, simulcast: true });
  const is: SFURoom = room;
  await room.ready;
  await room.publish(screen, { name: 'screen', maxBitrate: 2_000_000 });
  room.receive('bob', { audio: true, video: { maxHeight: 360 } });
  room.on('activeSpeaker', (peer) => console.log(peer?.length ?? 'nobody'));
  room.on('stream', (stream) => console.log(stream.peerId, stream.streamName ?? 'camera', stream.getTracks()));
  const peers: string[] = room.getPeers();
  const log: RoomLogEntry[] = await room.getLog();
  const stats: ConnectionStats | null = await room.stats();
  room.unpublish('screen');
  console.log(is.name, peers, log[0].timestamp, stats?.rtt);

  const mesh: MeshRoom = peer.joinRoom('table', { mode: 'mesh' });
  const byDefault: MeshRoom | SFURoom = peer.joinRoom('table');
  console.log(mesh.mode, byDefault.name);
}

async function calls(peer: Peer, stream: MediaStream): Promise<void> {
  const call = peer.call('bob', stream);
  await call.ready;
  const [track] = stream.getVideoTracks();
  call.addTrack(track, stream);
  call.removeTrack(track);
  const stats: ConnectionStats = await call.stats();
  console.log(stats.relayed ? 'relayed' : 'direct', stats.videoIn[0].bitrate);
}

function mistakes(peer: Peer): void {
  // @ts-expect-error there is no such event
  peer.on('opened', () => undefined);
  // @ts-expect-error an id is a text
  peer.connect(7);
  // @ts-expect-error an error's type is one of those there are
  peer.on('error', (error) => error.type === 'no such type');
  // @ts-expect-error a room has one of two modes
  peer.joinRoom('a', { mode: 'ring' });
  // @ts-expect-error this is for rooms of mode SFU
  peer.joinRoom('a', { mode: 'mesh' }).receive('bob', { audio: true });
  // @ts-expect-error the promise is no connection
  peer.connect('bob').ready.send('hello');
}

export { promises, rooms, calls, mistakes };
