// Mesh rooms of pages with skyway-js.

import assert from 'node:assert/strict';

import { clients, inChromium, SAFARI } from '../lib/skyway_stage.mjs';
import { freshId } from '../lib/tab.mjs';

inChromium((stage) => {
  for (const client of clients) {
    stage.test(`${client}: three peers meet, one leaves and comes back`, { timeout: 90_000 }, async () => {
      const name = freshId('部屋/');
      const [alice, bob, carol] = await enter(name, await stage.crowd(3, client));
      assert.deepEqual(await events(alice, 'peerJoin'), [bob.id, carol.id]);
      assert.deepEqual(await events(carol, 'peerJoin'), []);
      await allSeeAll([alice, bob, carol]);

      await carol.close();

      for (const other of [alice, bob]) assert.deepEqual(await other.sees('peerLeave'), [carol.id]);

      const again = await carol.tab.join(name);
      await again.sees('open');
      assert.deepEqual(await alice.sees('peerJoin', 3), [bob.id, carol.id, carol.id]);
      await again.showsPeers([alice.id, bob.id]);
      await Promise.all([alice, bob].map((room) => room.showsPeers([carol.id])));
    });

    stage.test(`${client}: what one says reaches all others, byte for byte, and is in the log`, {}, async () => {
      const name = freshId('room');
      const [alice, bob, carol] = await enter(name, await stage.crowd(3, client), { receiveOnly: true });

      // Typed arrays travel as bytes only beside an ArrayBuffer.
      const samples = ['text', 'emoji', 'nested', 'bytes', '200 kB', 'buffers'];
      const sent = [];
      for (const sample of samples) {
        sent.push({ src: alice.id, data: await alice.send(sample) });
        for (const other of [bob, carol]) assert.deepEqual(await other.receives(sent.length), sent);
      }
      await carol.send('text');

      const last = (await alice.receives(1)).at(-1);
      assert.deepEqual(last, { src: carol.id, data: sent[0].data });
      assert.equal((await alice.received()).length, 1, 'alice heard herself');
      assert.equal((await carol.received()).length, sent.length, 'carol heard herself');
      const log = await bob.log();
      assert.deepEqual(
        log.map(({ messageType, message }) => [messageType, message.src]),
        [
          ...[alice, bob, carol].map(({ id }) => ['ROOM_USER_JOIN', id]),
          ...samples.map(() => ['ROOM_DATA', alice.id]),
          ['ROOM_DATA', carol.id],
        ],
      );
      assert.equal(log[3].message.data, sent[0].data);
      assert.deepEqual(log[5].message.data, sent[2].data);
      const times = log.map(({ timestamp }) => timestamp);
      assert.deepEqual(times, [...times].sort());
      assert.ok(Math.abs(Date.now() - times.at(-1)) < 60_000, `told at ${times.at(-1)}`);
    });

    stage.test(`${client}: five join at the same moment and see each other once`, { timeout: 120_000 }, async () => {
      const tabs = await stage.crowd(5, client);
      const name = freshId('rush');

      const rooms = await Promise.all(tabs.map((tab) => tab.join(name)));

      await allSeeAll(rooms);
      for (const room of rooms) {
        const others = tabs.map(({ id }) => id).filter((id) => id !== room.id);
        assert.deepEqual((await room.streams()).sort(), others.sort(), 'a stream was told twice');
        const expected = Object.fromEntries(others.map((id) => [id, 1]));
        assert.deepEqual(await room.connections(), expected, 'connections per peer');
      }
    });

    stage.test(`${client}: a room that is named by a number`, {}, async () => {
      const number = 1_700_000_000_000 + process.pid;
      const [alice, bob] = await enter(number, await stage.crowd(2, client), { receiveOnly: true });

      await alice.send('text');
      await bob.receives(1);
      await alice.close();
      assert.deepEqual(await bob.sees('peerLeave'), [alice.id]);
    });

    stage.test(`${client}: a room is mesh or SFU, not both`, {}, async () => {
      const [alice, bob] = await stage.crowd(2, client);
      const name = freshId('room');
      await enter(name, [alice], { receiveOnly: true });

      await bob.join(name, { mode: 'sfu', receiveOnly: true });

      await bob.sees('error');
      assert.deepEqual(
        (await bob.errors()).map(({ type }) => type),
        ['room-error'],
      );
    });

    stage.test(`${client}: a page that is closed leaves its rooms`, {}, async () => {
      const [alice, bob] = await stage.crowd(2, client);
      const [room] = await enter(freshId('room'), [alice, bob], { receiveOnly: true });

      await bob.run(() => e2e.peer.destroy());

      assert.deepEqual(await room.sees('peerLeave'), [bob.id]);
    });
  }

  for (const [way, options] of [
    ['over WebSockets', {}],
    ['by polling', { userAgent: SAFARI }],
  ]) {
    stage.test(`skyway-js-4.4.5: as much as may be said at once, 20 MiB, arrives ${way}`, {}, async () => {
      const tabs = [await stage.tab(clients[0], options), await stage.tab(clients[0], options)];
      await Promise.all(tabs.map((tab) => tab.open()));
      const [alice, bob] = await enter(freshId('room'), tabs, { receiveOnly: true });

      const data = await alice.send(20 * 1024 * 1024);

      assert.deepEqual(await bob.receives(1), [{ src: alice.id, data }]);
      await bob.send('text');
      await alice.receives(1);
      assert.equal(await tabs[0].count('error'), 0);
    });
  }

  stage.test('the two generations of skyway-js share a room', {}, async () => {
    const tabs = [...(await stage.crowd(2, clients[0])), ...(await stage.crowd(1, clients[1]))];
    const rooms = await enter(freshId('room'), tabs);
    await allSeeAll(rooms);
    await rooms[2].send('200 kB');
    await rooms[0].receives(1);
  });
});

// One after the other.
async function enter(name, tabs, options) {
  const rooms = [];
  for (const tab of tabs) {
    const room = await tab.join(name, options);
    assert.deepEqual(await room.sees('open'), [null]);
    await Promise.all(rooms.map((earlier) => earlier.sees('peerJoin', tabs.indexOf(tab) - rooms.indexOf(earlier))));
    rooms.push(room);
  }
  return rooms;
}

async function allSeeAll(rooms) {
  for (const room of rooms) {
    await room.showsPeers(rooms.filter((other) => other !== room).map(({ id }) => id));
  }
}

const events = async (room, name) =>
  (await room.events()).filter(([event]) => event === name).map(([, detail]) => detail);
