// Pages with our SDK and pages with unmodified skyway-js under one key.

import assert from 'node:assert/strict';

import { closesWithin } from '../lib/sdk.mjs';
import { CLIENT } from '../lib/sfu_stage.mjs';
import { OURS, withSdk } from '../lib/sdk_stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

withSdk((stage) => {
  for (const [caller, callee] of [
    [OURS, CLIENT],
    [CLIENT, OURS],
  ]) {
    stage.test(`${caller} calls ${callee}: both see video, and a hang-up of either is noticed`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);
      for (const side of [0, 1]) {
        const outgoing = await alice.call(bob.id, { metadata: { topic: 'é' } });
        const incoming = await bob.endOf(outgoing);
        await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
        assert.deepEqual((await incoming.facts()).metadata, { topic: 'é' });
        const ends = [outgoing, incoming];
        await closesWithin(ends[side].tab.client === OURS ? 3000 : 2000, ends[side], ends[1 - side]);
      }
    });

    for (const [serialization, samples] of Object.entries({
      json: ['nested', 'numbers', 'text', 'emoji'],
      none: ['text', 'emoji', 'bytes'],
    })) {
      stage.test(`${caller} and ${callee}: ${serialization} carries every value both ways`, {}, async () => {
        const [alice, bob] = await stage.pair(caller, callee);
        const [outbound, inbound] = await connected(alice, bob, { serialization, metadata: { a: [1, null] } });
        assert.deepEqual((await inbound.facts()).metadata, { a: [1, null] });
        await carries(outbound, inbound, samples);
        await carries(inbound, outbound, samples);
        await outbound.close();
        await inbound.sees('close');
      });
    }
  }

  stage.test(`${OURS} hears why binary does not work with ${CLIENT}`, {}, async () => {
    const [alice, bob] = await stage.pair(OURS, CLIENT);
    await alice.begin(bob.id, { serialization: 'binary' });
    await alice.sees('error');
    const [{ type, message }] = await alice.errors();
    assert.equal(type, 'peer-unavailable');
    assert.match(message, /'(none|raw|json)'/);
  });

  stage.test('all are in one list, and each can be asked for', {}, async () => {
    const [alice, bob] = await stage.pair(OURS, CLIENT);
    assert.deepEqual((await alice.listAllPeers()).sort(), (await bob.listAllPeers()).sort());
    assert.equal(await alice.fetchPeerExists(bob.id), true);
    assert.equal(await bob.fetchPeerExists(alice.id), true);
    assert.equal(await alice.fetchPeerExists('nobody at all'), false);
  });
});
