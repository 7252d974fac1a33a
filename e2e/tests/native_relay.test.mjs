// Pages and Rust programs that may meet nowhere but at a relay.

import assert from 'node:assert/strict';

import { browserNames } from '../lib/browsers.mjs';
import { unlessPeerServer } from '../lib/server.mjs';
import { on } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';
import { TurnStage, relaysOver, transports } from '../lib/turn.mjs';

const samples = ['nested', 'emoji', 'bytes', 'megabyte'];

for (const browserName of browserNames) {
  on(new TurnStage(browserName), define, unlessPeerServer('PeerServer relays nothing'));
}

function define(stage) {
  for (const transport of transports) {
    stage.test(`data is relayed over ${transport}, whoever began`, {}, async () => {
      const [tab, agent] = await pairThatRelays(transport);

      for (const [caller, callee] of [
        [tab, agent],
        [agent, tab],
      ]) {
        const [outbound, inbound] = await connected(caller, callee);

        await carries(outbound, inbound, samples);
        await carries(inbound, outbound, samples);
        await assertRelayed(transport, caller === tab ? outbound : inbound);
      }
    });

    stage.test(`a call is relayed over ${transport}`, {}, async () => {
      const [tab, agent] = await pairThatRelays(transport, { answer: { send: 'test' } });

      const outgoing = await tab.call(agent.id);
      const incoming = await agent.endOf(outgoing);

      await Promise.all([outgoing.showsCall(), incoming.receivesFrames()]);
      await assertRelayed(transport, outgoing);
    });
  }

  // The relay forwards to no private address, so the page has to offer one of the relay's too.
  stage.test('a program that relays takes what the server offers, and meets a page that need not', {}, async () => {
    const tab = await stage.tab('1.5.5');
    await tab.open(undefined, { config: { iceServers: await relaysOver('udp', tab) } });
    const agent = await stage.agent({ ice_servers: undefined, relay: true, ca_file: stage.authority.own });

    const [outbound, inbound] = await connected(agent, tab);
    await carries(outbound, inbound, samples);

    assert.equal((await inbound.path()).remote, 'relay');
  });

  async function pairThatRelays(transport, options) {
    const tab = await stage.tab('1.5.5');
    const iceServers = await relaysOver(transport, tab);
    await tab.open(undefined, { config: { iceTransportPolicy: 'relay', iceServers } });
    const ice_servers = await relaysOver(transport, tab);
    const agent = await stage.agent({ ice_servers, relay: true, ca_file: stage.authority.own, ...options });
    return [tab, agent];
  }
}

async function assertRelayed(transport, link) {
  assert.deepEqual(await link.path(), { local: 'relay', remote: 'relay', relayProtocol: transport });
}
