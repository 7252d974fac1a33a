// Rooms of mode SFU of pages with skyway-js 1.x, which in Chromium can have two lines only: it gets one other member.

import assert from 'node:assert/strict';

import { sections } from '../lib/sfu.mjs';
import { allGetAll, CLIENT, inRooms } from '../lib/sfu_stage.mjs';
import { freshId } from '../lib/tab.mjs';

inRooms((stage) => {
  for (const client of ['skyway-js-1.1.20', 'skyway-js-1.4.0']) {
    stage.test(`${client}: two see and hear each other`, {}, async () => {
      const members = await stage.enter(freshId('room'), await stage.crowd(2, client));

      await allGetAll(members);

      for (const member of members) {
        for (const { offer } of await member.offers()) {
          const { media } = sections(offer.sdp);
          assert.deepEqual(media.map(({ mid }) => mid).sort(), ['audio', 'video']);
        }
      }
    });

    stage.test(`${client} and the last one see and hear each other`, {}, async () => {
      const tabs = [...(await stage.crowd(1, client)), ...(await stage.crowd(1, CLIENT))];

      await allGetAll(await stage.enter(freshId('room'), tabs));
    });

    stage.test(`${client}: another comes after the first has gone, several times`, { timeout: 120_000 }, async () => {
      const name = freshId('room');
      const tabs = [...(await stage.crowd(1, client)), ...(await stage.crowd(1, CLIENT)), ...(await stage.crowd(1, client))];
      const [stayer] = await stage.enter(name, [tabs[0]]);

      for (const tab of [tabs[1], tabs[2], tabs[1], tabs[2]]) {
        const [guest] = await stage.enter(name, [tab]);
        await allGetAll([stayer, guest]);
        await guest.close();
      }
    });

    stage.test(`${client} gets one of two, and the other one when that has gone`, { timeout: 90_000 }, async () => {
      const name = freshId('room');
      const [old, alice, bob] = [...(await stage.crowd(1, client)), ...(await stage.crowd(2, CLIENT))];
      const [first, second] = await stage.enter(name, [alice, bob]);
      const [third] = await stage.enter(name, [old]);
      // Whose media were there first, which on a busy machine need not be who came first.
      const seenIs = (member) => third.gets([member]).then(() => member);
      const seen = await Promise.any([first, second].map(seenIs));
      const other = seen === first ? second : first;
      await Promise.all([first.gets([second, third]), second.gets([first, third])]);

      await seen.close();

      await allGetAll([other, third]);
    });

    stage.test(`${client}: who publishes nothing gets what the other publishes`, {}, async () => {
      const name = freshId('room');
      const tabs = await stage.crowd(2, client);
      const [listener] = await stage.enter(name, [tabs[0]], { kinds: [] });
      const [other] = await stage.enter(name, [tabs[1]]);

      await allGetAll([listener, other]);
    });
  }
});
