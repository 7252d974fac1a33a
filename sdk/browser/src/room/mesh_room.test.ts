import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FakeCall, FakeContext, fakeStream } from '../testing/fake_room.js';
import { MeshRoom } from './mesh_room.js';
import type { RoomOptions } from './types.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function enter(id: string, options: RoomOptions, ...others: string[]) {
  const context = new FakeContext(id);
  const room = new MeshRoom(context, 'tea', options);
  const told: string[] = [];
  for (const event of ['stream', 'removeStream'] as const) {
    room.on(event, ({ peerId, streamName }) =>
      told.push([event, peerId, ...(streamName ? [streamName] : [])].join(' ')),
    );
  }
  room.on('error', ({ message }) => told.push(`error ${message}`));
  const hear = (type: string, src: string, payload?: unknown) => room.handleFrame({ type, room: 'tea', src, payload });
  const joined = (...members: string[]) => {
    room.handleSession('open');
    hear('ROOM-JOINED', id, { members: [...members, id] });
  };
  joined(...others);
  return { context, room, told, hear, joined };
}

// Whom it has called, and for what.
const called = ({ calls }: FakeContext) => calls.map(({ peer, options }) => [peer, options]);
const settled = () => vi.advanceTimersByTimeAsync(0);

test('the newcomer calls those who were there, with the options of a call', () => {
  const stream = fakeStream('audio');
  const { context, room, hear } = enter('me', { stream, videoBandwidth: 300, mode: 'mesh' }, 'alice', 'bob');
  hear('ROOM-JOINED', 'carol');
  const options = { room: 'tea', videoBandwidth: 300 };
  expect(called(context)).toEqual([
    ['alice', options],
    ['bob', options],
  ]);
  expect(context.calls[0]?.stream).toBe(stream);
  expect(Object.keys(room.connections)).toEqual(['alice', 'bob']);
});

test('who comes later calls, and is answered with what is sent now', () => {
  const stream = fakeStream('audio');
  const { room, told } = enter('me', { stream });
  const call = new FakeCall('bob');
  room.handleCall(call.asCall);
  expect(call.answered).toBe(true);
  expect(call.stream).toBe(stream);
  call.emit('stream', fakeStream('audio'));
  call.emit('stream', fakeStream('video'));
  expect(told).toEqual(['stream bob']);
  expect(Object.values(room.remoteStreams).map(({ peerId }) => peerId)).toEqual(['bob']);
});

test('who leaves is hung up on, and its stream ends', () => {
  const { context, room, told, hear } = enter('me', {}, 'alice');
  context.calls[0]?.emit('stream', fakeStream('audio'));
  hear('ROOM-LEFT', 'alice');
  expect(context.calls[0]?.closed).toBe(true);
  expect(told).toEqual(['stream alice', 'removeStream alice']);
  expect(room.connections).toEqual({});
  vi.runAllTimers();
  expect(context.calls.length).toBe(1);
});

test('both at once: the call of the larger id stays', () => {
  const larger = enter('b', {}, 'a');
  const theirs = new FakeCall('a');
  larger.room.handleCall(theirs.asCall);
  expect([larger.context.calls[0]?.closed, theirs.closed, theirs.answered]).toEqual([false, true, false]);

  const smaller = enter('a', {}, 'b');
  const call = new FakeCall('b');
  smaller.room.handleCall(call.asCall);
  expect([smaller.context.calls[0]?.closed, call.closed, call.answered]).toEqual([true, false, true]);
  vi.runAllTimers();
  expect(smaller.context.calls.length).toBe(1);
});

test('a call in place of one that flows is another stay of the other side', () => {
  const { context, room, told } = enter('me', {}, 'alice');
  context.calls[0]?.emit('stream', fakeStream('audio'));
  const call = new FakeCall('alice');
  room.handleCall(call.asCall);
  call.emit('stream', fakeStream('audio'));
  expect(told).toEqual(['stream alice', 'removeStream alice', 'stream alice']);
  expect(room.connections.alice).toEqual([call]);
});

test('a call of ours that breaks is made again, not for ever', () => {
  const { context, told } = enter('me', {}, 'alice');
  for (let count = 0; count < 8; count += 1) {
    context.calls.at(-1)?.close();
    vi.advanceTimersByTime(100_000);
  }
  expect(context.calls.length).toBe(6);
  expect(told).toEqual(['error no media connection with alice could be made']);
});

test('after the session was lost everybody is called again', () => {
  const { context, joined } = enter('me', {}, 'alice', 'bob');
  joined('bob', 'carol');
  expect(context.calls.map(({ peer, closed }) => `${peer} ${closed}`)).toEqual([
    'alice true',
    'bob true',
    'bob false',
    'carol false',
  ]);
});

