// Code as pages have it that were written for peerjs 1.5: it compiles against our types as it is.

import Peer, { type DataConnection, type MediaConnection } from 'peerjs';
import { Peer as NamedPeer, PeerError, PeerErrorType, ConnectionType, SerializationType, LogLevel, util } from 'peerjs';
import type { AnswerOption, CallOption, PeerConnectOption, PeerJSOption, PeerOptions, UtilSupportsObj } from 'peerjs';
import * as everything from 'peerjs';

// A chat.

interface Line {
  from: string;
  text: string;
}

class Chat {
  private readonly peer: Peer;
  private readonly friends = new Map<string, DataConnection>();

  constructor(
    name: string,
    private readonly log: (line: string) => void,
  ) {
    const options: PeerOptions = { host: 'chat.example.com', port: 443, path: '/signal', secure: true, debug: 2 };
    this.peer = new Peer(name, options);
    this.peer
      .on('open', (id) => log(`I am ${id.toUpperCase()}`))
      .on('connection', (connection) => this.welcome(connection))
      .on('disconnected', (id) => {
        log(`lost as ${id}`);
        this.peer.reconnect();
      });
    this.peer.on('error', (error) => {
      if (error.type === 'unavailable-id') log(`${name} is taken`);
      else if (error.type === PeerErrorType.PeerUnavailable) log('nobody there');
      else log(`${error.type}: ${error.message}`);
    });
    this.peer.on('close', () => log('over'));
  }

  befriend(id: string): void {
    if (this.peer.disconnected || this.peer.destroyed) return;
    this.welcome(this.peer.connect(id, { label: 'chat', metadata: { name: this.peer.id }, serialization: 'json' }));
  }

  private welcome(friend: DataConnection): void {
    friend.on('open', () => {
      this.friends.set(friend.peer, friend);
      this.log(`${friend.metadata.name} is here (${friend.label}, ${friend.serialization}, ${friend.reliable})`);
    });
    friend.on('data', (data) => {
      const line = data as Line;
      this.log(`${line.from}: ${line.text}`);
    });
    friend.on('data', (data: any) => this.log(data.text));
    friend.on('close', () => this.friends.delete(friend.peer));
    friend.on('error', (error) => this.log(`${error.type} ${error.message}`));
    friend.on('iceStateChanged', (state: RTCIceConnectionState) => this.log(state));
  }

  async say(text: string): Promise<void> {
    const line: Line = { from: this.peer.id, text };
    for (const friend of this.friends.values()) {
      if (friend.open && friend.type === 'data') await friend.send(line);
    }
  }

  leave(): void {
    for (const friend of this.friends.values()) friend.close({ flush: true });
    this.peer.disconnect();
    this.peer.destroy();
  }
}

// A video call.

async function makeCalls(video: HTMLVideoElement): Promise<void> {
  const peer = new NamedPeer();
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  let current: MediaConnection | undefined;

  const follow = (call: MediaConnection): void => {
    current?.close();
    current = call;
    call.on('stream', (remote) => {
      video.srcObject = remote;
    });
    call.on('close', () => {
      video.srcObject = null;
    });
    call.on('error', (error: Error) => console.error(error.message));
    call.on('willCloseOnRemote', () => console.log('will'));
  };

  peer.on('call', (call) => {
    call.answer(stream, { sdpTransform: (sdp: string) => sdp });
    follow(call);
    console.log(call.metadata?.topic, call.peer, call.open, call.localStream.id, call.remoteStream);
  });
  peer.once('open', () => {
    follow(peer.call('bob', stream, { metadata: { topic: 'work' }, sdpTransform: (sdp: string) => sdp }));
  });

  document.querySelector('button')!.addEventListener('click', async () => {
    const screen = await navigator.mediaDevices.getDisplayMedia({ video: true });
    const sender = current!.peerConnection.getSenders().find(({ track }) => track?.kind === 'video');
    await sender?.replaceTrack(screen.getVideoTracks()[0]);
    const report = await current!.peerConnection.getStats();
    report.forEach((entry) => console.log(entry.type));
  });
}

// Reading and sending a file, as the time's tutorials have it.

function sendFile(connection: DataConnection, file: File): void {
  connection.send({ name: file.name, size: file.size, blob: file });
  connection.send(new Uint8Array([1, 2, 3]));
  connection.send('plain text');
  connection.send([1, 'two', { three: null }]);
  connection.dataChannel.bufferedAmountLowThreshold = 65536;
  const onData = (data: unknown): void => console.log(data);
  connection.once('data', onData).off('data', onData);
  connection.removeListener('data', onData);
  connection.removeAllListeners();
  connection.peerConnection.addEventListener('iceconnectionstatechange', () => console.log('changed'));
}

// Everything that a settings form hands over.

function settings(form: { host: string; port: string; id?: string }): Peer {
  const options: PeerJSOption = {
    key: 'peerjs',
    host: form.host || '/',
    port: Number(form.port),
    path: '/myapp',
    secure: location.protocol === 'https:',
    token: 'secret',
    config: { iceServers: [{ urls: 'stun:stun.example.com:3478' }], iceTransportPolicy: 'all' },
    debug: LogLevel.Errors,
    referrerPolicy: 'no-referrer',
  };
  const connect: PeerConnectOption = {
    label: 'x',
    metadata: [1],
    serialization: SerializationType.Binary,
    reliable: true,
  };
  const call: CallOption = { metadata: 7 };
  const answer: AnswerOption = {};
  const peer = form.id ? new Peer(form.id, options) : new Peer(options);
  peer.connect('alice', connect);
  peer.call('alice', new MediaStream(), call).answer(undefined, answer);
  const found = peer.getConnection('alice', 'dc_1');
  if (found && found.type === ConnectionType.Media) found.close();
  peer.listAllPeers((ids) => ids.forEach((id: string) => console.log(id)));
  peer.on('error', (error: any) => console.log(error.type));
  return peer;
}

// The small things.

const supported: UtilSupportsObj = util.supports;
const canTalk: boolean = supported.data && util.supports.audioVideo && util.supports.webRTC;
const browser: string = util.browser;
const names: string[] = Object.values(PeerErrorType);

function explain(error: unknown): string {
  if (error instanceof PeerError) return error.type;
  return error instanceof Error ? error.message : String(error);
}

function react(error: PeerError<'network' | 'disconnected'>): boolean {
  return error.type === 'network';
}

export { Chat, makeCalls, sendFile, settings, canTalk, browser, names, explain, react, everything };
