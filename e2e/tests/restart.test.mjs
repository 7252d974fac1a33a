// The server goes away and comes back while two peers are connected.

import assert from 'node:assert/strict';

import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a connection survives a server restart and its peers come back`, {}, async () => {
      const tabs = await stage.pair(client);
      const [outbound, inbound] = await connected(...tabs);

      await stage.server.stop();
      for (const tab of tabs) {
        await tab.sees('disconnected');
        assert.deepEqual(new Set(await tab.sees('error')), new Set(['network']));
      }
      await carries(outbound, inbound, ['nested', 'megabyte']);

      await stage.server.start();
      for (const tab of tabs) {
        await tab.reconnect();
        assert.deepEqual(await tab.sees('open', 2), [tab.id, tab.id]);
      }
      await carries(inbound, outbound, ['nested', 'megabyte']);
      const again = await connected(...tabs);
      await carries(...again, ['nested']);
    });
  }
});
