import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FakeContext, FakeMediaStream, FakeSfuConnection, fakeStream, sfuOffer } from '../testing/fake_room.js';
import { parseOffer } from './sfu_lines.js';
import { SFURoom } from './sfu_room.js';
import type { RoomOptions } from './types.js';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('RTCPeerConnection', FakeSfuConnection);
  vi.stubGlobal('MediaStream', FakeMediaStream);
  FakeSfuConnection.all = [];
  FakeSfuConnection.isBroken = false;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settled = () => vi.advanceTimersByTimeAsync(0);

async function enter(options: RoomOptions = {}) {
  const context = new FakeContext();
  const room = new SFURoom(context, 'tea', { mode: 'sfu', ...options });
  const told: string[] = [];
  for (const event of ['stream', 'removeStream'] as const) {
    room.on(event, (stream) =>
      told.push(`${event} ${stream.peerId}${stream.streamName ?? ''} ${stream.getTracks().map(({ kind }) => kind)}`),
    );
  }
  room.on('error', ({ type }) => told.push(`error ${type}`));
  room.on('activeSpeaker', (peer) => told.push(`speaker ${peer}`));
  const hear = async (type: string, payload?: unknown, src?: string) => {
    room.handleFrame({ type, room: 'tea', payload, ...(src !== undefined && { src }) });
    await settled();
  };
  const joined = async (...members: string[]) => {
    room.handleSession('open');
    await hear('ROOM-JOINED', { members: [...members, 'me'] }, 'me');
  };
  const offer = (user: string, lines: string[] = [], streams: object = {}, stream?: string) =>
    hear('ROOM-OFFER', { sdp: sfuOffer(user, ...lines), streams, stream });
  await joined('alice', 'bob');
  context.said.splice(0, 1);
  return { context, room, told, hear, joined, offer };
}

const link = (index = -1) => FakeSfuConnection.all.at(index) as FakeSfuConnection;

test('it asks for an offer, answers it with what it sends, and is through when connected', async () => {
  const { context, room, offer } = await enter({ stream: fakeStream('audio', 'video') });
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false}']);
  expect(room.getPeerConnection()).toBeNull();

  await offer('u1');

  expect(context.news()).toEqual(['ROOM-ANSWER {"sdp":"answer 1"}']);
  expect(link().sends).toEqual(['audio', 'video']);
  expect(room.getPeerConnection()).toBe(link());
  await vi.advanceTimersByTimeAsync(60_000);
  expect(context.news()).toEqual([]);
});

test('who only listens sends nothing', async () => {
  const { offer } = await enter();
  await offer('u1');
  expect(
    link()
      .getTransceivers()
      .map(({ direction }) => direction),
  ).toEqual(['inactive', 'inactive']);
});

test('a stream is told once, with all its tracks, and ends when its lines do', async () => {
  const { room, told, offer } = await enter();
  await offer('u1', ['s1 audio', 's1 video', 's2 video'], { s1: 'alice', s2: 'bob' });
  await offer('u1', ['s1 audio', 's1 video', 's2 video'], { s1: 'alice', s2: 'bob' });
  await offer('u1', ['s1 audio', 's1 video'], { s1: 'alice' });
  expect(told).toEqual(['stream alice audio,video', 'stream bob video', 'removeStream bob ']);
  expect(Object.values(room.remoteStreams).map(({ peerId }) => peerId)).toEqual(['alice']);
});

test('a line that somebody else gets later does not show in the stream that ended', async () => {
  const { room, offer } = await enter();
  const streams: MediaStream[] = [];
  room.on('stream', (stream) => streams.push(stream));
  await offer('u1', ['s1 video'], { s1: 'alice' });
  await offer('u1');
  await offer('u1', ['s2 video'], { s2: 'bob' });
  expect(streams.map((stream) => stream.getTracks().length)).toEqual([0, 1]);
});

test('streams with names are told with them', async () => {
  const { told, offer } = await enter();
  await offer('u1', ['s1 video', 's2 video'], { s1: 'alice', s2: { peer: 'alice', name: '/screen' } });
  expect(told).toEqual(['stream alice video', 'stream alice/screen video']);
});

test('over another connection the stream is the same with other tracks', async () => {
  const { room, told, joined, offer } = await enter();
  await offer('u1', ['s1 video'], { s1: 'alice' });
  const [stream] = Object.values(room.remoteStreams);
  const [before] = stream?.getTracks() ?? [];
  room.handleSession('lost');
  await joined('alice');

  await offer('u2', ['s9 video'], { s9: 'alice' });

  expect(FakeSfuConnection.all.map(({ connectionState }) => connectionState)).toEqual(['closed', 'new']);
  expect(told).toEqual(['stream alice video']);
  expect(stream?.getTracks().length).toBe(1);
  expect(stream?.getTracks()[0]).not.toBe(before);
});

