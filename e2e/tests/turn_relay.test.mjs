// Peers that may meet nowhere but at our relay.

import assert from 'node:assert/strict';

import { browserNames } from '../lib/browsers.mjs';
import { unlessPeerServer } from '../lib/server.mjs';
import { on } from '../lib/stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';
import { TurnStage, relaysOver, transports } from '../lib/turn.mjs';

const samples = {
  binary: ['nested', 'numbers', 'text', 'emoji', 'bytes', 'megabyte'],
  json: ['nested', 'text', 'emoji'],
};

for (const browserName of browserNames) {
  on(new TurnStage(browserName), define, unlessPeerServer('PeerServer relays nothing'));
}

function define(stage) {
  for (const transport of transports) {
    for (const serialization of Object.keys(samples)) {
      stage.test(`${serialization} data is relayed over ${transport}`, {}, async () => {
        const [alice, bob] = await pairThatRelays(transport);

        const [outbound, inbound] = await connected(alice, bob, { serialization });

        await carries(outbound, inbound, samples[serialization]);
        await carries(inbound, outbound, samples[serialization]);
        await assertRelayed(transport, outbound, inbound);
      });
    }

    stage.test(`a call is relayed over ${transport}`, {}, async () => {
      const [alice, bob] = await pairThatRelays(transport);

      const outgoing = await alice.call(bob.id);
      const incoming = await bob.endOf(outgoing);

      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
      await assertRelayed(transport, outgoing, incoming);
    });

    stage.test(`forged credentials get no relay over ${transport}`, {}, async () => {
      const tab = await stage.tab('1.5.5');
      const [relay] = await relaysOver(transport, tab);
      const [other] = await relaysOver(transport, tab);

      assert.notEqual((await relayCandidates(tab, relay)).length, 0);
      for (const forgery of [
        { credential: 'guessed' },
        { username: longerLived(relay.username) },
        { credential: other.credential },
      ]) {
        assert.deepEqual(await relayCandidates(tab, { ...relay, ...forgery }), []);
      }
    });

    stage.test(`the credential of the SkyWay fork gets a relay over ${transport}`, {}, async () => {
      const tab = await stage.tab('1.5.5');
      const [{ urls }] = await relaysOver(transport, tab);
      const wanted = freshId('skyway');

      const answer = await tab.run(
        async (url) => (await fetch(url)).json(),
        `${tab.server}/peerjs/id?${new URLSearchParams({ id: wanted })}`,
      );
      const { id, credential } = answer;

      assert.equal(id, wanted);
      assert.notEqual((await relayCandidates(tab, { urls, username: `peerjs$${id}`, credential })).length, 0);
      assert.deepEqual(await relayCandidates(tab, { urls, username: `peerjs$${id}-other`, credential }), []);
    });
  }

  async function pairThatRelays(transport) {
    const tabs = [await stage.tab('1.5.5'), await stage.tab('1.5.5')];
    for (const tab of tabs) {
      const iceServers = await relaysOver(transport, tab);
      await tab.open(undefined, { config: { iceTransportPolicy: 'relay', iceServers } });
    }
    return tabs;
  }
}

async function assertRelayed(transport, ...links) {
  for (const link of links) {
    assert.deepEqual(await link.path(), { local: 'relay', remote: 'relay', relayProtocol: transport });
  }
}

const relayCandidates = (tab, relay) => tab.run((relay) => e2e.relayCandidates([relay]), relay);

const longerLived = (username) => username.replace(/^\d+/, (expiry) => Number(expiry) + 3600);
