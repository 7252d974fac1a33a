// PeerJS 0.3 sends nothing while it idles; the server has to keep the peer all the same.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { unlessPeerServer } from '../../lib/server.mjs';
import { inEveryBrowser } from '../../lib/stage.mjs';
import { carries, connected } from '../../lib/tab.mjs';

const IDLE_MS = 3 * 60_000;

describe('while idle', { concurrency: true }, () => {
  inEveryBrowser((stage) => {
    stage.test(
      '0.3.14: tabs on a WebSocket and on XHR alone are still reachable after three minutes idle',
      { timeout: IDLE_MS + 60_000, ...unlessPeerServer('PeerServer cuts clients that send no HEARTBEAT') },
      async () => {
        const onSocket = await stage.tab('0.3.14');
        const onStream = await stage.tab('0.3.14', { webSocket: false });
        await Promise.all([onSocket.open(), onStream.open()]);

        await delay(IDLE_MS);

        for (const idle of [onSocket, onStream]) {
          const visitor = await stage.tab('0.3.14');
          await visitor.open();
          const [outbound, inbound] = await connected(visitor, idle);
          await carries(outbound, inbound, ['nested']);
          await carries(inbound, outbound, ['nested']);

          assert.equal(await idle.count('open'), 1);
          assert.equal(await idle.count('disconnected'), 0);
          assert.equal(await idle.count('error'), 0);
        }
      },
    );
  });
});
