// Pages with skyway-js whose line to the server breaks, or that never get a WebSocket.

import assert from 'node:assert/strict';

import { clients, inChromium, SAFARI, SECRET, SIGNED_KEY } from '../lib/skyway_stage.mjs';
import { credentialFor } from '../lib/skyway.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

inChromium((stage) => {
  for (const client of clients) {
    stage.test(`${client}: a cut line costs nothing: same id, same rooms, no word lost`, {}, async () => {
      const alice = await openOnCable(client);
      const [bob, carol] = await stage.crowd(2, client);
      const name = freshId('room');
      const rooms = [];
      for (const tab of [alice, bob, carol]) {
        rooms.push(await tab.join(name));
        await rooms.at(-1).sees('open');
      }
      const [ofAlice, ofBob, ofCarol] = rooms;
      await ofAlice.showsPeers([bob.id, carol.id]);
      const before = await Promise.all(rooms.map((room) => room.events()));

      alice.cable.cut({ down: true });
      await alice.isCutOff();
      const sent = [];
      for (const sample of ['text', 'bytes']) {
        sent.push({ src: bob.id, data: await ofBob.send(sample) });
        await ofCarol.receives(sent.length);
      }
      const spoken = await ofAlice.send('nested'); // waits in the page
      alice.cable.mend();

      assert.deepEqual(await ofAlice.receives(2), sent);
      assert.deepEqual((await ofCarol.receives(3)).at(-1), { src: alice.id, data: spoken });
      assert.deepEqual(await Promise.all(rooms.map((room) => room.events())), before, 'somebody noticed');
      assert.equal(await alice.count('open'), 1);
      assert.equal(await alice.count('error'), 0);
      const [outbound, inbound] = await connected(bob, alice);
      await carries(outbound, inbound, ['nested']);
      const dave = await stage.tab(client);
      await dave.open();
      const ofDave = await dave.join(name);
      await ofDave.showsPeers([alice.id, bob.id, carol.id]);
    });

    stage.test(`${client}: a call to a peer whose line is cut reaches it afterwards`, {}, async () => {
      const alice = await openOnCable(client);
      const bob = await stage.tab(client);
      await bob.open();

      alice.cable.cut({ down: true });
      await alice.isCutOff();
      const outgoing = await bob.call(alice.id);
      alice.cable.mend();

      const incoming = await alice.endOf(outgoing);
      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
      assert.equal(await bob.count('error'), 0);
    });

    stage.test(`${client}: a page that is loaded again takes its id from the one that is cut off`, {}, async () => {
      const before = await openOnCable(client);
      const [bob] = await stage.crowd(1, client);
      const name = freshId('room');
      const ofBob = await bob.join(name, { receiveOnly: true });
      await ofBob.sees('open');
      await (await before.join(name, { receiveOnly: true })).sees('open');
      await ofBob.sees('peerJoin');

      before.cable.cut({ down: true });
      await before.isCutOff();
      const after = await stage.tab(client);
      await after.open(before.id);

      assert.equal(await after.count('error'), 0);
      assert.deepEqual(await ofBob.sees('peerLeave'), [before.id]);
      const [outbound] = await connected(bob, after);
      assert.equal((await outbound.facts()).peer ?? (await bob.run(() => e2e.links[0].connection.remoteId)), after.id);
    });

    stage.test(`${client}: a credential is renewed, and the new one is good for a reconnect`, {}, async () => {
      const alice = await stage.tabOnCable(client);
      const id = freshId('signed');
      // 302 seconds are left; at 300 the server warns.
      await alice.open(id, { key: SIGNED_KEY, credential: signed(id, { age: 298 }) });
      await alice.upgrades();
      assert.deepEqual(await alice.sees('expiresin'), [300]);

      await alice.run((credential) => e2e.peer.updateCredential(credential), signed(id));
      alice.cable.cut();
      await alice.isCutOff();
      await alice.connects();

      const bob = await stage.tab(client);
      const other = freshId('signed');
      await bob.open(other, { key: SIGNED_KEY, credential: signed(other) });
      const [outbound, inbound] = await connected(bob, alice);
      await carries(outbound, inbound, ['nested']);
      assert.equal(await alice.count('error'), 0);
    });

    stage.test(`${client}: credentials that are wrong, missing, too short or of another are refused`, {}, async () => {
      const messages = new Set();
      for (const credentialOf of [
        () => undefined,
        (id) => ({ ...signed(id), authToken: 'AAAA' }),
        () => signed('another'),
        (id) => signed(id, { ttl: 599 }),
        (id) => signed(id, { ttl: 90_001 }),
        (id) => signed(id, { age: 601 }),
        (id) => signed(id, { age: -120 }),
      ]) {
        const tab = await stage.tab(client);
        const id = freshId('signed');
        await tab.start(id, { key: SIGNED_KEY, credential: credentialOf(id) });
        await tab.sees('error');
        const [{ type, message }] = await tab.errors();
        assert.equal(type, 'authentication', message);
        assert.equal(await tab.count('open'), 0);
        messages.add(message);
        await tab.close();
      }
      // Wrong and another's are the same mistake.
      assert.equal(messages.size, 6, [...messages].join('\n'));
    });

    stage.test(`${client}: with its credential a session ends, and is told`, {}, async () => {
      const tab = await stage.tab(client);
      const id = freshId('signed');
      await tab.open(id, { key: SIGNED_KEY, credential: signed(id, { age: 597 }) });

      await tab.sees('error');
      await tab.isCutOff();
      assert.deepEqual(
        (await tab.errors()).map(({ type }) => type),
        ['authentication'],
      );
    });
  }

  // 4.4.2 and later stay with polling in Safari 15; earlier ones do where no WebSocket gets through.
  for (const [client, options] of [
    ['skyway-js-4.4.5', { userAgent: SAFARI }],
    ['skyway-js-1.1.20', { webSocket: false }],
  ]) {
    stage.test(`${client}: polling alone does for everything`, {}, async () => {
      const [alice, bob] = [await stage.tabOnCable(client, options), await stage.tab(client, options)];
      await Promise.all([alice.open(), bob.open()]);
      const name = freshId('room');
      const ofAlice = await alice.join(name);
      await ofAlice.sees('open');
      const ofBob = await bob.join(name);
      await Promise.all([ofAlice.showsPeers([bob.id]), ofBob.showsPeers([alice.id])]);

      const samples = ['text', 'emoji', 'nested', 'buffers', '200 kB'];
      for (const [from, to] of [
        [ofAlice, ofBob],
        [ofBob, ofAlice],
      ]) {
        for (const [index, sample] of samples.entries()) {
          const data = await from.send(sample);
          assert.deepEqual((await to.receives(index + 1)).at(-1), { src: from.id, data });
        }
      }
      // A connection that was in use before is tried once more by Chromium itself, so it has to stay broken.
      alice.cable.cut({ down: true });
      await alice.isCutOff();
      const data = await ofBob.send('bytes');
      alice.cable.mend();
      assert.deepEqual((await ofAlice.receives(samples.length + 1)).at(-1), { src: bob.id, data });
      const [outbound, inbound] = await connected(alice, bob);
      await carries(outbound, inbound, ['nested']);
      for (const tab of [alice, bob]) {
        assert.equal(await tab.transport(), 'polling');
        assert.equal(await tab.count('error'), 0);
      }
    });
  }

  async function openOnCable(client) {
    const tab = await stage.tabOnCable(client);
    await tab.open();
    await tab.upgrades();
    return tab;
  }
});

const signed = (id, options) => credentialFor(id, { secret: SECRET, ...options });
