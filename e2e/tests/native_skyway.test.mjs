// Pages with skyway-js and Rust programs under one key.

import assert from 'node:assert/strict';

import { onlyPeerway } from '../lib/server.mjs';
import { clients, inChromium } from '../lib/skyway_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
import { carries, connected } from '../lib/tab.mjs';

const only = onlyPeerway('the relay does not speak to programs');
const test = { send: 'test' };

// A name for each side; `none` is `raw` elsewhere.
const serializations = [
  { page: 'json', program: 'json', samples: ['nested', 'numbers', 'text', 'emoji'] },
  { page: 'none', program: 'raw', samples: ['text', 'emoji', 'bytes'] },
];

inChromium((stage) => {
  for (const client of clients) {
    for (const { page, program, samples } of serializations) {
      stage.test(`${client}: ${page} carries every value to a program and back, whoever began`, only, async () => {
        const [tab, agent] = await pair(client);
        for (const [caller, callee, serialization] of [
          [tab, agent, page],
          [agent, tab, program],
        ]) {
          const [outbound, inbound] = await connected(caller, callee, { serialization });
          await carries(outbound, inbound, samples);
          await carries(inbound, outbound, samples);
        }
      });
    }

    stage.test(`${client}: a page calls a program and sees its pictures`, only, async () => {
      const [tab, agent] = await pair(client, { answer: test });

      const outgoing = await tab.call(agent.id);
      const incoming = await agent.endOf(outgoing);

      await Promise.all([showsTheTestPicture(outgoing), incoming.receivesFrames()]);
    });

    stage.test(`${client}: a program calls a page, which sees its pictures`, only, async () => {
      const [tab, agent] = await pair(client);

      const outgoing = await agent.call(tab.id, { ...test, metadata: { from: 'a program' } });
      const incoming = await tab.endOf(outgoing);

      await Promise.all([showsTheTestPicture(incoming), outgoing.receivesFrames()]);
      assert.deepEqual((await incoming.facts()).metadata, { from: 'a program' });
    });

    stage.test(`${client}: a page hears why binary does not work with a program`, only, async () => {
      const [tab, agent] = await pair(client);

      await tab.begin(agent.id, { serialization: 'binary' });

      await tab.sees('error');
      const [{ message }] = await tab.errors();
      assert.match(message, /'(none|json)'/);
      assert.deepEqual(agent.links, []);
    });
  }

  async function pair(client, options = {}) {
    const tab = await stage.tab(client);
    const agent = await stage.agent({ key: KEY, ...options });
    await tab.open();
    return [tab, agent];
  }
});

async function showsTheTestPicture(link) {
  const { number } = await link.showsCall();
  assert.notEqual(number, null, 'what is shown is not the test picture');
}
