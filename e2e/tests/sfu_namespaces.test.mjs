// Rooms of mode SFU between hosts of their own: the server finds its address itself or is told it, and UDP may be blocked.

import assert from 'node:assert/strict';

import { browserNames } from '../lib/browsers.mjs';
import { whyNoLan } from '../lib/lan.mjs';
import { onlyPeerway } from '../lib/server.mjs';
import { SfuLanStage } from '../lib/sfu_lan_stage.mjs';
import { allGetAll } from '../lib/sfu_stage.mjs';
import { on } from '../lib/stage.mjs';
import { freshId } from '../lib/tab.mjs';

const { skip } = onlyPeerway('only peerway forwards media');
const noChromium = !browserNames.includes('chromium') && 'in Chromium only';
const reason = skip || noChromium || (await whyNoLan());
on(new SfuLanStage(), define, { skip: reason });
on(new SfuLanStage({ inCloud: true }), defineInCloud, { skip: reason });

function define(stage) {
  stage.test('two hosts meet at the address that the server found', {}, async () => {
    const members = await stage.enter(freshId('room'), [await stage.tabOn(0), await stage.tabOn(1)]);

    await allGetAll(members);

    for (const member of members) {
      const { protocol, address } = await member.path();
      assert.deepEqual({ protocol, address }, { protocol: 'udp', address: stage.addressOfServer });
    }
  });

  stage.test('where UDP is blocked, TCP does', { timeout: 90_000 }, async () => {
    await stage.blockUdp(0);
    const members = await stage.enter(freshId('room'), [await stage.tabOn(0), await stage.tabOn(1)]);

    await allGetAll(members);

    const protocols = (await Promise.all(members.map((member) => member.path()))).map(({ protocol }) => protocol);
    assert.deepEqual(protocols, ['tcp', 'udp']);
  });
}

function defineInCloud(stage) {
  stage.test('a server behind 1:1 NAT tells the address of the box alone', {}, async () => {
    const members = await stage.enter(freshId('room'), [await stage.tabOn(0), await stage.tabOn(1)]);

    await allGetAll(members);

    for (const member of members) {
      const { protocol, address } = await member.path();
      assert.deepEqual({ protocol, address }, { protocol: 'udp', address: stage.addressOfServer });
      const { offer } = (await member.offers()).at(-1);
      const told = [...offer.sdp.matchAll(/^a=candidate:(?:\S+ ){4}(\S+)/gm)].map(([, address]) => address);
      assert.deepEqual([...new Set(told)], [stage.addressOfServer]);
    }
  });

  stage.test('and is reached there over TCP too', { timeout: 90_000 }, async () => {
    await stage.blockUdp(0);
    const members = await stage.enter(freshId('room'), [await stage.tabOn(0), await stage.tabOn(1)]);

    await allGetAll(members);

    const { protocol, address } = await members[0].path();
    assert.deepEqual({ protocol, address }, { protocol: 'tcp', address: stage.addressOfServer });
  });
}
