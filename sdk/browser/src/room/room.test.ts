import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FakeContext, fakeStream } from '../testing/fake_room.js';
import { MeshRoom } from './mesh_room.js';
import type { RoomOptions } from './types.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

// With everything that it tells, as `event detail`.
function enter(options: RoomOptions = {}) {
  const context = new FakeContext();
  const room = new MeshRoom(context, 'tea', options);
  const told: string[] = [];
  for (const event of ['open', 'peerJoin', 'peerLeave', 'data', 'log', 'error', 'close'] as const) {
    room.on(event, (detail?: unknown) =>
      told.push(
        detail === undefined
          ? event
          : `${event} ${detail instanceof Error ? (detail as { type?: string }).type : JSON.stringify(detail)}`,
      ),
    );
  }
  const hear = (type: string, rest: object = {}) => room.handleFrame({ type, room: 'tea', ...rest });
  const joined = (...members: string[]) => hear('ROOM-JOINED', { src: 'me', payload: { members } });
  const refuse = (type: string) => hear('ROOM-ERROR', { payload: { type, msg: 'no' } });
  return { context, room, told, hear, joined, refuse };
}

test('it asks to be let in when the session is open, and is open when it is in', async () => {
  const { context, room, told, joined } = enter();
  expect(context.news()).toEqual([]);
  room.handleSession('open');
  expect(context.news()).toEqual(['ROOM-JOIN {"mode":"mesh"}']);
  expect(room.open).toBe(false);

  joined('alice', 'bob', 'me');

  expect(room.open).toBe(true);
  expect(told).toEqual(['open']);
  expect(room.getPeers()).toEqual(['alice', 'bob']);
  await expect(room.ready).resolves.toBe(room);
});

test('who comes and who goes is told once', () => {
  const { room, told, hear, joined } = enter();
  room.handleSession('open');
  joined('me');
  for (const type of ['ROOM-JOINED', 'ROOM-JOINED', 'ROOM-LEFT', 'ROOM-LEFT']) hear(type, { src: 'bob' });
  expect(told).toEqual(['open', 'peerJoin "bob"', 'peerLeave "bob"']);
});

test('after the session was lost it joins again and tells the difference', () => {
  const { context, room, told, joined } = enter();
  room.handleSession('open');
  joined('alice', 'bob', 'me');
  room.handleSession('lost');
  expect(room.open).toBe(false);
  room.send('kept');
  room.handleSession('open');
  context.said.length = 0;

  joined('bob', 'carol', 'me');

  expect(told).toEqual(['open', 'peerLeave "alice"', 'peerJoin "carol"']);
  expect(context.news()).toEqual(['ROOM-DATA "kept"']);
});

test('what is said before it is in waits, in its order', async () => {
  const { context, room, joined } = enter();
  room.send(new Blob(['x']));
  room.send('second');
  room.handleSession('open');
  joined('me');
  context.said.length = 0;
  await vi.runAllTimersAsync();
  await vi.waitFor(() => expect(context.said.length).toBe(2));
  expect(context.said[0]).toEqual({
    type: 'ROOM-DATA',
    room: 'tea',
    payload: { _placeholder: true, num: 0 },
    attachments: ['eA=='],
  });
  expect(context.news()[1]).toBe('ROOM-DATA "second"');
});

test('what is too large, too much or nothing that can be said throws', async () => {
  const { room, told } = enter({ largestMessage: 10_000 });
  expect(() => room.send('x'.repeat(10_000))).toThrow(/more than a room takes at once/);
  expect(() => room.send(new Uint8Array(8_000))).toThrow(/more than a room takes at once/);
  expect(() => room.send('é'.repeat(5_000))).toThrow(/more than a room takes at once/);
  expect(() => room.send(1n)).toThrow(/cannot be said/);
  for (let count = 0; count < 256; count += 1) room.send(count);
  expect(() => room.send('one more')).toThrow(/wait for the server/);
  expect(told).toEqual([]);
});

test('a blob that is too large is an error, and what follows it is said', async () => {
  const { context, room, told, joined } = enter({ largestMessage: 1000 });
  room.handleSession('open');
  joined('me');
  context.said.length = 0;
  room.send(new Blob(['x'.repeat(2000)]));
  room.send('next');
  await vi.waitFor(() => expect(context.news()).toEqual(['ROOM-DATA "next"']));
  expect(told).toEqual(['open', 'error room_data']);
});

