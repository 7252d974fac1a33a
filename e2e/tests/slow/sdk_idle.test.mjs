// Pages with our SDK that idle in the background, where their timers run once a minute, and pages that vanish.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { browserNames, launch } from '../../lib/browsers.mjs';
import { whyNoLan } from '../../lib/lan.mjs';
import { SdkLanStage } from '../../lib/sdk_lan_stage.mjs';
import { OURS, SdkStage } from '../../lib/sdk_stage.mjs';
import { onlyPeerway } from '../../lib/server.mjs';
import { on } from '../../lib/stage.mjs';
import { carries, connected } from '../../lib/tab.mjs';

const { skip } = onlyPeerway('rooms and ICE servers come from peerway');
const noChromium = !browserNames.includes('chromium') && 'in Chromium only';

class ThriftyStage extends SdkStage {
  async raise() {
    await super.raise();
    await this.seats[0].browser.close();
    this.seats = [{ browser: await launch('chromium', { thrifty: true }), host: '127.0.0.1' }];
  }
}

on(new ThriftyStage('chromium'), inTheBackground, { skip: skip || noChromium });
on(new SdkLanStage(), onCables, { skip: skip || noChromium || (await whyNoLan()) });

function inTheBackground(stage) {
  stage.test('a page that idles behind another one stays a peer', { timeout: 240_000 }, async (context) => {
    const [alice, bob] = await hidden();

    await delay(120_000);

    const ticks = await alice.run(() => window.ticks);
    context.diagnostic(`its clock of 1 s ticked ${ticks} times in 120 s`);
    assert.ok(ticks < 100, 'it was not slowed down');
    const begin = performance.now();
    const [outbound, inbound] = await connected(bob, alice);
    await carries(outbound, inbound, ['nested']);
    context.diagnostic(`reached after ${Math.round(performance.now() - begin)} ms`);
    assert.equal(await alice.count('reconnecting'), 0);
  });

  stage.test(
    'a page that was cut off behind another one is back as soon as it is in front',
    { timeout: 240_000 },
    async (context) => {
      const [alice, bob] = await hidden();

      alice.cable.cut({ down: true });
      await delay(60_000);
      alice.cable.mend();
      const begin = performance.now();
      await alice.page.bringToFront();
      await alice.sees('reconnected');

      context.diagnostic(`back after ${Math.round(performance.now() - begin)} ms`);
      assert.ok(performance.now() - begin < 5000);
      await carries(...(await connected(bob, alice)), ['nested']);
    },
  );

  // Two open peers, of which the first has been behind the second for so long that it is slowed down.
  async function hidden() {
    const alice = await stage.tabOnCable();
    await alice.open();
    const bob = await stage.tab(OURS);
    await bob.open();
    await bob.page.bringToFront();
    await alice.until('to be hidden', () => document.hidden);
    await delay(10_000);
    await alice.run(() => {
      window.ticks = 0;
      setInterval(() => (window.ticks += 1), 1000);
    });
    return [alice, bob];
  }
}

function onCables(stage) {
  stage.test('who is gone without a word is noticed', { timeout: 120_000 }, async (context) => {
    const [alice, bob] = [await stage.tabOn(0), await stage.tabOn(1)];
    const [, inbound] = await connected(alice, bob);

    await stage.lan.unplug(stage.seats[0].machine);

    const begin = performance.now();
    await inbound.sees('close', 60_000);
    context.diagnostic(`after ${Math.round(performance.now() - begin)} ms`);
  });
}
