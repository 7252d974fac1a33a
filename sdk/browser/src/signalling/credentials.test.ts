import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Credentials } from './credentials.js';

const NOW = 1_800_000_000;

beforeEach(() => void vi.useFakeTimers({ now: NOW * 1000 }));
afterEach(() => void vi.useRealTimers());

test('five minutes and one minute before the end it is told', () => {
  const { told } = credentials(600);
  vi.advanceTimersByTime(299_999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([300]);
  vi.advanceTimersByTime(240_000);
  expect(told).toEqual([300, 60]);
});

test('a warning whose time is over is not told late', () => {
  const { told } = credentials(100);
  vi.advanceTimersByTime(3_600_000);
  expect(told).toEqual([60]);
});

test('one that is good for years warns of nothing now', () => {
  const { told } = credentials(10 * 365 * 86_400);
  vi.advanceTimersByTime(86_400_000);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a new one is shown instead of the old one, and warns instead of it', () => {
  const { credentials: kept, told } = credentials(400);
  kept.update({ timestamp: NOW, ttl: 1000, authToken: 'new' });
  expect(JSON.parse(kept.text!)).toEqual({ timestamp: NOW, ttl: 1000, authToken: 'new' });
  vi.advanceTimersByTime(700_000 - 1);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual([300]);
});

test('without one there is nothing to show, and numbers may be texts', () => {
  const warn = vi.fn();
  const none = new Credentials(undefined, warn);
  expect(none.text).toBeUndefined();
  none.update({ timestamp: `${NOW}`, ttl: '70', authToken: 'x' } as never);
  vi.advanceTimersByTime(10_000);
  expect(warn).toHaveBeenCalledExactlyOnceWith(60);
});

test('nothing is left running', () => {
  const { credentials: kept } = credentials(600);
  kept.stop();
  expect(vi.getTimerCount()).toBe(0);
});

function credentials(ttl: number) {
  const told: number[] = [];
  const credentials = new Credentials({ timestamp: NOW, ttl, authToken: 'x' }, (seconds) => told.push(seconds));
  return { credentials, told };
}