test('what others say is told, and what cannot be read is an error', () => {
  const { room, told, hear, joined } = enter();
  room.handleSession('open');
  joined('me');
  hear('ROOM-DATA', { src: 'bob', payload: { hi: 1 } });
  hear('ROOM-DATA', { src: 'bob' });
  hear('ROOM-DATA', { src: 'bob', payload: {}, attachments: ['*'] });
  expect(told.slice(1)).toEqual([
    'data {"src":"bob","data":{"hi":1}}',
    'data {"src":"bob","data":null}',
    'error room_data',
  ]);
});

test('the log is asked for once and told to all who wait', async () => {
  const { context, room, told, hear, joined } = enter();
  const first = room.getLog();
  room.handleSession('open');
  joined('me');
  const second = room.getLog();
  expect(context.news().filter((it) => it === 'ROOM-LOG').length).toBe(1);

  hear('ROOM-LOG', { payload: [{ timestamp: 1, src: 'bob', action: 'left' }] });

  const entries = [{ timestamp: 1, src: 'bob', action: 'left' }];
  await expect(first).resolves.toEqual(entries);
  await expect(second).resolves.toEqual(entries);
  expect(told.at(-1)).toMatch(/^log /);
});

test('a refusal before it is in ends it', async () => {
  const { context, room, told, refuse } = enter();
  room.handleSession('open');
  refuse('room_mode');
  expect(told).toEqual(['error room_mode', 'close']);
  expect(context.forgotten).toEqual(['tea']);
  await expect(room.ready).rejects.toMatchObject({ type: 'room_mode' });
});

test('a server that knows no rooms does not leave it waiting', async () => {
  const { room, told } = enter();
  room.handleSession('open');
  vi.advanceTimersByTime(15_000);
  expect(told).toEqual(['error room-error', 'close']);
  await expect(room.ready).rejects.toThrow(/does it have rooms/);
});

test('one that let us in before is asked again', () => {
  const { context, room, told, joined } = enter();
  room.handleSession('open');
  joined('me');
  room.handleSession('open');
  context.said.length = 0;
  vi.advanceTimersByTime(15_000);
  expect(context.news()).toEqual(['ROOM-JOIN {"mode":"mesh"}']);
  expect(told).toEqual(['open']);
});

test('when the room is gone with its node it is joined again, once', () => {
  const { context, room, told, joined, refuse } = enter();
  room.handleSession('open');
  joined('me');
  context.said.length = 0;
  refuse('not_in_room');
  refuse('not_in_room');
  expect(context.news()).toEqual(['ROOM-JOIN {"mode":"mesh"}']);
  joined('me');
  expect(room.open).toBe(true);
  expect(told).toEqual(['open', 'error not_in_room']);
});

test('closing leaves, ends what waits, and nothing is told after it', async () => {
  const { context, room, told, hear, joined } = enter({ stream: fakeStream('audio') });
  room.handleSession('open');
  joined('me');
  const log = room.getLog();
  context.said.length = 0;
  room.close();
  room.close();
  hear('ROOM-DATA', { src: 'bob', payload: 1 });
  room.handleSession('open');
  expect(context.news()).toEqual(['ROOM-LEAVE']);
  expect(told).toEqual(['open', 'close']);
  expect(context.forgotten).toEqual(['tea']);
  await expect(log).rejects.toMatchObject({ type: 'room-error' });
  expect(() => room.send(1)).toThrow(/closed/);
  await expect(room.publish(fakeStream('audio'))).rejects.toMatchObject({ type: 'room-error' });
  expect(vi.getTimerCount()).toBe(0);
});

test('frames that make no sense are left alone', () => {
  const { room, told, hear } = enter();
  room.handleSession('open');
  for (const payload of [undefined, null, 7, 'x', [], { members: 7 }, { members: [7, null] }]) {
    for (const type of [
      'ROOM-JOINED',
      'ROOM-LEFT',
      'ROOM-MEMBERS',
      'ROOM-LOG',
      'ROOM-DATA',
      'ROOM-OFFER',
      'ROOM-WHAT',
    ]) {
      hear(type, { payload });
    }
  }
  expect(told.filter((it) => !it.startsWith('log'))).toEqual([]);
});
