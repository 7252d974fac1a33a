// Calls between pages with skyway-js.

import assert from 'node:assert/strict';

import { clients, inChromium } from '../lib/skyway_stage.mjs';

inChromium((stage) => {
  for (const [caller, callee] of [
    ['skyway-js-4.4.5', 'skyway-js-4.4.5'],
    ['skyway-js-1.1.20', 'skyway-js-1.1.20'],
    ['skyway-js-4.4.5', 'skyway-js-1.1.20'],
    ['skyway-js-1.1.20', 'skyway-js-4.4.5'],
  ]) {
    stage.test(`${caller} calls ${callee} and both sides see video`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);

      const outgoing = await alice.call(bob.id);
      const incoming = await bob.endOf(outgoing);

      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
    });
  }

  for (const client of clients) {
    stage.test(`${client}: who calls without a camera sees and is not seen`, {}, async () => {
      const [alice, bob] = await stage.pair(client);

      const outgoing = await alice.call(bob.id, { receiveOnly: true });
      const incoming = await bob.endOf(outgoing);

      await outgoing.showsVideo();
      assert.deepEqual(await bob.run((index) => e2e.links[index].events, incoming.index), []);
    });

    stage.test(`${client}: codec and bandwidth of a call are those that were asked for`, {}, async () => {
      const [alice, bob] = await stage.pair(client);

      const outgoing = await alice.call(bob.id, { videoCodec: 'VP9', videoBandwidth: 200, metadata: { topic: 'é' } });
      const incoming = await bob.endOf(outgoing);

      await incoming.showsVideo();
      const codec = await bob.run(async (index) => {
        const report = await e2e.rtcOf(e2e.links[index].connection).getStats();
        const { codecId } = [...report.values()].find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
        return report.get(codecId).mimeType;
      }, incoming.index);
      assert.equal(codec, 'video/VP9');
      assert.deepEqual((await incoming.facts()).metadata, { topic: 'é' });
    });
  }

  // Without it the other end waits for ICE to fail, which takes 15 seconds.
  stage.test('skyway-js-4.4.5: a forced close ends the call at the other end at once', {}, async () => {
    const [alice, bob] = await stage.pair('skyway-js-4.4.5');
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    await outgoing.close(true);

    await incoming.sees('close', 5000);
  });
});
