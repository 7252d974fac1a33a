import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { PeerError } from '../errors.js';
import { FakeSocket } from '../testing/fake_socket.js';
import { Session } from './session.js';

let now: ReturnType<typeof vi.useFakeTimers>;

beforeEach(() => {
  now = vi.useFakeTimers();
  FakeSocket.made = [];
  vi.stubGlobal('WebSocket', FakeSocket);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('what is said before the server knows us goes out after those who listen for it have spoken', () => {
  const { session } = start();
  session.send({ type: 'OFFER', dst: 'bob', payload: 1 });
  session.on('open', () => session.send({ type: 'ROOM-JOIN', room: 'lobby' }));
  FakeSocket.last.open();
  expect(FakeSocket.last.sent.map(({ type }) => type)).toEqual(['ROOM-JOIN', 'OFFER']);
});

test('a lost socket is opened again under the same address, sooner at first and later later', () => {
  const { told } = start();
  const first = FakeSocket.last;
  first.open({ ttl: 1 });
  now.advanceTimersByTime(6000);
  first.end();
  now.advanceTimersByTime(200);
  expect(FakeSocket.made).toHaveLength(2);
  expect(FakeSocket.last.url).toBe(first.url);

  FakeSocket.last.end();
  now.advanceTimersByTime(200);
  expect(FakeSocket.made).toHaveLength(2);
  now.advanceTimersByTime(300);
  FakeSocket.last.open();
  expect(told).toEqual(['open {"ttl":1}', 'lost 1', 'lost 2', 'open undefined']);
});

test('it goes on for hours', () => {
  start();
  FakeSocket.last.open();
  for (let tries = 0; tries < 500; tries += 1) {
    FakeSocket.last.end();
    untilNextTry();
  }
  expect(FakeSocket.made).toHaveLength(501);
});

test('a server that never answered is given up after a few tries', () => {
  const { told } = start();
  for (let tries = 0; tries < 3; tries += 1) {
    FakeSocket.last.end();
    now.advanceTimersByTime(1000);
  }
  expect(told).toEqual(['ended network']);
  now.advanceTimersByTime(60_000);
  expect(FakeSocket.made).toHaveLength(3);
});

test('a socket that opens but says nothing is dropped', () => {
  start();
  now.advanceTimersByTime(8000);
  expect(FakeSocket.last.closed).toBe(true);
  now.advanceTimersByTime(200);
  expect(FakeSocket.made).toHaveLength(2);
});

test('a server that is silent is asked, and one that does not answer is left', () => {
  const { told } = start();
  const first = FakeSocket.last;
  first.open();
  now.advanceTimersByTime(25_000);
  expect(first.sent).toEqual([{ type: 'LEAVE', dst: 'alice' }]);

  first.say({ type: 'LEAVE', src: 'alice', dst: 'alice' });
  now.advanceTimersByTime(24_000);
  expect(told).toEqual(['open undefined']);

  now.advanceTimersByTime(1000 + 4000);
  expect(first.closed).toBe(true);
  expect(told).toEqual(['open undefined', 'lost 1']);
});

test('who doubts asks at once, and does not wait for the next try', () => {
  const { session } = start();
  FakeSocket.last.open();
  session.check();
  session.check();
  expect(FakeSocket.last.sent).toHaveLength(1);

  FakeSocket.last.end();
  session.check();
  expect(FakeSocket.made).toHaveLength(2);
});

test.each([
  [{ type: 'ID-TAKEN', payload: { msg: 'ID is taken' } }, 'unavailable-id', 'ID is taken'],
  [{ type: 'INVALID-KEY', payload: { msg: 'Invalid key provided' } }, 'invalid-key', 'Invalid key provided'],
  [{ type: 'ERROR', payload: { msg: 'Token refused: no' } }, 'authentication', 'Token refused: no'],
  [{ type: 'ERROR', payload: { msg: 'full' } }, 'server-error', 'full'],
  [{ type: 'ERROR' }, 'server-error', 'The server gave no reason'],
])('%o ends it', (frame, type, message) => {
  const { errors } = start();
  FakeSocket.last.say(frame);
  expect(errors).toMatchObject([{ type, message }]);
  now.advanceTimersByTime(60_000);
  expect(FakeSocket.made).toHaveLength(1);
});

test('a server that is full for a while does not end who was in', () => {
  const { told } = start();
  FakeSocket.last.open();
  FakeSocket.last.end();
  now.advanceTimersByTime(200);
  FakeSocket.last.say({ type: 'ERROR', payload: { msg: 'full' } });
  expect(told.at(-1)).toBe('lost 2');
});

test('a server that lets go at once is asked more and more seldom', () => {
  const { told } = start();
  for (let tries = 0; tries < 4; tries += 1) {
    FakeSocket.last.open();
    FakeSocket.last.end();
    untilNextTry();
  }
  expect(told.filter((it) => it.startsWith('lost'))).toEqual(['lost 1', 'lost 2', 'lost 3', 'lost 4']);
});

test('a try that hangs is begun anew when somebody knows of a network', () => {
  const { session } = start();
  session.check();
  expect(FakeSocket.made).toHaveLength(1);
  now.advanceTimersByTime(2000);
  session.check();
  expect(FakeSocket.made).toHaveLength(2);
});

test('after a loss a try that hangs is given up sooner at first', () => {
  start();
  FakeSocket.last.open();
  FakeSocket.last.end();
  for (const limit of [3000, 5000, 8000, 8000]) {
    untilNextTry();
    const hanging = FakeSocket.last;
    now.advanceTimersByTime(limit - 20);
    expect(hanging.closed).toBe(false);
    now.advanceTimersByTime(20);
    expect(hanging.closed).toBe(true);
  }
});

test('the first time, and when it is asked for again, a server has its time', () => {
  const { session } = start();
  FakeSocket.last.open();
  session.close();
  session.start();
  now.advanceTimersByTime(7990);
  expect(FakeSocket.last.closed).toBe(false);
});

test('a network that is there makes a try that hangs begin anew at once', () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const { session } = start();
  FakeSocket.last.open();
  FakeSocket.last.end();
  now.advanceTimersByTime(200 + 100);
  const hanging = FakeSocket.last;

  page.dispatchEvent(new Event('pageshow'));
  expect(hanging.closed).toBe(false);
  page.dispatchEvent(new Event('online'));
  expect(hanging.closed).toBe(true);
  // And has the whole time.
  now.advanceTimersByTime(2990);
  expect(FakeSocket.made).toHaveLength(3);
  expect(FakeSocket.last.closed).toBe(false);

  FakeSocket.last.open();
  page.dispatchEvent(new Event('online'));
  expect(FakeSocket.last.sent).toEqual([{ type: 'LEAVE', dst: 'alice' }]);
  expect(FakeSocket.made).toHaveLength(3);

  session.close();
  page.dispatchEvent(new Event('online'));
  expect(FakeSocket.made).toHaveLength(3);
});

test('two pages of one id do not fight for it', () => {
  const { told } = start();
  FakeSocket.last.open();
  FakeSocket.last.end(1000);
  expect(told.at(-1)).toBe('ended unavailable-id');
});

test('what is no frame is left alone', () => {
  const { told } = start();
  FakeSocket.last.open();
  for (const noise of [null, 7, [], {}, { type: 7 }]) FakeSocket.last.say(noise);
  FakeSocket.last.onmessage?.({ data: '{' });
  FakeSocket.last.onmessage?.({ data: new ArrayBuffer(1) });
  expect(told).toEqual(['open undefined']);
});

test('a closed one keeps nothing and leaves nothing running', () => {
  const { session } = start();
  FakeSocket.last.open();
  session.close();
  session.send({ type: 'LEAVE', dst: 'bob' });
  expect(FakeSocket.last.closed).toBe(true);
  expect(now.getTimerCount()).toBe(0);
  session.start();
  FakeSocket.last.open();
  expect(FakeSocket.last.sent).toEqual([]);
});

// To 10 ms.
function untilNextTry(): void {
  const count = FakeSocket.made.length;
  while (FakeSocket.made.length === count) now.advanceTimersByTime(10);
}

function start() {
  const session = new Session({ id: 'alice', attempts: 3, url: () => 'ws://example.com/peerjs?id=alice' });
  const told: string[] = [];
  const errors: PeerError[] = [];
  session.on('open', (payload) => told.push(`open ${JSON.stringify(payload)}`));
  session.on('lost', (attempt) => told.push(`lost ${attempt}`));
  session.on('frame', ({ type }) => told.push(`frame ${type}`));
  session.on('ended', (error) => {
    errors.push(error);
    told.push(`ended ${error.type}`);
  });
  session.start();
  return { session, told, errors };
}
