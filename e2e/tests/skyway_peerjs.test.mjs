// Pages with PeerJS and pages with skyway-js under one key.

import assert from 'node:assert/strict';

import { isSkyway } from '../lib/builds.mjs';
import { onlyPeerway } from '../lib/server.mjs';
import { clients, inChromium } from '../lib/skyway_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
import { carries, connected } from '../lib/tab.mjs';

const only = onlyPeerway('the relay does not speak to PeerJS');
const plain = ['nested', 'numbers', 'text', 'emoji'];
const untouched = ['text', 'emoji', 'bytes'];

// What a version of PeerJS calls that which skyway-js calls `none`.
const versions = { '1.5.5': 'raw', '1.4.7': 'none', '0.3.14': 'none' };

inChromium((stage) => {
  for (const [version, raw] of Object.entries(versions)) {
    for (const skyway of clients) {
      for (const [caller, callee] of [
        [version, skyway],
        [skyway, version],
      ]) {
        stage.test(`${caller} calls ${callee} and both sides see video`, only, async () => {
          const [alice, bob] = await pair(caller, callee);

          const outgoing = await alice.call(bob.id, { metadata: { topic: 'é' } });
          const incoming = await bob.endOf(outgoing);

          await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
          assert.deepEqual((await incoming.facts()).metadata, { topic: 'é' });
        });

        stage.test(`${caller} and ${callee} exchange text and bytes as they are`, only, async () => {
          const [alice, bob] = await pair(caller, callee);
          const options = { serialization: isSkyway(caller) ? 'none' : raw, label: 'lab', metadata: { a: [1, null] } };

          const [outbound, inbound] = await connected(alice, bob, options);

          const { label, metadata } = await inbound.facts();
          assert.deepEqual([label, metadata], [options.label, options.metadata]);
          await carries(outbound, inbound, untouched);
          await carries(inbound, outbound, untouched);
        });

        stage.test(`${caller} hears why binary does not work with ${callee}`, only, async () => {
          const [alice, bob] = await pair(caller, callee);
          await alice.begin(bob.id, { serialization: 'binary' });
          await hearsWhy(alice, bob);
        });

        if (version === '1.5.5') {
          stage.test(`${caller} hears why json does not work with ${callee}`, only, async () => {
            const [alice, bob] = await pair(caller, callee);
            await alice.begin(bob.id, { serialization: 'json' });
            await hearsWhy(alice, bob, { early: caller === version });
          });
        } else {
          stage.test(`${caller} and ${callee} exchange json`, only, async () => {
            const [alice, bob] = await pair(caller, callee);
            const [outbound, inbound] = await connected(alice, bob, { serialization: 'json' });
            await carries(outbound, inbound, plain);
            await carries(inbound, outbound, plain);
          });
        }
      }
    }
  }

  stage.test('1.5.5 hangs up, and skyway-js-4.4.5 sees it', only, async () => {
    const [alice, bob] = await pair('1.5.5', 'skyway-js-4.4.5');
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    await outgoing.close();

    await incoming.sees('close');
  });

  stage.test('skyway-js-4.4.5 and 1.5.5 are in one list', only, async () => {
    const [alice, bob] = await pair('skyway-js-4.4.5', '1.5.5');
    assert.deepEqual((await alice.listAllPeers()).sort(), (await bob.listAllPeers()).sort());
    assert.equal(await alice.fetchPeerExists(bob.id), true);
  });

  async function pair(...names) {
    const tabs = [];
    for (const client of names) tabs.push(await stage.tab(client));
    await Promise.all(tabs.map((tab) => tab.open(undefined, { key: KEY })));
    return tabs;
  }
});

// The caller is told what to use instead; the other side hears nothing of a connection that `early` was refused.
async function hearsWhy(caller, callee, { early = true } = {}) {
  await caller.sees('error');
  const [{ type, message }] = await caller.errors();
  assert.match(message, /'(none|raw)'/, `${type}: ${message}`);
  // As Udonarium looks for the id of a peer that is gone.
  const quoted = message.match(/"(.+)"/)?.[1] ?? callee.id;
  assert.equal(quoted, callee.id, message);
  if (early) assert.equal(await callee.run(() => e2e.links.length), 0, 'the callee was told');
}
