// Pages with skyway-js: who a peer is, who is refused, and who else is there.

import assert from 'node:assert/strict';

import { onlyPeerway } from '../lib/server.mjs';
import { clients, FOREIGN_KEY, inChromium, SECRET, SIGNED_KEY } from '../lib/skyway_stage.mjs';
import { credentialFor } from '../lib/skyway.mjs';
import { freshId } from '../lib/tab.mjs';

inChromium((stage) => {
  for (const client of clients) {
    stage.test(`${client}: a peer opens with its own id, over a WebSocket in the end`, {}, async () => {
      const tab = await stage.tab(client);
      const id = freshId('own');

      assert.equal(await tab.open(id), id);
      await tab.upgrades();
    });

    stage.test(`${client}: a peer without an id is given 16 letters and digits`, {}, async () => {
      const tab = await stage.tab(client);
      assert.match(await tab.open(null), /^[A-Za-z0-9]{16}$/);
    });

    for (const [transport, options] of [
      ['a WebSocket', {}],
      ['polling alone', { webSocket: false }],
    ]) {
      stage.test(`${client}: an id that is taken is refused and its holder, by ${transport}, stays`, {}, async () => {
        const [holder, latecomer] = [await stage.tab(client, options), await stage.tab(client)];
        await holder.open();
        if (transport === 'a WebSocket') await holder.upgrades();

        await latecomer.start(holder.id);

        await refusal(latecomer, 'unavailable-id');
        assert.ok((await holder.listAllPeers()).includes(holder.id));
        assert.equal(await holder.count('error'), 0);
      });
    }

    stage.test(`${client}: a wrong key is refused`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.start(freshId(), { key: '00000000-0000-4000-8000-000000000000' });
      await refusal(tab, 'invalid-key');
    });

    stage.test(`${client}: a page of another origin than the key's is refused`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.start(freshId(), { key: FOREIGN_KEY });
      await refusal(tab, 'invalid-domain');
    });

    stage.test(`${client}: who calls nobody is told whom it was about`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.open();

      await tab.begin('no body-at_all');

      await tab.sees('error');
      const [{ type, message }] = await tab.errors();
      assert.equal(type, 'peer-unavailable');
      // As Udonarium finds it.
      assert.equal(message.match(/"(.+)"/)?.[1], 'no body-at_all');
    });

    stage.test(`${client}: everybody of the key is listed`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const listed = await alice.listAllPeers();
      assert.ok(listed.includes(alice.id) && listed.includes(bob.id), `listed: ${listed}`);
    });

    stage.test(
      `${client}: a key whose peers may not be listed says so`,
      onlyPeerway('the relay lists every key'),
      async () => {
        const tab = await stage.tab(client);
        const id = freshId();
        await tab.open(id, { key: SIGNED_KEY, credential: credentialFor(id, { secret: SECRET }) });

        // The settings of the server allow it, those of the app do not.
        assert.deepEqual(await tab.listAllPeers(), []);
        await tab.sees('error');
        assert.deepEqual(
          (await tab.errors()).map(({ type }) => type),
          ['list-error'],
        );
      },
    );
  }

  // Since 4.2, once a second.
  stage.test('skyway-js-4.4.5: a peer is there or it is not', {}, async () => {
    const [alice, bob] = await stage.pair('skyway-js-4.4.5');
    const carol = await stage.tab('skyway-js-4.4.5');
    await carol.open('with a space');

    assert.equal(await alice.fetchPeerExists(bob.id), true);
    assert.equal(await bob.fetchPeerExists('with a space'), true);
    assert.equal(await carol.fetchPeerExists('nobody'), false);
  });

  for (const client of clients) {
    stage.test(`${client}: an id is free again once its holder has gone`, {}, async () => {
      const [holder, witness, heir] = [await stage.tab(client), await stage.tab(client), await stage.tab(client)];
      await Promise.all([holder.open(), witness.open()]);
      await holder.upgrades();

      await holder.run(() => e2e.peer.destroy());
      await holder.sees('close');
      await witness.until(
        'the holder go',
        async (id) => !(await new Promise((resolve) => e2e.peer.listAllPeers(resolve))).includes(id),
        holder.id,
      );

      assert.equal(await heir.open(holder.id), holder.id);
    });
  }
});

// The peer hears why, once, and nothing else happens.
async function refusal(tab, type) {
  await tab.sees('error');
  await tab.until('the end of the connection', () => !e2e.peer.socket._io.connected);
  assert.deepEqual(
    (await tab.errors()).map(({ type }) => type),
    [type],
  );
  assert.equal(await tab.count('open'), 0);
}
