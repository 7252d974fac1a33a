// Who a peer is: its id, the key it came with, and the list of everybody.

import assert from 'node:assert/strict';

import { unlessPeerServer } from '../lib/server.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';
import { freshId } from '../lib/tab.mjs';

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14', '1.4.7', '2.0.0-beta.3']) {
    stage.test(`${client}: a peer opens with its own id`, {}, async () => {
      const tab = await stage.tab(client);
      const id = freshId('own');
      assert.equal(await tab.open(id), id);
    });
  }

  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a peer without an id is given a UUID`, {}, async () => {
      const tab = await stage.tab(client);
      assert.match(await tab.open(null), uuidV4);
    });

    stage.test(`${client}: an id that is taken is refused and its holder stays`, {}, async () => {
      const [holder, latecomer] = [await stage.tab(client), await stage.tab(client)];
      await holder.open();

      await latecomer.start(holder.id);

      assert.deepEqual(await latecomer.sees('error'), ['unavailable-id']);
      assert.equal(await latecomer.count('open'), 0);
      assert.ok((await holder.listAllPeers()).includes(holder.id));
    });

    stage.test(`${client}: everybody is listed`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const peers = await alice.listAllPeers();
      assert.ok(peers.includes(alice.id) && peers.includes(bob.id), `listed: ${peers}`);
    });

    stage.test(
      `${client}: a wrong key is refused`,
      unlessPeerServer('PeerServer answers ERROR, which is server-error'),
      async () => {
        const tab = await stage.tab(client);

        await tab.start(freshId(), { key: 'wrong' });

        assert.deepEqual(await tab.sees('error'), ['invalid-key']);
        assert.equal(await tab.count('open'), 0);
      },
    );
  }
});
