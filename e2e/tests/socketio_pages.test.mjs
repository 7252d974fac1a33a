// Published socket.io clients in Chromium against the server's Socket.IO transport, which echoes here. Browsers poll
// with bodies of bytes, which Node never does. The pages are on another origin than the server.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { launch } from '../lib/browsers.mjs';
import { EchoServer } from '../lib/echo.mjs';
import { Pages } from '../lib/pages.mjs';

const require = createRequire(import.meta.url);
const scripts = {
  '1.4.8': 'socket.io.js',
  '1.7.4': 'dist/socket.io.js',
  '2.0.3': 'dist/socket.io.js',
  '2.5.0': 'dist/socket.io.js',
};

let server;
let pages;
let browser;
before(async () => {
  server = await EchoServer.start({ ping: 1000 });
  pages = await Pages.start();
  browser = await launch('chromium');
});
after(async () => {
  await browser?.close();
  await pages?.stop();
  server?.stop();
});

for (const [version, script] of Object.entries(scripts)) {
  describe(`socket.io-client ${version} in a page`, () => {
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      test(transports.join(', then '), { timeout: 60_000 }, async () => {
        const page = await browser.newPage();
        await page.goto(`${pages.originOn('127.0.0.1')}/page/samples.js`);
        await page.addScriptTag({ content: await readFile(require.resolve(`socket.io-client-${version}/${script}`), 'utf8') });
        const way = await page.evaluate(conversation, `http://127.0.0.1:${server.port}`, transports);
        assert.equal(way, transports.at(-1));
        await page.close();
      });
    }
  });
}

// Runs in the page.
async function conversation(url, transports) {
  const socket = globalThis.io(url, { transports, forceNew: true, reconnection: false });
  const next = (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  await next(socket, 'connect');
  if (transports.length > 1) await next(socket.io.engine, 'upgrade');

  const bytes = (length) => Uint8Array.from({ length }, (_, index) => index % 256).buffer;
  // A description in which buffers are their length and their bytes' sum.
  const described = (value) =>
    JSON.stringify(value, (_, it) =>
      it instanceof ArrayBuffer ? ['buffer', it.byteLength, new Uint8Array(it).reduce((sum, byte) => sum + byte, 0)] : it,
    );
  for (const values of [
    ['hello', { a: [1, null, true] }],
    ['é €😀', '日本'],
    [bytes(3)],
    [{ x: bytes(256), y: [bytes(0), 'é😀', bytes(5)] }, 'z'],
    [bytes(1 << 20), { again: bytes(1 << 20) }],
    ['€'.repeat(100_000)], // more than 1.4.8 can read in a text body
  ]) {
    const back = next(socket, 'echo');
    socket.emit('echo', ...values);
    const [sent, heard] = [described(values), described(await back)];
    if (heard !== sent) throw new Error(`sent ${sent.slice(0, 200)}, heard ${heard.slice(0, 200)}`);
  }
  await next(socket.io.engine, 'pong');
  const way = socket.io.engine.transport.name;
  const ended = next(socket, 'disconnect');
  socket.emit('bye');
  const [reason] = await ended;
  if (reason !== 'io server disconnect') throw new Error(reason);
  return way;
}