test('who leaves takes its streams with it', async () => {
  const { told, hear, offer } = await enter();
  await offer('u1', ['s1 video'], { s1: 'alice' });
  await hear('ROOM-LEFT', undefined, 'alice');
  await offer('u1');
  expect(told).toEqual(['stream alice video', 'removeStream alice ']);
});

test('what is left of who has left does not come back', async () => {
  const { told, hear, offer } = await enter();
  await offer('u1', ['s1 video', 's2 video'], { s1: 'alice', s2: { peer: 'alice', name: '/screen' } });
  await hear('ROOM-LEFT', undefined, 'alice');
  await offer('u1', ['s1 video', 's2 video'], { s2: { peer: 'alice', name: '/screen' } });
  expect(told.slice(2)).toEqual(['removeStream alice ', 'removeStream alice/screen ']);
});

test('another track of a kind that is sent needs no offer, one of another kind does', async () => {
  const { context, room, offer } = await enter({ stream: fakeStream('video') });
  await offer('u1');
  link().becomes('connected');
  context.said.length = 0;

  await room.publish(fakeStream('video'));
  expect(context.news()).toEqual([]);

  const published = vi.fn();
  const both = room.publish(fakeStream('audio', 'video')).then(published);
  await settled();
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false}']);
  expect(published).not.toHaveBeenCalled();
  await offer('u1');
  await both;
  expect(link().sends).toEqual(['audio', 'video']);

  void room.unpublish();
  await settled();
  await offer('u1');
  expect(link().sends).toEqual([]);
});

test('three sizes are asked for from the beginning, or over another connection', async () => {
  const { context, room, offer } = await enter({ stream: fakeStream('video') });
  await offer('u1');
  context.said.length = 0;
  void room.publish(fakeStream('video'), { simulcast: true });
  await settled();
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":true,"restart":true}']);
  expect((await enter({ simulcast: true, stream: fakeStream('video') })).context.news()).toEqual([
    'ROOM-GET-OFFER {"simulcast":true}',
  ]);
});

test('a picture that does not know its size yet is measured again', async () => {
  const { room, offer } = await enter({ simulcast: true, stream: fakeStream('video') });
  await offer('u1');
  const [, video] = link().getTransceivers();
  const set = vi.spyOn(video?.sender as object as { setParameters(): Promise<void> }, 'setParameters');
  link().becomes('connected');
  await vi.advanceTimersByTimeAsync(1_500);
  expect(set).toHaveBeenCalledTimes(1);
  room.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('a stream with a name goes over a connection of its own and brings nothing', async () => {
  const { context, room, told, offer } = await enter();
  await offer('u1');
  context.said.length = 0;
  const published = room.publish(fakeStream('video'), { name: 'screen' });
  await settled();
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false,"stream":"screen"}']);

  await offer('u2', [], {}, 'screen');
  link().becomes('connected');

  await published;
  expect(context.news()).toEqual(['ROOM-ANSWER {"sdp":"answer 1","stream":"screen"}']);
  expect(link().sends).toEqual(['video']);
  expect(room.getPeerConnection()).toBe(link(0));
  await room.unpublish('screen');
  expect(FakeSfuConnection.all.map(({ connectionState }) => connectionState)).toEqual(['new', 'closed']);
  expect(told).toEqual([]);
});

test('a connection that is lost is made again with growing pauses, and not to be continued', async () => {
  const { context, told, hear, offer } = await enter({ stream: fakeStream('video') });
  await offer('u1', ['s1 video'], { s1: 'alice' });
  context.said.length = 0;
  link().becomes('failed');
  await vi.advanceTimersByTimeAsync(499);
  expect(context.news()).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false,"restart":true}']);
  // Of the connection that is over: it came from before.
  await offer('u1', ['s1 video'], { s1: 'alice' });
  expect(context.news()).toEqual([]);

  await offer('u2', ['s1 video'], { s1: 'alice' });
  await hear('ROOM-MEDIA-CLOSED', { msg: 'gone' });
  await vi.advanceTimersByTimeAsync(999);
  expect(context.news()).toEqual(['ROOM-ANSWER {"sdp":"answer 1"}']);
  await vi.advanceTimersByTimeAsync(1);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false,"restart":true}']);
  expect(told).toEqual(['stream alice video', 'error media', 'error media']);
});

