import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { DataConnection } from './connection/data_connection.js';
import type { MediaConnection } from './connection/media_connection.js';
import { Peer } from './peer.js';
import { FakeRTCPeerConnection, FakeStream } from './testing/fake_rtc.js';
import { FakeSocket } from './testing/fake_socket.js';

const OPTIONS = { host: 'example.com', port: 9000, secure: true, token: 't' };
const OFFER = { sdp: { type: 'offer', sdp: 'v=0' }, connectionId: 'c1' };

beforeEach(() => {
  FakeRTCPeerConnection.made = [];
  FakeSocket.made = [];
  vi.stubGlobal('RTCPeerConnection', FakeRTCPeerConnection);
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('it says who it is in the way of PeerJS', () => {
  make('alice');
  const url = new URL(FakeSocket.last.url);
  expect(url.href).toMatch(/^wss:\/\/example.com:9000\/peerjs\?/);
  expect(Object.fromEntries(url.searchParams)).toMatchObject({ key: 'peerjs', id: 'alice', token: 't', ice: '1' });
});

test.each([
  ['nothing', () => new Peer(OPTIONS)],
  ['undefined', () => new Peer(undefined, OPTIONS)],
  ['null', () => new Peer(null, OPTIONS)],
  ['an empty text', () => new Peer('', OPTIONS)],
])('with %s for an id it takes one', (_, peer) => {
  expect(peer().id).toMatch(/^[0-9a-z]{24}$/);
});

test('open comes with the id, and ready with it', async () => {
  const { peer, told } = make('alice');
  FakeSocket.last.open({ iceServers: [] });
  expect(await peer.ready).toBe(peer);
  expect(peer.open).toBe(true);
  expect(told).toEqual(['open alice']);
});

test('after a loss it comes back under the same id and says so', () => {
  vi.useFakeTimers();
  const { peer, told } = open('alice');
  FakeSocket.last.end();
  expect([peer.open, peer.disconnected]).toEqual([false, false]);
  vi.advanceTimersByTime(300);
  FakeSocket.last.open({ iceServers: [] });
  expect(told).toEqual(['open alice', 'reconnecting 1', 'reconnected alice']);
});

test('an id that is taken ends a peer that never was open, and only disconnects one that was', async () => {
  const taken = { type: 'ID-TAKEN', payload: { msg: 'ID is taken' } };
  const first = make('alice');
  FakeSocket.last.say(taken);
  expect(first.told).toEqual(['error unavailable-id', 'disconnected alice', 'close']);
  await expect(first.peer.ready).rejects.toMatchObject({ type: 'unavailable-id' });

  vi.useFakeTimers();
  const second = open('bob');
  FakeSocket.last.end();
  vi.advanceTimersByTime(300);
  FakeSocket.last.say(taken);
  expect(second.told.slice(2)).toEqual(['error unavailable-id', 'disconnected bob']);
  expect(second.peer.destroyed).toBe(false);
});

test('a connection that waits for a server which never comes does not wait for ever', async () => {
  const { peer, told } = make('alice', { attempts: 1 });
  const connection = peer.connect('bob');
  FakeSocket.last.end();
  await expect(connection.ready).rejects.toMatchObject({ type: 'peer-unavailable', cause: { type: 'network' } });
  expect(told).toEqual(['error network', 'disconnected alice']);
});

test('what cannot be an id is told after the constructor', async () => {
  const { told } = make('no/id');
  expect(told).toEqual([]);
  await settled();
  expect(told[0]).toBe('error invalid-id');
  expect(FakeSocket.made).toHaveLength(0);
});

test('a connection that comes in is told, with the candidates that came before it', async () => {
  const { peer } = open('bob');
  const connections: DataConnection[] = [];
  peer.on('connection', (connection) => connections.push(connection));
  const candidate = { candidate: 'candidate:1', sdpMid: '0' };
  FakeSocket.last.say({ type: 'CANDIDATE', src: 'alice', payload: { candidate, type: 'data', connectionId: 'c1' } });
  FakeSocket.last.say({ type: 'OFFER', src: 'alice', payload: { ...OFFER, type: 'data', metadata: 1 } });
  await settled();
  expect(connections).toMatchObject([{ peer: 'alice', connectionId: 'c1', metadata: 1 }]);
  expect(FakeRTCPeerConnection.made[0]?.candidates).toHaveLength(1);
  expect(FakeSocket.last.sent).toMatchObject([{ type: 'ANSWER', dst: 'alice', payload: { connectionId: 'c1' } }]);
  expect(peer.getConnection('alice', 'c1')).toBe(connections[0]);
  expect(peer.connections).toEqual({ alice: connections });
});

test('a call of a room that we are not in is nobody’s', () => {
  const { peer, calls } = open('bob');
  FakeSocket.last.say({ type: 'OFFER', src: 'alice', payload: { ...OFFER, type: 'media', room: 'lobby' } });
  FakeSocket.last.say({ type: 'OFFER', src: 'alice', payload: { ...OFFER, type: 'media', room: '__proto__' } });
  expect(calls).toEqual([]);
  expect(peer.connections).toEqual({});
});

test('who is not there is told of by peer and connection', async () => {
  const { peer, told } = open('alice');
  const connection = peer.connect('bob');
  FakeSocket.last.say({ type: 'EXPIRE', src: 'bob', dst: 'alice' });
  expect(told.at(-1)).toBe('error peer-unavailable');
  await expect(connection.ready).rejects.toMatchObject({ type: 'peer-unavailable' });
  expect(peer.connections).toEqual({});
});

test('LEAVE ends all connections with a peer, or the one that it names', () => {
  const { calls } = open('bob');
  for (const connectionId of ['c1', 'c2', 'c3']) {
    FakeSocket.last.say({ type: 'OFFER', src: 'alice', payload: { ...OFFER, connectionId, type: 'media' } });
  }
  FakeSocket.last.say({ type: 'LEAVE', src: 'alice', payload: { connectionId: 'c2' } });
  expect(calls.map(({ closed }) => closed)).toEqual([false, true, false]);
  FakeSocket.last.say({ type: 'LEAVE', src: 'mallory' });
  FakeSocket.last.say({ type: 'LEAVE', src: 'alice' });
  expect(calls.map(({ closed }) => closed)).toEqual([true, true, true]);
});

test('others than ours hear LEAVE only with the end of the last connection', () => {
  const { peer } = open('alice');
  const [first, second] = [peer.call('bob'), peer.call('bob')];
  first.close();
  expect(FakeSocket.last.sent).toEqual([]);
  second.close();
  const payload = { connectionId: second.connectionId };
  expect(FakeSocket.last.sent).toEqual([{ type: 'LEAVE', dst: 'bob', payload }]);
});

test('a new offer of what has ended here makes no new connection', () => {
  const { calls } = open('bob');
  const payload = { ...OFFER, type: 'media', peerway: 2, round: 2 };
  FakeSocket.last.say({ type: 'OFFER', src: 'alice', payload });
  expect(calls).toEqual([]);
  expect(FakeSocket.last.sent).toEqual([{ type: 'LEAVE', dst: 'alice', payload: { connectionId: 'c1' } }]);
});

test('after disconnect connections stay, new ones are refused, and reconnect goes on', async () => {
  const { peer, told } = open('alice');
  const connection = peer.connect('bob');
  peer.disconnect();
  peer.disconnect();
  expect([connection.closed, peer.disconnected]).toEqual([false, true]);
  const refused = peer.connect('carol');
  await settled();
  expect(refused.closed).toBe(true);
  expect(told).toEqual(['open alice', 'disconnected alice', 'error disconnected']);

  peer.reconnect();
  FakeSocket.last.open({ iceServers: [] });
  expect(told.at(-1)).toBe('open alice');
});

test('destroy ends everything and leaves no timer', () => {
  vi.useFakeTimers();
  const { peer, told } = open('alice', { credential: { timestamp: Date.now() / 1000, ttl: 3600, authToken: 'x' } });
  const call = peer.call('bob');
  peer.destroy();
  peer.destroy();
  expect(call.closed).toBe(true);
  expect(told.slice(1)).toEqual(['disconnected alice', 'close']);
  expect(() => peer.reconnect()).toThrow('destroyed');
  expect(vi.getTimerCount()).toBe(0);
});

test('a credential is shown, and its end is told five minutes and one minute before', () => {
  vi.useFakeTimers();
  const credential = { timestamp: Math.floor(Date.now() / 1000), ttl: 600, authToken: 'x' };
  const { peer } = make('alice', { credential });
  const told: number[] = [];
  peer.on('expiresin', (seconds) => told.push(seconds));
  expect(JSON.parse(new URL(FakeSocket.last.url).searchParams.get('credential') ?? '')).toEqual(credential);
  vi.advanceTimersByTime(600_000);
  expect(told).toEqual([300, 60]);
});

test('a room without a name is refused, and one that we are in is returned', () => {
  const { peer, told } = open('alice');
  expect(peer.joinRoom('')).toBeNull();
  expect(told.at(-1)).toBe('error room-error');
  const room = peer.joinRoom('constructor');
  expect(room.name).toBe('constructor');
  expect(peer.joinRoom('constructor')).toBe(room);
});

test('noise from the server is left alone', () => {
  const { told } = open('alice');
  for (const type of ['OFFER', 'ANSWER', 'CANDIDATE', 'LEAVE', 'EXPIRE', 'ROOM-DATA', 'PING', 'toString']) {
    for (const payload of [undefined, null, 7, 'x', [], {}, { connectionId: 'c1' }, { peer: 7 }]) {
      FakeSocket.last.say({ type, payload });
      FakeSocket.last.say({ type, src: 'bob', room: 'toString', payload });
    }
  }
  expect(told).toEqual(['open alice']);
});

test('EVENTS has the names as skyway-js has them', () => {
  expect(Peer.EVENTS.open.key).toBe('open');
  expect(`${Peer.EVENTS.expiresin}`).toBe('expiresin');
});

function make(id?: string, options = {}) {
  const peer = new Peer(id, { ...OPTIONS, ...options });
  const told: string[] = [];
  const calls: MediaConnection[] = [];
  for (const event of ['open', 'close', 'disconnected', 'reconnecting', 'reconnected'] as const) {
    peer.on(event, (value?: unknown) => told.push(value === undefined ? event : `${event} ${value}`));
  }
  peer.on('error', ({ type }) => told.push(`error ${type}`));
  peer.on('call', (call) => calls.push(call));
  return { peer, told, calls };
}

function open(id: string, options = {}) {
  const made = make(id, options);
  FakeSocket.last.open({ iceServers: [] });
  return made;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
