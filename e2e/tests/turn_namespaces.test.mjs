// Two peers on hosts that cannot reach each other meet through a server that both reach, with its settings untouched.

import assert from 'node:assert/strict';
import { describe } from 'node:test';

import { browserNames } from '../lib/browsers.mjs';
import { FarStage } from '../lib/far_stage.mjs';
import { whyNoNetwork } from '../lib/network.mjs';
import { unlessPeerServer } from '../lib/server.mjs';
import { on } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';
import { iceServers } from '../lib/turn.mjs';

const { skip } = unlessPeerServer('PeerServer relays nothing');
const reason = skip || (await whyNoNetwork());

const pairs = [...browserNames.map((name) => [name, name]), ...(browserNames.length > 1 ? [browserNames] : [])];
// Most of the time they wait until a browser has given up. Tests of one pair share its tabs.
describe('two hosts', { concurrency: true }, () => {
  for (const pair of pairs) {
    on(new FarStage(...pair), define, { skip: reason, concurrency: 1 });
  }
});

function define(stage) {
  stage.test('the hosts cannot reach each other', {}, async () => {
    const { left, middle, right } = stage.network;

    const outcomes = await Promise.all([
      left.outcomeOfConnecting(left.addressOfMiddle),
      middle.outcomeOfConnecting(left.address),
      right.outcomeOfConnecting(right.addressOfMiddle),
      middle.outcomeOfConnecting(right.address),
      left.outcomeOfConnecting(right.address),
      right.outcomeOfConnecting(left.address),
    ]);

    // Nobody listens on any of them, and only those who get there are told so.
    assert.deepEqual(outcomes, [...Array(4).fill('ECONNREFUSED'), 'ETIMEDOUT', 'ETIMEDOUT']);
  });

  stage.test('without a relay there is no way', {}, async () => {
    const [alice, bob] = await stage.pair('1.5.5');

    const outbound = await alice.begin(bob.id);

    assert.match(await outbound.outcomeOfChecks(), /disconnected|failed|closed/);
  });

  stage.test('data finds its way through the relay', {}, async () => {
    const [alice, bob] = await pairWithRelays();

    const [outbound, inbound] = await connected(alice, bob);

    await carries(outbound, inbound, ['nested', 'bytes', 'megabyte']);
    await carries(inbound, outbound, ['nested', 'bytes', 'megabyte']);
    await assertRelayed(outbound, inbound);
    await stage.server.counts('peerway_turn_payload_bytes_total', 'direction="to_peer"', 2 * 1024 * 1024);
    await stage.server.counts('peerway_turn_payload_bytes_total', 'direction="to_client"', 2 * 1024 * 1024);
    // The browsers tried the private addresses of each other too.
    await stage.server.counts('peerway_turn_refusals_total', 'reason="forbidden_peer"', 1);
  });

  stage.test('a call finds its way through the relay', {}, async () => {
    const [alice, bob] = await pairWithRelays();

    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);

    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
    await assertRelayed(outgoing, incoming);
  });

  async function pairWithRelays() {
    const tabs = [await stage.tab('1.5.5'), await stage.tab('1.5.5', { seat: stage.seats[1] })];
    for (const tab of tabs) {
      await tab.open(undefined, { config: { iceServers: await iceServers(tab) } });
    }
    return tabs;
  }
}

async function assertRelayed(...links) {
  for (const link of links) {
    const { local, remote } = await link.path();
    assert.deepEqual({ local, remote }, { local: 'relay', remote: 'relay' });
  }
}
