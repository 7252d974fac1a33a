// Rooms of pages with our SDK, of both modes, alone and together with skyway-js.

import assert from 'node:assert/strict';

import { BOTH } from '../lib/sfu.mjs';
import { allGetAll, CLIENT, othersOf } from '../lib/sfu_stage.mjs';
import { OURS, withSdk } from '../lib/sdk_stage.mjs';
import { freshId } from '../lib/tab.mjs';

// The height of busy pictures, of which simulcast makes a smaller size.
const WHOLE = 480;

withSdk((stage) => {
  for (const mode of ['mesh', 'sfu']) {
    stage.test(`${mode}: three meet, one leaves and comes back`, { timeout: 90_000 }, async () => {
      const members = await stage.enter(freshId('部屋/'), await stage.crowd(3), { mode });
      const [alice, bob, carol] = members;
      await allGetAll(members);
      for (const member of members) {
        const told = othersOf(member, members).map(({ id }) => [id, 'audio', 'video']);
        assert.deepEqual((await member.told()).sort(), told.sort(), 'each stream is told once');
      }

      await carol.close();
      for (const other of [alice, bob]) assert.deepEqual(await other.sees('peerLeave'), [carol.id]);
      await allGetAll([alice, bob]);

      const again = await carol.tab.enter(alice.room, { mode });
      await again.sees('open');
      await allGetAll([alice, bob, again]);
    });

    stage.test(`${mode}: ours and skyway-js in one room`, { timeout: 90_000 }, async () => {
      const name = freshId('room');
      // Each of them is once a newcomer and once there before.
      const tabs = [...(await stage.crowd(1)), ...(await stage.crowd(2, CLIENT)), ...(await stage.crowd(1))];
      const members = await stage.enter(name, tabs, { mode });

      await allGetAll(members, { patience: 40_000 });

      const said = [];
      for (const [speaker, sample] of [
        [members[0], 'nested'],
        [members[1], 'text'],
        [members[3], 'bytes'],
        [members[2], 'buffers'],
      ]) {
        said.push({ src: speaker.id, data: await speaker.send(sample) });
        for (const other of othersOf(speaker, members)) {
          const heard = said.filter(({ src }) => src !== other.id);
          assert.deepEqual(await other.receives(heard.length), heard);
        }
      }
    });

    stage.test(`${mode}: another stream in place of the first, and who only listens`, { timeout: 90_000 }, async () => {
      const name = freshId('room');
      const tabs = await stage.crowd(2);
      const [listener] = await stage.enter(name, tabs.slice(0, 1), { kinds: [], mode });
      const [alice] = await stage.enter(name, tabs.slice(1), { mode });
      await allGetAll([listener, alice]);

      await alice.publish(BOTH);
      await listener.blink();
      await allGetAll([listener, alice]);
      await listener.publish(BOTH);
      await allGetAll([listener, alice]);
    });

    stage.test(`${mode}: a camera and a screen of one member`, { timeout: 90_000 }, async () => {
      const [alice, bob] = await stage.enter(freshId('room'), await stage.crowd(2), { mode });
      await allGetAll([alice, bob]);

      await alice.publishAs('screen');

      await bob.seesStream(alice, 'screen');
      // Who comes late sees both.
      const [carol] = await stage.enter(alice.room, await stage.crowd(1), { mode });
      await carol.seesStream(alice, 'screen');
      await carol.seesStream(alice);

      await alice.unpublish('screen');
      await bob.sees('removeStream');
      await allGetAll([alice, bob, carol]);
    });
  }

  stage.test('what is said, and the log of it', {}, async () => {
    const [alice, bob, carol] = await stage.enter(freshId('room'), await stage.crowd(3), { kinds: [], mode: 'mesh' });
    const samples = ['text', 'emoji', 'nested', 'bytes', '200 kB', 'buffers', 'typed arrays'];
    const sent = [];
    // A frame of the PeerJS dialect holds 256 KiB, of which bytes in Base64 take a third more.
    for (const sample of samples.map((name) => (name === '200 kB' ? 100_000 : name))) {
      sent.push({ src: alice.id, data: await alice.send(sample) });
      for (const other of [bob, carol]) assert.deepEqual(await other.receives(sent.length), sent);
    }
    await carol.send('text');

    assert.deepEqual(
      (await alice.receives(1)).map(({ src }) => src),
      [carol.id],
    );
    assert.deepEqual(await bob.log(), [
      ...[alice, bob, carol].map(({ id }) => ['ROOM_USER_JOIN', id]),
      ...samples.map(() => ['ROOM_DATA', alice.id]),
      ['ROOM_DATA', carol.id],
    ]);
  });

  stage.test('a room is mesh or SFU, not both, and says so', {}, async () => {
    const [alice, bob] = await stage.crowd(2);
    await stage.enter('either', [alice], { kinds: [], mode: 'mesh' });

    const refused = await bob.enter('either', { kinds: [], mode: 'sfu' });

    const [type] = await refused.tab.until(
      'an error',
      (index) => e2e.detailsOf(e2e.rooms[index].errors, 'error')[0] && e2e.detailsOf(e2e.rooms[index].errors, 'error'),
      refused.index,
    );
    assert.equal(type, 'room_mode');
  });

  stage.test('sfu: five at the same moment', { timeout: 120_000 }, async () => {
    const tabs = await stage.crowd(5);
    const name = freshId('rush');
    const members = await Promise.all(tabs.map((tab) => tab.enter(name)));
    await allGetAll(members, { patience: 40_000 });
    for (const member of members) assert.equal((await member.told()).length, 4);
  });

  stage.test('mesh: four at the same moment', { timeout: 120_000 }, async () => {
    const tabs = await stage.crowd(4);
    const name = freshId('rush');
    const members = await Promise.all(tabs.map((tab) => tab.enter(name, { mode: 'mesh' })));
    await allGetAll(members, { patience: 40_000 });
    for (const member of members) {
      const others = othersOf(member, members).map(({ id }) => [id, 1]);
      assert.deepEqual(await member.connections(), Object.fromEntries(others), 'connections per peer');
    }
  });

  stage.test('sfu: as much of a picture as is asked for', { timeout: 180_000 }, async (context) => {
    const [alice, bob] = await stage.enter(freshId('room'), await stage.crowd(2), { simulcast: true, busy: true });
    await allGetAll([alice, bob]);
    const rids = await alice.tab.run(
      (index) =>
        e2e
          .rtcOf(e2e.rooms[index].room)
          .getSenders()
          .find(({ track }) => track?.kind === 'video')
          .getParameters()
          .encodings.map(({ rid }) => rid),
      alice.index,
    );
    assert.equal(rids.length, 3, `${rids}`);

    // Larger sizes come once Chromium has found out what the path carries, which takes its time.
    const isWhole = async () => {
      const began = performance.now();
      await bob.tab.within(60_000, 'the whole picture', heightAtLeast, bob.index, WHOLE);
      context.diagnostic(`the whole picture after ${Math.round(performance.now() - began)} ms`);
    };

    await isWhole();
    await bob.receive(alice, { video: { maxHeight: 240 } });
    await bob.tab.until('a small picture', heightAtMost, bob.index, 240);
    await bob.receive(alice, { video: false });
    await bob.tab.until('no picture', noPicture, bob.index);
    await bob.receive(alice, { video: true, audio: true });
    await isWhole();
  });

  stage.test('sfu: who speaks is told', {}, async () => {
    const [alice, bob] = await stage.enter(freshId('room'), await stage.crowd(2), { kinds: ['audio'] });
    await allGetAll([alice, bob]);
    const [speaker] = await bob.sees('activeSpeaker');
    assert.ok([alice.id, bob.id].includes(speaker), speaker);
  });

  async function heightAtLeast(index, least) {
    const { frameHeight, framesDecoded } = await e2e.inbound(e2e.rtcOf(e2e.rooms[index].room), 'video');
    return framesDecoded > 0 && frameHeight >= least;
  }

  async function heightAtMost(index, most) {
    const { frameHeight } = await e2e.inbound(e2e.rtcOf(e2e.rooms[index].room), 'video');
    return frameHeight > 0 && frameHeight <= most;
  }

  async function noPicture(index) {
    const frames = async () => (await e2e.inbound(e2e.rtcOf(e2e.rooms[index].room), 'video')).framesDecoded ?? 0;
    const before = await frames();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return (await frames()) === before;
  }
});

withSdk(
  (stage) => {
    for (const mode of ['mesh', 'sfu']) {
      stage.test(`${mode}: a member in each browser`, { timeout: 90_000 }, async () => {
        const [tab] = await stage.crowd(1);
        // Firefox sees what its front tab shows, and opens last.
        const fox = await stage.tab(OURS, { seat: stage.seats[1] });
        await fox.open();
        const members = await stage.enter(freshId('room'), [tab, fox], { mode });

        await allGetAll(members, { patience: 40_000 });

        const data = await members[1].send('nested');
        assert.deepEqual(await members[0].receives(1), [{ src: fox.id, data }]);
      });
    }
  },
  'chromium',
  'firefox',
);