test('a server without room for it is asked again later', async () => {
  const { context, told, hear } = await enter();
  context.said.length = 0;
  await hear('ROOM-MEDIA-CLOSED', { msg: 'full' });
  await hear('ROOM-MEDIA-CLOSED', { msg: 'of an earlier one' });
  await vi.advanceTimersByTimeAsync(500);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false}']);
  expect(told).toEqual(['error media']);
});

test('a path that comes back in time is not given up', async () => {
  const { context, offer } = await enter();
  await offer('u1');
  context.said.length = 0;
  link().becomes('connected');
  link().becomes('disconnected');
  await vi.advanceTimersByTimeAsync(4_000);
  link().becomes('connected');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(context.news()).toEqual([]);

  link().becomes('disconnected');
  await vi.advanceTimersByTimeAsync(5_500);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false,"restart":true}']);
});

test('an offer that does not come is asked for again', async () => {
  const { context } = await enter();
  context.said.length = 0;
  await vi.advanceTimersByTimeAsync(15_000);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false}']);
});

test('an offer that the browser does not understand ends the connection, not the room', async () => {
  const { context, room, told, offer } = await enter();
  context.said.length = 0;
  FakeSfuConnection.isBroken = true;
  await offer('u1');
  FakeSfuConnection.isBroken = false;
  await vi.advanceTimersByTimeAsync(500);
  expect(told).toEqual(['error media']);
  expect(context.news()).toEqual(['ROOM-GET-OFFER {"simulcast":false,"restart":true}']);
  await offer('u2');
  expect(context.news()).toEqual(['ROOM-ANSWER {"sdp":"answer 1"}']);
  expect(room.open).toBe(true);
});

test('while the session is lost nothing is asked', async () => {
  const { context, room, joined, offer } = await enter();
  await offer('u1');
  room.handleSession('lost');
  context.said.length = 0;
  link().becomes('failed');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(context.news()).toEqual([]);
  await joined('alice');
  expect(context.news().at(-1)).toMatch(/^ROOM-GET-OFFER/);
});

test('what is wanted of others is said when they are there, and again after a loss', async () => {
  const { context, room, joined, hear } = await enter();
  context.said.length = 0;
  room.receive('alice', { video: { maxHeight: 180 } });
  room.receive('carol', { audio: false });
  const ofAlice = 'ROOM-RECEIVE {"peer":"alice","audio":true,"video":{"maxHeight":180}}';
  const ofCarol = 'ROOM-RECEIVE {"peer":"carol","audio":false,"video":true}';
  expect(context.news()).toEqual([ofAlice, ofCarol]);
  await hear('ROOM-JOINED', undefined, 'carol');
  expect(context.news()).toEqual([ofCarol]);
  room.handleSession('lost');
  await joined('alice');
  expect(context.news().slice(1)).toEqual([ofAlice, 'ROOM-GET-OFFER {"simulcast":false}']);
});

test('who speaks is told', async () => {
  const { told, hear } = await enter();
  await hear('ROOM-SPEAKER', undefined, 'alice');
  await hear('ROOM-SPEAKER');
  expect(told).toEqual(['speaker alice', 'speaker null']);
});

test('one publisher too many hears it from its promise too', async () => {
  const { room, told, hear, offer } = await enter();
  await offer('u1');
  const published = room.publish(fakeStream('video'));
  published.catch(() => {});
  await hear('ROOM-ERROR', { type: 'publishers_full', msg: 'no' });
  await expect(published).rejects.toMatchObject({ type: 'publishers_full' });
  expect(told).toEqual(['error publishers_full']);
});

test('closing ends every connection, every promise and every timer', async () => {
  const { context, room, told, offer } = await enter();
  await offer('u1');
  const published = room.publish(fakeStream('video'), { name: 'screen' });
  published.catch(() => {});
  await settled();
  room.close();
  await expect(published).rejects.toMatchObject({ type: 'room-error' });
  expect(link(0).connectionState).toBe('closed');
  context.said.length = 0;
  await offer('u3');
  expect(context.news()).toEqual([]);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('offers that are none are left alone', async () => {
  for (const payload of [undefined, null, 7, {}, { sdp: 7 }]) expect(parseOffer(payload)).toBeUndefined();
  expect(parseOffer({ sdp: '', streams: { a: 7, b: null, c: { peer: 7 }, d: 'bob', e: [] } })?.streams).toEqual(
    new Map([['d', { peer: 'bob', name: '' }]]),
  );
  expect(parseOffer({ sdp: '', streams: null })?.streams.size).toBe(0);
});
