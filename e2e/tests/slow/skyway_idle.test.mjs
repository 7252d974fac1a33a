// Pages with skyway-js that do nothing for minutes, over a WebSocket and by polling alone.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { clients, inChromium, SAFARI } from '../../lib/skyway_stage.mjs';
import { carries, connected, freshId } from '../../lib/tab.mjs';

const IDLE_MS = 3 * 60_000;

inChromium((stage) => {
  const name = 'peers in a room are still there after three minutes idle, and nobody noticed anything';
  stage.test(name, { timeout: IDLE_MS + 90_000 }, async () => {
    const idle = await Promise.all([
      ...clients.map((client) => stage.tab(client)),
      stage.tab('skyway-js-4.4.5', { userAgent: SAFARI }),
    ]);
    await Promise.all(idle.map((tab) => tab.open()));
    const roomName = freshId('room');
    const rooms = [];
    for (const tab of idle) {
      rooms.push(await tab.join(roomName, { receiveOnly: true }));
      await rooms.at(-1).sees('open');
    }
    await rooms[0].sees('peerJoin', 2);
    const before = await Promise.all(rooms.map((room) => room.events()));

    await delay(IDLE_MS);

    assert.equal(await idle[2].transport(), 'polling');
    assert.deepEqual(await Promise.all(rooms.map((room) => room.events())), before);
    await rooms[2].send('bytes');
    await Promise.all([rooms[0].receives(1), rooms[1].receives(1)]);
    for (const tab of idle) {
      const visitor = await stage.tab(clients[0]);
      await visitor.open();
      const [outbound, inbound] = await connected(visitor, tab);
      await carries(outbound, inbound, ['nested']);
      assert.equal(await tab.count('open'), 1);
      assert.equal(await tab.count('error'), 0);
    }
  });
});
