// What becomes of rooms of mode SFU when cables are slow, lossy or cut, and when the server dies.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { browserNames } from '../../lib/browsers.mjs';
import { whyNoLan } from '../../lib/lan.mjs';
import { onlyPeerway } from '../../lib/server.mjs';
import { SfuLanStage } from '../../lib/sfu_lan_stage.mjs';
import { allGetAll } from '../../lib/sfu_stage.mjs';
import { on } from '../../lib/stage.mjs';
import { freshId } from '../../lib/tab.mjs';

const { skip } = onlyPeerway('only peerway forwards media');
const noChromium = !browserNames.includes('chromium') && 'in Chromium only';
on(new SfuLanStage(), define, { skip: skip || noChromium || (await whyNoLan()) });

const SLOW = { kbit: 300, queue: 200, loss: 5 };

function define(stage) {
  stage.test('on a slow and lossy cable pictures move, both ways', { timeout: 120_000 }, async (context) => {
    const [alice, bob] = await together();

    await stage.spoil(1, SLOW);

    // They find out what the cable carries.
    await delay(15_000);
    for (const member of [alice, bob]) await member.blink();
    await delay(15_000);
    for (const [member, other] of [
      [alice, bob],
      [bob, alice],
    ]) {
      const view = await member.viewOf(other);
      context.diagnostic(`${member.id} of ${other.id}: ${JSON.stringify(view)}`);
      assert.ok(view.changes > 30, `${view.changes} pictures in 15 s`);
    }
  });

  stage.test('who sits at a slow cable slows nobody', { timeout: 120_000 }, async (context) => {
    const [alice, bob] = await together({ busy: true });
    const [carol] = await stage.enter(alice.room, [await stage.tabOn(0)], { kinds: ['audio'] });
    await allGetAll([alice, bob, carol]);

    await stage.spoil(1, SLOW);

    await delay(5000);
    const before = await bytesOf(carol);
    await carol.blink();
    await delay(15_000);
    const view = await carol.viewOf(alice);
    const rate = ((await bytesOf(carol)) - before) * (8 / 15_000);
    context.diagnostic(`carol of alice: ${Math.round(rate)} kbit/s, ${JSON.stringify(view)}`);
    assert.ok(view.changes > 110, `${view.changes} pictures in 15 s`);
    assert.ok(view.longestPause < 1500, `a pause of ${view.longestPause} ms`);
    assert.ok(rate > 600, `${rate} kbit/s`);
  });

  stage.test("a publisher's cable that is out for 3 s costs nothing more", { timeout: 90_000 }, async (context) => {
    const [alice, bob] = await together();
    const offers = (await bob.offers()).length;

    await stage.lan.unplug(stage.seats[0].machine);
    await delay(3000);
    await stage.lan.plugIn(stage.seats[0].machine);

    const mended = Date.now();
    for (const member of [alice, bob]) await member.blink();
    await allGetAll([alice, bob]);
    context.diagnostic(`all is back after ${Date.now() - mended} ms`);
    assert.equal((await bob.offers()).length, offers);
    for (const member of [alice, bob]) {
      assert.deepEqual((await member.told()).length, 1);
      assert.ok(!(await member.events()).some(([event]) => event === 'close'));
    }
  });

  stage.test('a server that dies and comes back: who joins again is in', { timeout: 180_000 }, async (context) => {
    const [alice, bob] = await together();

    await stage.server.kill();
    await stage.server.start();
    await Promise.all([alice, bob].map(({ tab }) => tab.connects()));

    const restarted = Date.now();
    // skyway-js closes a room whose path is gone.
    await Promise.all([alice, bob].map((member) => member.tab.within(90_000, '"close"', closed, member.index)));
    context.diagnostic(`the rooms are closed ${Date.now() - restarted} ms after the restart`);
    const again = await stage.enter(alice.room, [alice.tab, bob.tab]);
    await allGetAll(again);
  });

  const closed = (index) => e2e.rooms[index].events.some(([event]) => event === 'close');

  // One on each seat, in one room.
  async function together(options) {
    const members = await stage.enter(freshId('room'), [await stage.tabOn(0), await stage.tabOn(1)], options);
    await allGetAll(members, { patience: 30_000 });
    return members;
  }
}

const bytesOf = (member) =>
  member.tab.run(async (index) => {
    const report = await e2e.rtcOf(e2e.rooms[index].room).getStats();
    const videos = [...report.values()].filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return videos.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  }, member.index);
