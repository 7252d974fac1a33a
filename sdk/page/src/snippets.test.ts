import { expect, test } from 'vitest';

import { module, peerjs, script, skyway, type Place } from './snippets.js';

const here: Place = { page: new URL('http://localhost:9000/'), key: 'peerjs', ice: true, peer: 'abcd-efgh' };
const there: Place = { page: new URL('https://example.com/my/'), key: 'sh"op', ice: false, peer: 'abcd-efgh' };

test('the script knows its server; only another key has to be said', () => {
  expect(script(here)).toContain('<script src="http://localhost:9000/peerway.js"></script>');
  expect(script(here)).toContain('new Peer();');
  expect(script(there)).toContain('<script src="https://example.com/my/peerway.js"></script>');
  expect(script(there)).toContain('new Peer({ key: "sh\\"op" });');
});

test('libraries from elsewhere are told host, port, path, key and TLS', () => {
  expect(peerjs(here)).toMatch(
    /host: "localhost",\n {2}port: 9000,\n {2}path: "\/",\n {2}secure: false,\n {2}config: { iceServers }/,
  );
  expect(peerjs(there)).toMatch(/port: 443,\n {2}path: "\/my\/",\n {2}key: "sh\\"op",\n {2}secure: true,\n}/);
  expect(peerjs(there)).not.toContain('iceServers');
  expect(skyway(there)).toMatch(/host: "example.com",\n {4}port: 443,\n {4}secure: true/);
});

test('each one says hello to the page that shows it', () => {
  for (const snippet of [script, module, peerjs, skyway]) expect(snippet(here)).toContain('peer.connect("abcd-efgh"');
});
