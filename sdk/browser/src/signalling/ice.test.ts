import { afterEach, expect, test, vi } from 'vitest';

import { platform } from '../platform.js';
import { IceServers } from './ice.js';

const STUN = { urls: ['stun:a.example'] };
const TURN = { urls: ['turn:a.example?transport=udp', 'turns:a.example'], username: 'u', credential: 'c' };

afterEach(() => vi.restoreAllMocks());

test('those of the application come before those of the server', async () => {
  const own = { urls: 'stun:own.example' };
  const ice = servers({ config: { iceServers: [own], iceTransportPolicy: 'relay' } });
  ice.take({ iceServers: [STUN, TURN], ttl: 60 });
  expect(await ice.fresh()).toEqual({ iceServers: [own, STUN, TURN], iceTransportPolicy: 'relay' });
});

test('turn: false leaves out what relays', () => {
  const ice = servers({ turn: false });
  ice.take({ iceServers: [STUN, TURN, { urls: 'turn:b.example' }] });
  expect(ice.configuration.iceServers).toEqual([STUN]);
});

test('what is no ICE server is left out', () => {
  const ice = servers({});
  ice.take({ iceServers: [null, {}, { urls: 7 }, { urls: [7] }, STUN] });
  expect(ice.configuration.iceServers).toEqual([STUN]);
});

test('they are asked for before they expire, once', async () => {
  const ask = vi.fn(async () => ({ iceServers: [STUN, STUN], ttl: 100 }));
  const now = vi.spyOn(platform, 'now').mockReturnValue(1_000_000);
  const ice = servers({ ask });
  ice.take({ iceServers: [STUN], ttl: 100 });
  now.mockReturnValue(1_074_000);
  expect((await ice.fresh()).iceServers).toHaveLength(1);
  now.mockReturnValue(1_076_000);
  await Promise.all([ice.fresh(), ice.fresh()]);
  expect((await ice.fresh()).iceServers).toHaveLength(2);
  expect(ask).toHaveBeenCalledTimes(1);
});

test('a server that does not answer does not keep a connection from being made', async () => {
  const ask = vi.fn(() => Promise.reject(new Error('404')));
  const now = vi.spyOn(platform, 'now').mockReturnValue(1_000_000);
  const ice = servers({ ask });
  ice.take({ iceServers: [STUN], ttl: 100 });
  now.mockReturnValue(1_076_000);
  expect(await ice.fresh()).toEqual({ iceServers: [STUN] });
  await ice.fresh();
  expect(ask).toHaveBeenCalledTimes(1);
});

test('a server that tells nothing is not asked', async () => {
  const ask = vi.fn();
  expect(await servers({ ask }).fresh()).toEqual({ iceServers: [] });
  expect(ask).not.toHaveBeenCalled();
});

test('an empty list with OPEN is an answer', async () => {
  const ask = vi.fn();
  const ice = servers({ ask });
  expect(ice.take({ iceServers: [] })).toBe(true);
  expect(ice.take(undefined)).toBe(false);
  await ice.fresh();
  expect(ask).not.toHaveBeenCalled();
});

function servers({ config = {}, turn = true, ask = vi.fn() }: Partial<ConstructorParameters<typeof IceServers>[0]>) {
  return new IceServers({ config, turn, ask });
}
