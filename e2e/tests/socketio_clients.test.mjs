// Published socket.io clients in Node against the server's Socket.IO transport, which echoes here.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { Cable } from '../lib/cable.mjs';
import { EchoServer } from '../lib/echo.mjs';

const require = createRequire(import.meta.url);
const versions = ['1.4.8', '1.7.4', '2.0.3', '2.5.0'];
const ways = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  'polling, then websocket': { transports: ['polling', 'websocket'] },
};
const PATIENCE_MS = 20_000;

for (const version of versions) {
  const io = require(`socket.io-client-${version}`);

  describe(`socket.io-client ${version}`, () => {
    let server;
    before(async () => (server = await EchoServer.start({ ping: 300 })));
    after(() => server.stop());

    for (const [name, options] of Object.entries(ways)) {
      describe(name, () => {
        let cable;
        let socket;
        before(async () => {
          cable = await Cable.to(server);
          socket = await connected(io, cable, options);
        });
        after(() => {
          socket.close();
          cable.close();
        });

        test('it goes the way it shall', () => assert.equal(way(socket), options.transports.at(-1)));

        test('text comes back as it was', async () => {
          await returns(socket, 'hello');
          await returns(socket, 'é €😀', { ü: ['日本', null, 1.5, true] }, '');
          await returns(socket, 'Ã©'); // what é looks like when it is encoded twice
          await returns(socket, '€'.repeat(300_000));
        });

        test('binary comes back as it was', async () => {
          const [small, big] = [Buffer.from([0, 1, 255]), Buffer.alloc(1 << 20, 7)];
          await returns(socket, small);
          await returns(socket, { x: Buffer.from('é'), y: [Buffer.alloc(0), '😀', small] }, 'z');
          await returns(socket, [big, { big }]);
        });

        test('order stays', async () => {
          const counted = [];
          socket.on('count', (value) => counted.push(Buffer.isBuffer(value) ? value[0] : value));
          for (let count = 0; count < 100; count++) socket.emit('count', count % 7 ? count : Buffer.from([count]));
          await returns(socket, 'last');
          assert.deepEqual(counted, [...Array(100).keys()]);
        });

        test('an acknowledgement comes', async () => {
          const answer = await new Promise((resolve) =>
            socket.emit('echo', 'é', Buffer.from('x'), (...args) => resolve(args)),
          );
          assert.deepEqual(answer, ['é', Buffer.from('x')]);
        });

        test('it pings and stays', async () => {
          for (let pongs = 0; pongs < 3; pongs++) await heard(socket.io.engine, 'pong');
          await returns(socket, 'here');
        });

        test('it comes back when its connection breaks', async () => {
          const [lost, back] = [heard(socket, 'disconnect'), heard(socket, 'connect')];
          // A poller that is cut between two polls would not notice otherwise.
          cable.cut({ down: true });
          await lost;
          cable.mend();
          await back;
          await onItsWay(socket, options);
          await returns(socket, 'here again', Buffer.from('x'));
        });

        test('it hears when the server ends it', async () => {
          const told = heard(socket, 'disconnect');
          socket.emit('bye');
          assert.deepEqual(await told, ['io server disconnect']);
        });
      });
    }

    test('another namespace is refused', async () => {
      const socket = io(`http://127.0.0.1:${server.port}/chat`, { forceNew: true });
      const [error] = await heard(socket, 'error');
      assert.equal(error, 'Invalid namespace');
      socket.close();
    });
  });
}

async function connected(io, { port }, options) {
  const url = `http://127.0.0.1:${port}?a=b`;
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, randomizationFactor: 0, ...options });
  await heard(socket, 'connect');
  await onItsWay(socket, options);
  return socket;
}

async function onItsWay(socket, { transports }) {
  if (way(socket) !== transports.at(-1)) await heard(socket.io.engine, 'upgrade');
}

const way = (socket) => socket.io.engine.transport.name;

// What comes with the next event of a name. (1.x emits `error` on the way, which `once` of Node would take for its own.)
function heard(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited in vain for ${event}`)), PATIENCE_MS);
    emitter.once(event, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}

async function returns(socket, ...values) {
  const back = heard(socket, 'echo');
  socket.emit('echo', ...values);
  assert.deepEqual(await back, values);
}
