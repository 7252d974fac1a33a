import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Recovery } from './recovery.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a path that is back soon needs nothing', () => {
  const { recovery, did } = recover();
  recovery.handleState('disconnected');
  vi.advanceTimersByTime(1900);
  recovery.handleState('connected');
  vi.advanceTimersByTime(60_000);
  expect(did).toEqual([]);
});

test('a lost path is looked for again and again, and given up in the end', () => {
  const { recovery, did } = recover();
  recovery.handleState('disconnected');
  vi.advanceTimersByTime(2000);
  expect(did).toEqual(['restart']);
  recovery.handleState('checking');
  recovery.handleState('failed');
  vi.advanceTimersByTime(20_000);
  expect(did.at(-1)).toBe('giveUp');
  expect(did.filter((it) => it === 'giveUp')).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('what has failed is tried at once', () => {
  const { recovery, did } = recover();
  recovery.handleState('failed');
  vi.advanceTimersByTime(0);
  expect(did).toEqual(['restart']);
});

test('the callee lets the caller go first', () => {
  const { recovery, did } = recover({ initiator: false });
  recovery.handleState('failed');
  vi.advanceTimersByTime(1499);
  expect(did).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(did).toEqual(['restart']);
});

test('a machine that slept tries before it gives up', () => {
  const { recovery, did } = recover();
  recovery.handleState('disconnected');
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(2000);
  expect(did).toEqual(['restart']);
  recovery.handleState('connected');
  vi.advanceTimersByTime(60_000);
  expect(did).toEqual(['restart']);
});

test('another network is taken at once', () => {
  const { recovery, did } = recover();
  recovery.handleNetworkChange();
  expect(did).toEqual([]);
  recovery.handleState('connected');
  recovery.handleNetworkChange();
  recovery.handleNetworkChange();
  vi.advanceTimersByTime(10_000);
  expect(did).toEqual(['restart']);
});

test('nothing is left running', () => {
  const { recovery } = recover();
  recovery.handleState('failed');
  recovery.stop();
  expect(vi.getTimerCount()).toBe(0);
});

function recover({ initiator = true } = {}) {
  const did: string[] = [];
  const hooks = { restart: () => did.push('restart'), giveUp: () => did.push('giveUp') };
  return { did, recovery: new Recovery(hooks, { initiator, patience: 15_000 }) };
}
