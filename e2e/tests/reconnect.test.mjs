// A peer that leaves the server on purpose and comes back.

import assert from 'node:assert/strict';

import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a peer reconnects with its id and can be reached again`, {}, async () => {
      const [alice, bob] = await stage.pair(client);

      await bob.disconnect();
      await bob.reconnect();

      assert.deepEqual(await bob.sees('open', 2), [bob.id, bob.id]);
      const [outbound, inbound] = await connected(alice, bob);
      await carries(outbound, inbound, ['nested']);
    });

    stage.test(`${client}: an open connection outlives its peers' stay at the server`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const [outbound, inbound] = await connected(alice, bob);

      await Promise.all([alice.disconnect(), bob.disconnect()]);

      await carries(outbound, inbound, ['nested']);
      await carries(inbound, outbound, ['nested']);
    });
  }
});
