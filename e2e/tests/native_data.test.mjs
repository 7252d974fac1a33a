// Data between pages and Rust programs: what goes in at one end comes out at the other, whoever began.

import assert from 'node:assert/strict';

import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

const MEGABYTES_100 = 100 * 1024 * 1024;

const plain = ['nested', 'numbers', 'big integers', 'plain', 'text', 'dates'];
const binary = [...plain, 'long text', 'long list', 'bytes', 'megabyte', 'megabyte view', 'typed arrays'];
const emoji = ['emoji', 'long emoji'];

// Per client and serialization: what goes from the page to the agent, and what else comes back.
const serializations = {
  '1.5.5': {
    binary: [[...binary, ...emoji, 'part of a buffer']],
    'binary-utf8': [['text', 'emoji', 'megabyte']],
    json: [[...plain, 'emoji']],
    raw: [['text', 'emoji', 'bytes']],
    MsgPack: [[...plain, ...emoji, 'long text', 'long list', 'megabyte view', 'typed arrays', 'part of a buffer']],
  },
  '0.3.14': {
    binary: [binary],
    'binary-utf8': [['text', 'megabyte']],
    json: [[...plain, 'long text', 'long list', ...emoji]],
    none: [['text', 'emoji', 'bytes']],
  },
  '1.4.7': {
    binary: [binary],
    json: [['nested', 'text', 'emoji', 'long text']],
    none: [['text', 'bytes']],
  },
  '2.0.0-beta.3': { binary: [['nested', 'text', 'megabyte']] },
};

inEveryBrowser((stage) => {
  for (const [client, kinds] of Object.entries(serializations)) {
    for (const [serialization, [samples]] of Object.entries(kinds)) {
      stage.test(`${client}: ${serialization} carries every value both ways, whoever began`, {}, async () => {
        const tab = await open(client, serialization);
        const agent = await stage.agent();

        for (const [caller, callee] of [
          [tab, agent],
          [agent, tab],
        ]) {
          const [outbound, inbound] = await connected(caller, callee, { serialization });
          await carries(outbound, inbound, samples);
          await carries(inbound, outbound, samples);
          await outbound.close();
          await inbound.sees('close');
        }
      });
    }
  }

  async function open(client, serialization) {
    const tab = await stage.tab(client);
    const isMsgPack = serialization === 'MsgPack';
    if (isMsgPack) {
      await tab.run(async () => Object.assign(window, await import('/peerjs/1.5.5/dist/serializer.msgpack.mjs')));
    }
    await tab.open(undefined, isMsgPack ? { serializers: ['MsgPack'] } : {});
    return tab;
  }
});
