// Code as pages have it that were written for skyway-js 4.4: it compiles against our types as it is.

import Peer, {
  type AnswerOption,
  type CallOption,
  type ConnectOption,
  type DataConnection,
  type MediaConnection,
  type MeshRoom,
  type PeerConstructorOption,
  type PeerCredential,
  type PeerError,
  type RoomData,
  type RoomStream,
  type SfuRoom,
} from 'skyway-js';

const key = '00000000-0000-4000-8000-000000000000';

// One to one, with the events' words.

async function oneToOne(localVideo: HTMLVideoElement, remoteVideo: HTMLVideoElement): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  localVideo.srcObject = stream;
  const peer = new Peer({ key, debug: 3 });
  peer.once('open', (id) => console.log(id.length));
  peer.on('error', console.error);

  const talk = (connection: MediaConnection): void => {
    connection.on('stream', async (remote) => {
      remoteVideo.srcObject = remote;
      await remoteVideo.play().catch(console.error);
    });
    connection.once('close', () => {
      (remoteVideo.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
      remoteVideo.srcObject = null;
    });
    console.log(connection.remoteId, connection.id, connection.type === 'media');
  };

  const options: CallOption = {
    metadata: { foo: 'bar' },
    videoBandwidth: 500,
    audioCodec: 'opus',
    videoReceiveEnabled: true,
  };
  const outgoing = peer.call('remote', stream, options);
  talk(outgoing);
  outgoing.replaceStream(new MediaStream());
  outgoing.close(true);
  const pc = outgoing.getPeerConnection();
  if (pc) console.log(pc.iceConnectionState);
  peer.call('remote').on('stream', (remote) => console.log(remote.id));

  peer.on('call', (incoming) => {
    const answer: AnswerOption = { videoCodec: 'VP9', audioBandwidth: 32 };
    incoming.answer(stream, answer);
    talk(incoming);
    console.log(incoming.metadata.foo);
  });
}

// Data.

function data(peer: Peer): void {
  const options: ConnectOption = {
    serialization: 'json',
    dcInit: { ordered: false, maxRetransmits: 2 },
    metadata: { hi: 'there' },
  };
  const connection = peer.connect('remote', options);
  connection.once('open', () => connection.send({ text: 'hello' }));
  connection.on('data', (message) => console.log(message.text, message.list[0]));
  connection.on('error', (error) => console.log(error.type));
  console.log(connection.label, connection.serialization, connection.dcInit.ordered, connection.open);

  peer.on('connection', (incoming: DataConnection) => {
    incoming.on('data', ({ text }) => console.log(text));
    incoming.once('close', () => console.log('closed'));
    incoming.close();
  });
}

// A meeting in a room of either mode.

class Meeting {
  private room: SfuRoom | MeshRoom | null = null;
  readonly streams = new Map<string, RoomStream>();

  constructor(private readonly peer: Peer) {}

  enter(name: string, mode: 'sfu' | 'mesh', stream?: MediaStream): void {
    const room = this.peer.joinRoom<SfuRoom | MeshRoom>(name, { mode, stream });
    this.room = room;
    room.once('open', () => console.log('in', room.name));
    room.on('peerJoin', (peerId) => console.log(`${peerId.trim()} came`));
    room.on('peerLeave', (peerId) => this.streams.delete(peerId));
    room.on('stream', (remote) => {
      this.streams.set(remote.peerId, remote);
    });
    room.on('data', ({ data, src }) => console.log(`${src}: ${data.text}`));
    room.on('log', (logs) => {
      for (const entry of logs) {
        const { messageType, message, timestamp } = JSON.parse(entry);
        console.log(messageType, message.src, timestamp);
      }
    });
    room.on('error', (error: PeerError) => console.log(error.type));
    room.once('close', () => this.streams.clear());
    room.getLog();
  }

  say(text: string): void {
    this.room?.send({ text });
  }

  share(screen: MediaStream): void {
    this.room?.replaceStream(screen);
  }

  leave(): void {
    this.room?.close();
  }
}

function rooms(peer: Peer, stream: MediaStream): void {
  const mesh = peer.joinRoom<MeshRoom>('small', { mode: 'mesh', stream, videoBandwidth: 300 });
  for (const [id, pc] of Object.entries(mesh.getPeerConnections())) console.log(id, pc.connectionState);
  for (const id of Object.keys(mesh.connections)) mesh.connections[id].forEach((connection) => connection.close());

  const sfu = peer.joinRoom('large', { mode: 'sfu' as const, stream });
  sfu.on('data', (message: RoomData) => console.log(message.src, message.data));
  sfu.getPeerConnection()?.getStats();
  sfu.members.map((id) => id.length);
  Object.values(sfu.remoteStreams).forEach((remote) => console.log(remote.peerId));
  Object.values(peer.rooms).forEach((room) => room.close());
}

// Everything else that a peer has.

async function directory(credential: PeerCredential): Promise<void> {
  const options: PeerConstructorOption = { key, credential, turn: false, config: { iceTransportPolicy: 'relay' } };
  const peer = new Peer('me', options);
  peer.listAllPeers((peers) => console.log(peers.join(', ')));
  if (await peer.fetchPeerExists('someone')) console.log('is there');
  peer.on('expiresin', (seconds) => {
    console.log(seconds.toFixed());
    peer.updateCredential(credential);
  });
  peer.on('disconnected', (id) => console.log(id));
  const connection = peer.getConnection<DataConnection>('someone', 'dc_1');
  connection?.send('hello');
  peer.connections['someone'].forEach((one) => one.close());
  console.log(peer.id.length, peer.open, peer.options.key, peer.options.turn);
  peer.reconnect();
  peer.disconnect();
  peer.destroy();
}

export { oneToOne, data, Meeting, rooms, directory };
