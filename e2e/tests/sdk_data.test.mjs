// Data between pages with our SDK and pages with our SDK, with PeerJS of all generations, and Rust programs.

import assert from 'node:assert/strict';

import { closesWithin } from '../lib/sdk.mjs';
import { inOneBrowser, OURS, withSdk, withSdkInEveryBrowser } from '../lib/sdk_stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

const emoji = ['emoji', 'long emoji'];
const plain = ['nested', 'numbers', 'big integers', 'constants', 'text', 'dates', ...emoji];
const binary = [
  ...plain,
  'long list',
  'bytes',
  'megabyte',
  'megabyte view',
  'typed arrays',
  'no bytes',
  'part of a buffer',
];
const binaryOfOld = without(['no bytes', 'part of a buffer'], binary);

// Which samples go both ways; for `theirs` only those that the other client can send.
const remotes = {
  [OURS]: {
    binary: { ours: [...binary, 'long text'] },
    'binary-utf8': { ours: ['text', 'emoji', 'megabyte'] },
    json: { ours: [...plain, 'long list'] },
    raw: { ours: ['text', 'emoji', 'bytes'] },
    none: { ours: ['text', 'bytes'] },
    MsgPack: { ours: without(['bytes', 'megabyte'], binary) },
  },
  '1.5.5': {
    binary: { ours: binary },
    'binary-utf8': { ours: ['text', 'emoji', 'megabyte'] },
    json: { ours: without(['long emoji'], plain) },
    raw: { ours: ['text', 'emoji', 'bytes'] },
    MsgPack: { ours: without(['bytes', 'megabyte'], binary) },
  },
  // Old clients break texts outside the BMP when they send them, and Firefox makes texts of their bytes.
  '1.4.7': {
    binary: { ours: binaryOfOld, theirs: without(emoji, binaryOfOld) },
    json: { ours: plain },
    none: { ours: ['text', 'bytes'] },
  },
  '0.3.14': {
    binary: { ours: binaryOfOld, theirs: without(emoji, binaryOfOld) },
    json: { ours: plain },
    none: { ours: ['text', 'emoji', 'bytes'] },
  },
};

withSdkInEveryBrowser((stage) => {
  for (const [remote, kinds] of Object.entries(remotes)) {
    stage.test(
      `${OURS} and ${remote}: every serialization carries every value both ways, whoever began`,
      {},
      async () => {
        const [alice, bob] = await pair(OURS, remote);
        for (const [serialization, samples] of Object.entries(kinds)) {
          await bothWays(alice, bob, serialization, samples);
        }
        assert.deepEqual([await alice.errors(), await bob.errors()], [[], []]);
      },
    );
  }

  stage.test(
    'a Rust program: every serialization carries every value both ways, whoever began',
    inOneBrowser(stage),
    async () => {
      const alice = await stage.tab(OURS);
      await alice.open();
      const agent = await stage.agent();
      // Its program announces `raw`, and keeps JSON as short as PeerJS 1.5 does.
      const { none, ...kinds } = { ...remotes[OURS], json: { ours: without(['long emoji'], plain) } };
      for (const [serialization, samples] of Object.entries(kinds)) {
        await bothWays(alice, agent, serialization, samples);
      }
    },
  );

  for (const remote of [OURS, '1.5.5', '0.3.14']) {
    stage.test(`${remote}: label, metadata and what was asked for reach the other side`, {}, async () => {
      const [alice, bob] = await pair(OURS, remote);
      const options = { label: 'files', metadata: { list: [1, null], text: 'é😀' }, reliable: true };
      for (const [caller, callee] of [
        [alice, bob],
        [bob, alice],
      ]) {
        const [, inbound] = await connected(caller, callee, options);
        assert.deepEqual(await inbound.facts(), { ...options, serialization: 'binary', peer: caller.id });
      }
    });

    stage.test(`${remote}: a close at one end is seen at the other within a second`, {}, async () => {
      const [alice, bob] = await pair(OURS, remote);
      for (const side of [0, 1]) {
        const ends = await connected(alice, bob);
        await closesWithin(1000, ends[side], ends[1 - side]);
      }
    });
  }

  stage.test('what was sent before a flushing close arrives', inOneBrowser(stage), async () => {
    for (const remote of [OURS, '1.5.5']) {
      const [alice, bob] = await pair(OURS, remote);
      for (const serialization of ['binary', 'json']) {
        const [outbound, inbound] = await connected(alice, bob, { serialization });
        const sent = await outbound.send(serialization === 'binary' ? 'megabyte' : 'nested');
        await outbound.close({ flush: true });
        assert.deepEqual(await inbound.receives(1), sent);
        await inbound.sees('close');
      }
    }
  });

  stage.test('a connection to nobody: the peer hears it, and `ready` rejects', inOneBrowser(stage), async () => {
    const alice = await stage.tab(OURS);
    await alice.open();

    const outcome = await alice.run(async (id) => {
      const connection = e2e.peer.connect(id);
      return connection.ready.then(
        () => 'ready',
        ({ name, type }) => `${name} ${type}`,
      );
    }, freshId('nobody'));

    assert.match(outcome, /^PeerError /);
    await alice.sees('error');
    assert.deepEqual(
      (await alice.errors()).map(({ type }) => type),
      ['peer-unavailable'],
    );
  });

  // Two connections of one pair, and the promises of the new API.
  stage.test('awaiting instead of listening', {}, async () => {
    const [alice, bob] = await pair(OURS, OURS);

    const echoed = await alice.run(async (id) => {
      await e2e.peer.ready;
      const connection = e2e.peer.connect(id);
      await connection.ready;
      await connection.send({ hello: 'you' });
      return connection.open;
    }, bob.id);

    assert.equal(echoed, true);
    const found = await bob.until('the value', () => e2e.links[0]?.received[0]);
    assert.deepEqual(found, { hello: 'you' });
  });

  async function pair(client, other) {
    const tabs = [await stage.tab(client), await stage.tab(other)];
    for (const tab of tabs) {
      const options = {};
      if (tab.client === '1.5.5') {
        await tab.run(async () => Object.assign(window, await import('/peerjs/1.5.5/dist/serializer.msgpack.mjs')));
        options.serializers = ['MsgPack'];
      }
      await tab.open(undefined, options);
    }
    return tabs;
  }

  async function bothWays(near, far, serialization, { ours, theirs = ours }) {
    const [outbound, inbound] = await connected(near, far, { serialization });
    await carries(outbound, inbound, ours);
    await carries(inbound, outbound, theirs);
    // What takes long is carried once.
    const [begun, answered] = await connected(far, near, { serialization });
    await carries(begun, answered, theirs.slice(0, 3));
    await carries(answered, begun, ours.slice(0, 3));
  }
});

withSdk(
  (stage) => {
    stage.test('data and a call between the two', {}, async () => {
      const [chromium, firefox] = await stage.pair(OURS);
      for (const [caller, callee] of [
        [chromium, firefox],
        [firefox, chromium],
      ]) {
        const [outbound, inbound] = await connected(caller, callee);
        await carries(outbound, inbound, ['nested', 'megabyte']);
        await carries(inbound, outbound, ['nested', 'megabyte']);
        const outgoing = await caller.call(callee.id);
        const incoming = await callee.endOf(outgoing);
        await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
        await closesWithin(1000, outgoing, incoming);
      }
    });
  },
  'chromium',
  'firefox',
);

function without(some, samples) {
  return samples.filter((sample) => !some.includes(sample));
}
