// Data connections between pages with skyway-js.

import assert from 'node:assert/strict';

import { clients, inChromium } from '../lib/skyway_stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

const plain = ['nested', 'numbers', 'text'];
const binary = [...plain, 'bytes', '200 kB', 'file'];

// BinaryPack 0.0.9 breaks strings outside the BMP.
const serializations = {
  binary,
  'binary-utf8': binary,
  json: [...plain, 'emoji'],
  none: ['text', 'emoji', 'bytes', '200 kB'],
};

inChromium((stage) => {
  for (const [caller, callee] of [
    ['skyway-js-4.4.5', 'skyway-js-4.4.5'],
    ['skyway-js-1.1.20', 'skyway-js-1.1.20'],
    ['skyway-js-4.4.5', 'skyway-js-1.1.20'],
  ]) {
    for (const [serialization, samples] of Object.entries(serializations)) {
      stage.test(`${caller} and ${callee}: ${serialization} carries every value both ways`, {}, async () => {
        const [alice, bob] = await stage.pair(caller, callee);
        const [outbound, inbound] = await connected(alice, bob, { serialization });

        await carries(outbound, inbound, samples);
        await carries(inbound, outbound, samples);
      });
    }
  }

  for (const client of clients) {
    stage.test(`${client}: what a connection begins with reaches the other end`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const metadata = { note: '“hé” 日本 😀', list: [1, null, { two: 2 }] };
      const dcInit = { ordered: false, maxRetransmits: 3 };

      const [, inbound] = await connected(alice, bob, { label: 'a label', metadata, dcInit });

      const { label, metadata: arrived, serialization } = await inbound.facts();
      assert.deepEqual([label, arrived, serialization], ['a label', metadata, 'binary']);
      assert.deepEqual(await bob.run((index) => e2e.links[index].connection.remoteId, inbound.index), alice.id);
      assert.deepEqual(await bob.run((index) => e2e.links[index].connection.dcInit, inbound.index), dcInit);
    });

    stage.test(`${client}: a close at one end is seen at the other`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const [first, firstEnd] = await connected(alice, bob);
      await first.close();
      await firstEnd.sees('close');

      const [second, secondEnd] = await connected(alice, bob);
      await secondEnd.close();
      await second.sees('close');
    });
  }
});
