// Pages with our SDK on hosts of their own: a cable that is out for 10 s, another network, and the server's relay.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { browserNames } from '../lib/browsers.mjs';
import { FarStage } from '../lib/far_stage.mjs';
import { whyNoLan } from '../lib/lan.mjs';
import { whyNoNetwork } from '../lib/network.mjs';
import { SdkTab } from '../lib/sdk.mjs';
import { SdkLanStage } from '../lib/sdk_lan_stage.mjs';
import { OURS } from '../lib/sdk_stage.mjs';
import { onlyPeerway } from '../lib/server.mjs';
import { allGetAll } from '../lib/sfu_stage.mjs';
import { on } from '../lib/stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

const { skip } = onlyPeerway('rooms and ICE servers come from peerway');
const noChromium = !browserNames.includes('chromium') && 'in Chromium only';

on(new SdkLanStage(), onCables, { skip: skip || noChromium || (await whyNoLan()) });

function onCables(stage) {
  stage.test('10 s without a cable: data, call and room go on', { timeout: 120_000 }, async (context) => {
    const [alice, bob] = [await stage.tabOn(0), await stage.tabOn(1)];
    const members = await stage.enter(freshId('room'), [alice, bob], { mode: 'sfu' });
    await allGetAll(members, { patience: 30_000 });
    const [outbound, inbound] = await connected(alice, bob);
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    await stage.lan.unplug(stage.seats[0].machine);
    const sent = await outbound.send('nested');
    const answer = await inbound.send('200 kB');
    await delay(10_000);
    await stage.lan.plugIn(stage.seats[0].machine);

    const mended = performance.now();
    const took = () => Math.round(performance.now() - mended);
    const before = await Promise.all([outgoing, incoming].map(framesOf));
    assert.deepEqual(await inbound.receives(1), sent);
    assert.deepEqual(await outbound.receives(1), answer);
    context.diagnostic(`what was said meanwhile is there after ${took()} ms`);
    await Promise.all([outgoing, incoming].map((link, index) => showsMore(link, before[index])));
    context.diagnostic(`the call goes on after ${took()} ms`);
    for (const member of members) await member.blink();
    await allGetAll(members, { patience: 40_000 });
    context.diagnostic(`the room goes on after ${took()} ms`);
    for (const link of [outbound, inbound, outgoing, incoming]) {
      assert.deepEqual(await link.tab.run((index) => e2e.detailsOf(e2e.links[index].events, 'close'), link.index), []);
    }
    await carries(...(await connected(bob, alice)), ['nested']);
    for (const tab of [alice, bob]) assert.equal(await tab.count('open'), 1);
  });
}

class SdkFarStage extends FarStage {
  // As a page has it that says nothing but the host.
  async tab(client, options) {
    const tab = await super.tab(client, options);
    const { host, port } = tab.options;
    tab.options = { host, port, path: '/' };
    return tab;
  }

  tabClass() {
    return SdkTab;
  }
}

on(new SdkFarStage('chromium', 'chromium'), farApart, { skip: skip || noChromium || (await whyNoNetwork()) });

function farApart(stage) {
  stage.test('two that do not reach each other meet at the relay, without a word of configuration', {}, async () => {
    const [alice, bob] = await stage.pair(OURS);

    const [outbound, inbound] = await connected(alice, bob);
    await carries(outbound, inbound, ['nested', 'megabyte']);
    await carries(inbound, outbound, ['nested']);
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    const { local, remote } = await outgoing.path();
    assert.ok([local, remote].includes('relay'), `${local} to ${remote}`);
    const stats = await outgoing.tab.run((index) => e2e.links[index].connection.stats(), outgoing.index);
    assert.equal(stats.relayed, true);
  });
}

const framesOf = (link) => link.tab.run((index) => e2e.framesDecoded(index), link.index);

const showsMore = (link, before) =>
  link.tab.until(
    `more pictures on call ${link.index}`,
    async (index, before) => (await e2e.framesDecoded(index)) > before + 10,
    link.index,
    before,
  );
