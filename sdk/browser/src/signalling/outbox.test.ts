import { expect, test } from 'vitest';

import { Outbox } from './outbox.js';

const MEGA = 1024 * 1024;

test('what waits goes out once, in its order', () => {
  const outbox = filled(['OFFER', 'one'], ['CANDIDATE', 'two'], ['LEAVE', 'three']);
  expect(outbox.take()).toEqual(['one', 'two', 'three']);
  expect(outbox.take()).toEqual([]);
});

test('of too many frames the oldest candidates are dropped, and nothing else as long as there are any', () => {
  const outbox = filled(['OFFER', 'offer'], ['CANDIDATE', 'first'], ['CANDIDATE', 'second']);
  for (let count = 0; count < 511; count += 1) outbox.push('ROOM-DATA', `${count}`);
  const texts = outbox.take();
  expect(texts).toHaveLength(512);
  expect(texts.slice(0, 2)).toEqual(['offer', '0']);
});

test('without candidates the oldest frame goes', () => {
  const outbox = new Outbox();
  for (let count = 0; count < 514; count += 1) outbox.push('ROOM-DATA', `${count}`);
  expect(outbox.take()[0]).toBe('2');
});

test('four million characters wait at most, and what went out is no longer counted', () => {
  const big = 'x'.repeat(3 * MEGA);
  const outbox = filled(['ROOM-DATA', big], ['ROOM-DATA', `${big}!`]);
  expect(outbox.take()).toEqual([`${big}!`]);
  outbox.push('ROOM-DATA', big);
  outbox.push('LEAVE', 'small');
  expect(outbox.take()).toEqual([big, 'small']);
});

test('a frame that is too big alone takes nothing with it that comes later', () => {
  const outbox = filled(['ROOM-DATA', 'x'.repeat(5 * MEGA)], ['OFFER', 'offer']);
  expect(outbox.take()).toEqual(['offer']);
});

function filled(...frames: [type: string, text: string][]): Outbox {
  const outbox = new Outbox();
  for (const [type, text] of frames) outbox.push(type, text);
  return outbox;
}
