// Data between pages and Rust programs: what goes in at one end comes out at the other, whoever began.

import assert from 'node:assert/strict';

import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

const emoji = ['emoji', 'long emoji'];
const plain = ['nested', 'numbers', 'big integers', 'constants', 'text', 'dates', ...emoji];
const binary = [...plain, 'long text', 'long list', 'bytes', 'megabyte', 'megabyte view', 'typed arrays'];

// Before 1.5 a page finds no length in an empty buffer. JSON goes in one message, with 1.5 a short one.
const serializations = {
  '1.5.5': {
    binary: [...binary, 'no bytes', 'part of a buffer'],
    'binary-utf8': ['text', 'emoji', 'megabyte'],
    json: without('long emoji', plain),
    raw: ['text', 'emoji', 'bytes'],
    MsgPack: [...without('bytes', without('megabyte', binary)), 'no bytes', 'part of a buffer'],
  },
  '0.3.14': {
    binary,
    'binary-utf8': ['text', 'emoji', 'megabyte'],
    json: [...plain, 'long list'],
    none: ['text', 'emoji', 'bytes'],
  },
  '1.4.7': {
    binary,
    json: ['nested', 'text', 'emoji', 'long list'],
    none: ['text', 'bytes'],
  },
  '2.0.0-beta.3': { binary: ['nested', 'text', 'megabyte'] },
};

inEveryBrowser((stage) => {
  for (const [client, kinds] of Object.entries(serializations)) {
    for (const [serialization, samples] of Object.entries(kinds)) {
      const name = `${client}: ${serialization} carries every value both ways, whoever began`;
      // A debug build of the program takes three times as long.
      stage.test(name, { timeout: 120_000 }, async () => {
        const [tab, agent] = await pair(client, serialization);

        for (const [caller, callee] of [
          [tab, agent],
          [agent, tab],
        ]) {
          const [outbound, inbound] = await connected(caller, callee, { serialization });
          await carries(outbound, inbound, samples);
          await carries(inbound, outbound, samples);
        }
      });
    }
  }

  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: label and metadata reach the other side`, {}, async () => {
      const [tab, agent] = await pair(client);
      const options = { label: 'files', metadata: { list: [1, null], text: 'é😀' }, reliable: true };

      const [, inbound] = await connected(tab, agent, options);
      const [, inPage] = await connected(agent, tab, options);

      const { label, metadata, reliable, serialization, peer } = inbound.facts;
      assert.deepEqual({ label, metadata, reliable }, options);
      assert.deepEqual([serialization, peer], ['binary', tab.id]);
      const { peer: caller, ...seen } = await inPage.facts();
      assert.deepEqual(seen, { ...options, serialization: 'binary' });
      assert.equal(caller, agent.id);
    });

    stage.test(`${client}: a close is noticed at the other side within a second`, {}, async () => {
      const [tab, agent] = await pair(client);
      for (const [caller, callee] of [
        [tab, agent],
        [agent, tab],
      ]) {
        for (const caller_closes of [true, false]) {
          const ends = await connected(caller, callee);
          const [closing, other] = caller_closes ? ends : ends.reverse();
          const begin = performance.now();
          await closing.close();
          await other.sees('close');
          const millis = Math.round(performance.now() - begin);
          assert.ok(millis < 1000, `${other.tab.name} saw it after ${millis} ms`);
          await closing.sees('close');
        }
      }
    });
  }

  stage.test('1.5.5: what was sent before a flushing close arrives, both ways', {}, async () => {
    const [tab, agent] = await pair('1.5.5');
    // In `raw` PeerJS has no word for it.
    for (const serialization of ['binary', 'json']) {
      const sample = serialization === 'binary' ? 'megabyte' : 'text';
      for (const [sender, receiver] of [
        [tab, agent],
        [agent, tab],
      ]) {
        const [outbound, inbound] = await connected(sender, receiver, { serialization });
        const sent = await outbound.send(sample);
        await outbound.close({ flush: true });
        assert.deepEqual(await inbound.receives(1), sent);
        await inbound.sees('close');
      }
    }
  });

  stage.test('a value too big for json is refused and the connection goes on', {}, async () => {
    for (const client of ['1.5.5', '0.3.14']) {
      const [tab, agent] = await pair(client);
      const [outbound, inbound] = await connected(agent, tab, { serialization: 'json' });
      await assert.rejects(outbound.send('long text'), /message-too-big/);
      await carries(outbound, inbound, ['text']);
      await carries(inbound, outbound, ['text']);
    }
  });

  // Enough to wait for in one browser.
  if (stage.browserName === 'chromium') {
    stage.test('1.5.5: 100 MB arrive whole, both ways', { timeout: 240_000 }, async () => {
      const size = 100 * 1024 * 1024;
      const [tab, agent] = await pair('1.5.5');
      const [outbound, inbound] = await connected(tab, agent);

      for (const [from, to] of [
        [outbound, inbound],
        [inbound, outbound],
      ]) {
        const sent = await from.send(size);
        assert.deepEqual(await to.receives(1, 60_000), sent);
      }
    });
  }

  async function pair(client, serialization) {
    const tab = await stage.tab(client);
    const isMsgPack = serialization === 'MsgPack';
    if (isMsgPack) {
      await tab.run(async () => Object.assign(window, await import('/peerjs/1.5.5/dist/serializer.msgpack.mjs')));
    }
    await tab.open(undefined, isMsgPack ? { serializers: ['MsgPack'] } : {});
    return [tab, await stage.agent()];
  }
});

function without(sample, samples) {
  return samples.filter((other) => other !== sample);
}
