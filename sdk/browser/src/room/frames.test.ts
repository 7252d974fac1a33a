// The examples of docs/reference/room-frames.md, which the server's tests read and write as well.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { parseFrame } from '../signalling/frame.js';
import { FakeContext, FakeMediaStream, FakeSfuConnection, fakeStream } from '../testing/fake_room.js';
import { MeshRoom } from './mesh_room.js';
import type { Room } from './room.js';
import { SFURoom } from './sfu_room.js';

const [page] = Object.values(
  import.meta.glob<string>('../../../../docs/reference/room-frames.md', {
    eager: true,
    import: 'default',
    query: '?raw',
  }),
) as [string];

// What stands in the blocks that are marked so.
function examples(name: string): string[] {
  const block = page.split('\n```').find((it) => it.startsWith(`json ${name}\n`)) ?? '';
  return block.split('\n').slice(1).filter(Boolean);
}

function listen(room: Room): unknown[] {
  const told: unknown[] = [];
  for (const event of ['open', 'peerJoin', 'peerLeave', 'data', 'log', 'activeSpeaker'] as const) {
    room.on(event, (detail?: unknown) => told.push([event, detail]));
  }
  room.on('error', ({ type, message }) => told.push(['error', type, message]));
  return told;
}

const hear = (room: Room, text: string) =>
  room.handleFrame(parseFrame(text) as NonNullable<ReturnType<typeof parseFrame>>);

beforeEach(() => {
  vi.stubGlobal('RTCPeerConnection', FakeSfuConnection);
  vi.stubGlobal('MediaStream', FakeMediaStream);
});
afterEach(() => void vi.unstubAllGlobals());

test('what the page says that the server says is understood', () => {
  const room = new MeshRoom(new FakeContext('bob'), 'lobby');
  const told = listen(room);
  room.handleSession('open');
  for (const text of examples('server')) hear(room, text);
  expect(told.filter((entry) => (entry as string[])[0] !== 'log')).toEqual([
    ['open', undefined],
    ['peerJoin', 'carol'],
    ['peerLeave', 'carol'],
    ['data', { src: 'alice', data: 'hello' }],
    ['data', { src: 'alice', data: { file: new Uint8Array([0, 1, 2, 255]).buffer } }],
    ['error', 'not_in_room', 'Not in the room lobby: join it first'],
  ]);
  expect(told.length).toBe(7);
  expect(room.members).toEqual(['alice']);
});

test('and what it says about media', async () => {
  const room = new SFURoom(new FakeContext('alice'), 'studio', { mode: 'sfu' });
  const told = listen(room);
  room.handleSession('open');
  hear(room, '{"type":"ROOM-JOINED","room":"studio","src":"alice","payload":{"members":["alice"]}}');
  const known = examples('media server');
  expect(known.length).toBe(6);
  for (const text of known) hear(room, text);
  await new Promise((resolve) => setTimeout(resolve));
  expect(told).toContainEqual(['activeSpeaker', 'bob']);
  expect(told).toContainEqual(['activeSpeaker', null]);
  room.close();
});

test('what is said here is what the page says that clients say', async () => {
  const context = new FakeContext('bob');
  const lobby = new MeshRoom(context, 'lobby');
  lobby.handleSession('open');
  hear(lobby, '{"type":"ROOM-JOINED","room":"lobby","src":"bob","payload":{"members":["bob"]}}');
  lobby.send('hello');
  lobby.send({ file: new Uint8Array([0, 1, 2, 255]) });
  void lobby.getLog();
  lobby.close();
  const studio = new SFURoom(context, 'studio', { mode: 'sfu', stream: fakeStream('video') });
  studio.handleSession('open');
  const page = [...examples('client'), ...examples('media client')].map((text) => JSON.parse(text) as unknown);
  for (const frame of context.said) expect(page).toContainEqual(frame);
  expect(context.said.map(({ type }) => type)).toEqual([
    'ROOM-JOIN',
    'ROOM-DATA',
    'ROOM-DATA',
    'ROOM-LOG',
    'ROOM-LEAVE',
    'ROOM-JOIN',
  ]);
  studio.close();
});
