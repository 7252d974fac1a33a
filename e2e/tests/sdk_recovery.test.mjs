// What pages with our SDK do when the server or the line to it goes away, and when pages come and go.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { inOneBrowser, OURS, withSdk, withSdkInEveryBrowser } from '../lib/sdk_stage.mjs';
import { allGetAll } from '../lib/sfu_stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

withSdkInEveryBrowser((stage) => {
  for (const millis of [0, 5000]) {
    stage.test(
      `the line to the server is cut for ${millis} ms: the same peer is back by itself`,
      millis ? inOneBrowser(stage) : {},
      async (context) => {
        const alice = await stage.tabOnCable();
        await alice.open();
        const bob = await stage.tab(OURS);
        await bob.open();
        const [outbound, inbound] = await connected(alice, bob);

        alice.cable.cut({ down: millis > 0 });
        await alice.sees('reconnecting');
        await carries(outbound, inbound, ['nested']);
        await delay(millis);
        alice.cable.mend();

        const mended = performance.now();
        assert.deepEqual(await alice.sees('reconnected'), [alice.id]);
        context.diagnostic(`back after ${Math.round(performance.now() - mended)} ms`);
        for (const [caller, callee] of [
          [alice, bob],
          [bob, alice],
        ]) {
          await carries(...(await connected(caller, callee)), ['nested']);
        }
        await carries(inbound, outbound, ['nested']);
        assert.equal(await alice.count('open'), 1, 'open is told once');
        assert.equal(await alice.count('disconnected'), 0);
      },
    );
  }

  stage.test('the server restarts: peers and rooms are back by themselves', { timeout: 90_000 }, async (context) => {
    const tabs = await stage.crowd(2);
    const name = freshId('room');
    const rooms = await stage.enter(name, tabs, { kinds: [], mode: 'mesh' });
    const [outbound, inbound] = await connected(...tabs);

    await stage.server.kill();
    await carries(outbound, inbound, ['nested']);
    await stage.server.start();

    const started = performance.now();
    await Promise.all(tabs.map((tab) => tab.sees('reconnected')));
    context.diagnostic(`peers are back after ${Math.round(performance.now() - started)} ms`);
    const data = await say(rooms[0], rooms[1]);
    assert.equal(data.src, tabs[0].id);
    context.diagnostic(`rooms are back after ${Math.round(performance.now() - started)} ms`);
    await carries(...(await connected(...tabs)), ['nested']);
    for (const room of rooms) assert.ok(!(await room.events()).some(([event]) => event === 'close'));
  });

  stage.test('a page is loaded again, and has its id at once', {}, async (context) => {
    const [alice, bob] = await stage.pair(OURS);
    const [, inbound] = await connected(alice, bob);
    const { id } = alice;

    const begin = performance.now();
    await alice.load(stage.pages.urlFor(OURS));
    await alice.open(id);
    context.diagnostic(`open again after ${Math.round(performance.now() - begin)} ms`);

    await inbound.sees('close', 2000);
    await carries(...(await connected(bob, alice)), ['nested']);
  });

  stage.test('a page is closed, and the others know within two seconds', {}, async () => {
    const [alice, bob] = await stage.pair(OURS);
    const [, inbound] = await connected(alice, bob);
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    await alice.page.close();

    await Promise.all([inbound.sees('close', 2000), incoming.sees('close', 2000)]);
  });

  stage.test('an id that somebody else has, and a peer that is destroyed', inOneBrowser(stage), async () => {
    const alice = await stage.tab(OURS);
    await alice.open();
    const thief = await stage.tab(OURS);
    await thief.start(alice.id);
    await thief.sees('error');
    assert.deepEqual(
      (await thief.errors()).map(({ type }) => type),
      ['unavailable-id'],
    );

    const bob = await stage.tab(OURS);
    await bob.open();
    const [outbound, inbound] = await connected(alice, bob);
    await alice.run(() => e2e.peer.destroy());
    await inbound.sees('close', 2000);
    await outbound.sees('close');
    await alice.sees('close');
    const state = await alice.run(() => {
      const { peer } = e2e;
      return [peer.open, peer.destroyed, peer.disconnected, e2e.rtcOf(e2e.links[0].connection)?.connectionState];
    });
    assert.deepEqual(state.slice(0, 3), [false, true, true]);
    assert.ok(['closed', undefined].includes(state[3]), state[3]);
    // The id is free.
    await (await stage.tab(OURS)).open(alice.id);
  });

  // Until it is heard: the other may not be in again yet.
  async function say(speaker, listener) {
    for (;;) {
      await speaker.send('nested');
      const heard = (await listener.received()).at(-1);
      if (heard) return heard;
      await delay(200);
    }
  }
});

withSdk((stage) => {
  for (const mode of ['mesh', 'sfu']) {
    stage.test(
      `${mode}: the server dies in a room with pictures, and comes back`,
      { timeout: 120_000 },
      async (context) => {
        const members = await stage.enter(freshId('room'), await stage.crowd(3), { mode });
        await allGetAll(members);

        await stage.server.kill();
        await stage.server.start();

        const started = performance.now();
        await Promise.all(members.map(({ tab }) => tab.sees('reconnected')));
        for (const member of members) await member.blink();
        await allGetAll(members, { patience: 60_000 });
        context.diagnostic(`all get all ${Math.round(performance.now() - started)} ms after the restart`);
        for (const member of members) {
          assert.ok(!(await member.events()).some(([event]) => event === 'close'));
          assert.equal((await member.tab.run((index) => e2e.rooms[index].room.getPeers(), member.index)).length, 2);
        }
      },
    );

    stage.test(`${mode}: the line of one member is cut`, { timeout: 120_000 }, async () => {
      const tabs = [await stage.tabOnCable(), ...(await stage.crowd(1))];
      await tabs[0].open();
      const members = await stage.enter(freshId('room'), tabs, { mode });
      await allGetAll(members);

      tabs[0].cable.cut();

      await tabs[0].sees('reconnected');
      await delay(500);
      for (const member of members) await member.blink();
      await allGetAll(members, { patience: 40_000 });
    });
  }
});
