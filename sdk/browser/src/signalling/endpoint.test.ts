import { afterEach, expect, test, vi } from 'vitest';

import { endpoint, hostedAt } from './endpoint.js';

afterEach(() => vi.unstubAllGlobals());

test.each([
  [{ host: 'a.example', port: 9000, path: '/myapp', secure: false }, 'http://a.example:9000/myapp/'],
  [{ host: 'a.example', port: 9000, path: 'x//y/' }, 'http://a.example:9000/x/y/'],
  [{ host: 'a.example' }, 'https://a.example/'],
  [{ host: 'a.example', port: 443 }, 'https://a.example/'],
  [{ host: 'a.example', port: 9000, secure: true }, 'https://a.example:9000/'],
])('%o', (options, http) => {
  expect(endpoint(options).http).toBe(http);
});

test('the root is that of the server, whatever the path', () => {
  expect(endpoint({ host: 'a.example', path: '/myapp' }).root).toBe('https://a.example/');
});

test('a slash is the page itself, and so is nothing', () => {
  page('http://b.example:8080/games/chess.html?x#y');
  expect(endpoint({ host: '/' }).http).toBe('http://b.example:8080/');
  expect(endpoint({}).http).toBe('http://b.example:8080/');
  expect(endpoint({ path: 'peers', port: 9000 }).http).toBe('http://b.example:9000/peers/');
});

test('a secure page has secure servers', () => {
  page('https://b.example/');
  expect(endpoint({ host: 'a.example', port: 9000 }).http).toBe('https://a.example:9000/');
});

test('without any of these one has to say where the server is', () => {
  expect(() => endpoint({})).toThrow("host: 'example.com'");
});

test.each([
  ['https://a.example/peerway.js', 'https://a.example/'],
  ['https://a.example/base/peerway.mjs?v=2', 'https://a.example/base/'],
  ['https://a.example/base/dist/peer.min.js', 'https://a.example/base/'],
  ['https://a.example/app.js', undefined],
  ['https://a.example/node_modules/peerway/dist/peerway.mjs', undefined],
  ['file:///tmp/peerway.mjs', undefined],
  [undefined, undefined],
])('a script from %s belongs to the server at %s', (script, base) => {
  expect(hostedAt(script)).toBe(base);
});

function page(href: string): void {
  vi.stubGlobal('location', new URL(href));
}
