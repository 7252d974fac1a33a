// Connecting to somebody who is not there (yet).

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { inEveryBrowser } from '../lib/stage.mjs';
import { freshId } from '../lib/tab.mjs';

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: an unknown peer is reported after about five seconds`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.open();

      const begun = Date.now();
      await tab.begin(freshId('nobody'));
      const [type] = await tab.sees('error');
      const seconds = (Date.now() - begun) / 1000;

      assert.equal(type, 'peer-unavailable');
      assert.ok(seconds > 4 && seconds < 9, `reported after ${seconds} s`);
      assert.equal(await tab.count('disconnected'), 0);
    });

    stage.test(`${client}: an early offer waits for its peer`, {}, async () => {
      const [early, late] = [await stage.tab(client), await stage.tab(client)];
      const id = freshId('late');
      await early.open();

      const outbound = await early.begin(id);
      await delay(2000);
      await late.open(id);

      const inbound = await late.endOf(outbound);
      await Promise.all([outbound.sees('open'), inbound.sees('open')]);
      assert.equal(await early.count('error'), 0);
    });
  }
});
