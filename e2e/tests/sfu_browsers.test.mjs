// Rooms of mode SFU with members of every sort: Chromium and Firefox, skyway-js of both generations, and pages that
// speak the room frames of the PeerJS dialect without any SDK.

import assert from 'node:assert/strict';

import { BOTH } from '../lib/sfu.mjs';
import { allGetAll, CLIENT, inRooms, othersOf } from '../lib/sfu_stage.mjs';
import { freshId } from '../lib/tab.mjs';

inRooms(
  (stage) => {
    for (const client of [CLIENT, 'skyway-js-1.1.20']) {
      stage.test(`${client} in Firefox gets all of three others, and they get it`, { timeout: 120_000 }, async () => {
        const fox = await inFirefox(client);
        const members = await stage.enter(freshId('room'), [...(await stage.crowd(2)), fox, ...(await stage.crowd(1))]);

        await allGetAll(members);

        await members[0].close();
        await allGetAll(members.slice(1));
        const again = await members[0].tab.enter(members[1].room);
        await allGetAll([...members.slice(1), again]);
      });
    }

    stage.test('Firefox that only listens, and publishes later', { timeout: 90_000 }, async () => {
      const name = freshId('room');
      const [fox] = await stage.enter(name, [await inFirefox()], { kinds: [] });
      const [alice] = await stage.enter(name, await stage.crowd(1));
      await allGetAll([fox, alice]);

      await fox.publish(BOTH);

      await allGetAll([fox, alice]);
    });

    stage.test('a page without SDK is in one room with skyway-js in both browsers', { timeout: 90_000 }, async () => {
      const name = freshId('room');
      const members = await stage.enter(name, [...(await stage.crowd(1)), await inFirefox()]);
      members.push(await (await stage.tab(CLIENT)).enterByFrames(name));
      await members[2].sees('open');

      await allGetAll(members);

      const [alice, fox, frames] = members;
      const data = await frames.send('nested');
      for (const other of [alice, fox]) assert.deepEqual(await other.receives(1), [{ src: frames.id, data }]);
      await frames.close();
      assert.deepEqual(await alice.sees('peerLeave'), [frames.id]);
      await allGetAll([alice, fox]);
    });

    async function inFirefox(client = CLIENT) {
      const tab = await stage.tab(client, { seat: stage.seats[1] });
      await tab.open();
      return tab;
    }
  },
  'chromium',
  'firefox',
);

inRooms((stage) => {
  stage.test('three pages without SDK, of whom one only listens', { timeout: 90_000 }, async () => {
    const name = freshId('room');
    const members = [];
    for (const kinds of [BOTH, [], BOTH]) {
      members.push(await (await stage.tab(CLIENT)).enterByFrames(name, { kinds }));
      await members.at(-1).sees('open');
    }

    await allGetAll(members);

    for (const member of members) {
      const others = othersOf(member, members).filter(({ kinds }) => kinds.length);
      const told = others.map(({ id }) => [id, 'audio', 'video']);
      assert.deepEqual((await member.told()).sort(), told.sort());
    }
  });
});
