import { afterEach, expect, test, vi } from 'vitest';

import type { PeerOptions } from '../options.js';
import { Directory } from './directory.js';

const ENDPOINT = { http: 'https://a.example/peers/', root: 'https://a.example/' };

afterEach(() => void vi.unstubAllGlobals());

test('peers are asked for under the path and the key', async () => {
  const { directory, asked } = server({ 'peers/k%2F1/peers': ['alice', 7, null, 'bob'] });
  expect(await directory.peers()).toEqual(['alice', 'bob']);
  expect(asked).toEqual(['https://a.example/peers/k%2F1/peers']);
});

test('who may not list them is told which setting allows it', async () => {
  await expect(server({ 'peers/k%2F1/peers': 401 }).directory.peers()).rejects.toThrow(/allow_discovery/);
  await expect(server({ 'peers/k%2F1/peers': 503 }).directory.peers()).rejects.toThrow(/503/);
});

test('an answer that is no list is an empty one', async () => {
  expect(await server({ 'peers/k%2F1/peers': { peers: 1 } }).directory.peers()).toEqual([]);
});

test.each([
  [{ exists: true }, true],
  [{ exists: false }, false],
  [{ exists: 'yes' }, false],
  [null, false],
])('%j: is the peer there? %s', async (answer, expected) => {
  const { directory, asked } = server({ 'api/apikeys/k%2F1/peers/bob%20b/exists': answer });
  expect(await directory.exists('bob b')).toBe(expected);
  expect(asked).toHaveLength(1);
});

test('a server of PeerJS is asked for its list instead', async () => {
  const { directory } = server({ 'peers/k%2F1/peers': ['bob'] });
  expect(await directory.exists('bob')).toBe(true);
  expect(await directory.exists('carol')).toBe(false);
});

test('a server that fails does not say that nobody is there', async () => {
  const { directory } = server({ 'api/apikeys/k%2F1/peers/bob/exists': 500 });
  await expect(directory.exists('bob')).rejects.toThrow(/500/);
});

test('ICE servers are asked for with who we are, and a refusal is none', async () => {
  const { directory, asked } = server({ 'v1/ice?key=k%2F1&id=alice&token=t%26': { iceServers: [] } });
  const { signal } = new AbortController();
  expect(await directory.ice(signal)).toEqual({ iceServers: [] });
  expect(asked).toHaveLength(1);
  expect(await server({}).directory.ice(signal)).toBeUndefined();
});

test('the referrer is as the options say', async () => {
  const { directory } = server({ 'peers/k%2F1/peers': [] }, { referrerPolicy: 'no-referrer' });
  await directory.peers();
  expect(vi.mocked(fetch).mock.calls[0]?.[1]).toMatchObject({ referrerPolicy: 'no-referrer' });
});

// Answers by path: a number is a status, all others are JSON, and what is missing is 404.
function server(answers: Record<string, unknown>, options: PeerOptions = {}) {
  const asked: string[] = [];
  const answer = async (url: string): Promise<Response> => {
    asked.push(url);
    const path = url.slice(ENDPOINT.root.length);
    const found = path in answers ? answers[path] : 404;
    return typeof found === 'number' ? new Response('', { status: found }) : Response.json(found);
  };
  vi.stubGlobal('fetch', vi.fn(answer));
  return { directory: new Directory(ENDPOINT, { key: 'k/1', token: 't&', ...options }, 'alice'), asked };
}
