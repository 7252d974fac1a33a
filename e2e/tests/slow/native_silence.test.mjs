// A Rust program gives connections up whose other end has gone without a word.

import { describe } from 'node:test';

import { inEveryBrowser } from '../../lib/stage.mjs';
import { connected } from '../../lib/tab.mjs';

const PATIENCE_MS = 60_000;

describe('after a tab was closed', { concurrency: true }, () => {
  inEveryBrowser((stage) => {
    stage.test('its connections and calls end within a minute', { timeout: 2 * PATIENCE_MS }, async () => {
      const ends = [];
      for (const client of ['1.5.5', '0.3.14']) {
        const tab = await stage.tab(client);
        await tab.open();
        const agent = await stage.agent({ answer: { send: 'test' } });
        const [, data] = await connected(tab, agent);
        const call = await agent.endOf(await tab.call(agent.id));
        await call.receivesFrames();
        ends.push(data, call);
        await tab.page.close();
      }

      await Promise.all(ends.map((end) => end.sees('close', PATIENCE_MS)));
    });
  });
});
