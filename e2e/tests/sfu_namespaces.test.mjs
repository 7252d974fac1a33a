// Rooms of mode SFU between hosts of their own: the server finds its address itself or is told it, and UDP may be blocked.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { browserNames } from '../lib/browsers.mjs';
import { Command } from '../lib/command.mjs';
import { whyNoLan } from '../lib/lan.mjs';
import { onlyPeerway } from '../lib/server.mjs';
import { BOTH } from '../lib/sfu.mjs';
import { SfuLanStage } from '../lib/sfu_lan_stage.mjs';
import { allGetAll } from '../lib/sfu_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
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

  const moves = {
    'has another address': (old, other) => `
      ip address delete ${old}/24 dev wire
      ip address add ${other}/24 dev wire`,
    'gets another interface and loses the first': (old, other) => `
      ip address add ${other}/24 dev second
      ip link set second up
      ip link set wire down`,
  };
  for (const [what, script] of Object.entries(moves)) {
    stage.test(`a command whose machine ${what} is back soon, both ways`, { timeout: 90_000 }, async (context) => {
      const machine = await stage.lan.host();
      await stage.lan.addCable(machine, 'second');
      const folder = temporary(context);
      const [alice] = await stage.enter(freshId('room'), [await stage.tabOn(0)]);
      const native = join(context, alice.room, machine, folder);
      await alice.gets([native]);

      await machine.sh(script(machine.address, machine.address.replace('45.0.0.', '45.0.0.1')));

      await alice.blink();
      const moved = Date.now();
      await alice.gets([native], { pictures: 20, patience: 15_000 });
      context.diagnostic(`twenty pictures ${Date.now() - moved} ms after the move`);
      const size = sizeOf(folder);
      await native.command.until('more of alice', () => sizeOf(folder) > size + 100_000);
    });
  }

  // A member on the command line, on a machine of its own.
  function join(context, room, machine, folder) {
    const id = freshId('native');
    const server = { url: `http://${stage.addressOfServer}:${stage.server.port}/` };
    const options = ['--key', KEY, '--id', id, '--publish-test-source', '--size', '320x240@10', '--record', folder];
    const command = new Command(server, ['room', 'join', room, '--json', ...options], { host: machine });
    context.after(() => command.close());
    context.after(() => context.diagnostic(command.story()));
    return { id, mark: 0, kinds: BOTH, command };
  }
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

const sizeOf = (folder) => readdirSync(folder).reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0);

function temporary(context) {
  const folder = mkdtempSync(`${tmpdir()}/peerway-e2e-`);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