test('another stream goes to all, and who cannot take it is called again by the larger id', async () => {
  const { context, room, told } = enter('m', {}, 'a', 'b', 'z');
  const [ours, smaller, larger] = context.calls as [FakeCall, FakeCall, FakeCall];
  for (const call of [smaller, larger]) Object.assign(call, { isFixed: true, remote: { ours: false } });
  const stream = fakeStream('video');

  await room.publish(stream);

  expect([ours.stream, ours.closed]).toEqual([stream, false]);
  expect([smaller.closed, larger.closed]).toEqual([true, false]);
  expect(context.calls.slice(3).map(({ peer, stream }) => [peer, stream])).toEqual([['b', stream]]);
  expect(told).toEqual(['error not supported']);
});

test('a stream with a name has calls of its own, one way, to our own clients', async () => {
  const { context, room, hear } = enter('me', {}, 'alice', 'sky');
  const [alice, sky] = context.calls as [FakeCall, FakeCall];
  Object.assign(sky.remote, { ours: false });
  const screen = fakeStream('video');
  await room.publish(screen, { name: 'screen', maxBitrate: 500_000 });
  expect(called(context).slice(2)).toEqual([
    [
      'alice',
      {
        room: 'tea',
        metadata: { stream: 'screen' },
        videoBandwidth: 500,
        videoReceiveEnabled: false,
        audioReceiveEnabled: false,
      },
    ],
  ]);
  alice.connect();
  sky.connect();
  await settled();
  expect(context.calls.length).toBe(3);

  hear('ROOM-JOINED', 'bob');
  const bob = new FakeCall('bob');
  room.handleCall(bob.asCall);
  expect(context.calls.length).toBe(3);
  bob.connect();
  await settled();
  expect(context.calls[3]).toMatchObject({ peer: 'bob', stream: screen });

  await room.unpublish('screen');
  expect(context.calls.map(({ closed }) => closed)).toEqual([false, false, true, true]);
  vi.runAllTimers();
  expect(context.calls.length).toBe(4);
});

test('streams with names of others are told with them, and are not answered with ours', () => {
  const { room, told } = enter('me', { stream: fakeStream('audio') }, 'alice');
  const call = new FakeCall('alice', { metadata: { stream: 'screen' } });
  room.handleCall(call.asCall);
  call.emit('stream', fakeStream('video'));
  expect(call.stream).toBeUndefined();
  expect(room.connections.alice?.length).toBe(2);
  call.close();
  expect(told).toEqual(['stream alice screen', 'removeStream alice screen']);
});

test('nobody makes us take any number of calls, or any name', () => {
  const { room } = enter('me', {});
  const calls = Array.from({ length: 9 }, (_, index) => new FakeCall('alice', { metadata: { stream: `s${index}` } }));
  for (const call of calls) room.handleCall(call.asCall);
  expect(calls.filter(({ answered }) => answered).length).toBe(4);
  for (const metadata of [null, 7, { stream: {} }, { stream: 'x'.repeat(10_000) }]) {
    room.handleCall(new FakeCall('bob', { metadata }).asCall);
  }
  expect(room.connections.bob?.length).toBe(2);
});

test('what comes back on a call for one stream of ours is not told', async () => {
  const { context, room, told } = enter('me', {}, 'alice');
  await room.publish(fakeStream('video'), { name: 'screen' });
  context.calls[1]?.emit('stream', fakeStream('video'));
  expect(told).toEqual([]);
});

test('at most three streams have names, and names are bounded', async () => {
  const { room } = enter('me', {});
  for (const name of ['a', 'b', 'c', 'a']) await room.publish(fakeStream('video'), { name });
  await expect(room.publish(fakeStream('video'), { name: 'd' })).rejects.toThrow(/unpublish one first/);
  await room.unpublish('a');
  await room.publish(fakeStream('video'), { name: 'd' });
  await expect(room.publish(fakeStream('video'), { name: 'x'.repeat(65) })).rejects.toThrow(/64/);
});

test('closing hangs up and leaves no timer', () => {
  const { context, room, told } = enter('me', {}, 'alice', 'bob');
  context.calls[0]?.close();
  context.calls[1]?.emit('stream', fakeStream('audio'));
  room.close();
  expect(context.calls.every(({ closed }) => closed)).toBe(true);
  expect(told).toEqual(['stream bob', 'removeStream bob']);
  expect(vi.getTimerCount()).toBe(0);
  const late = new FakeCall('carol');
  room.handleCall(late.asCall);
  expect(late.closed).toBe(true);
});
