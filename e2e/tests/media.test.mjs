// Calls: both sides decode the other's video.

import { inEveryBrowser } from '../lib/stage.mjs';

inEveryBrowser((stage) => {
  for (const [caller, callee] of [
    ['1.5.5', '1.5.5'],
    ['0.3.14', '0.3.14'],
    ['0.3.14', '1.5.5'],
    ['1.5.5', '0.3.14'],
  ]) {
    stage.test(`${caller} calls ${callee} and both sides see video`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);

      const outgoing = await alice.call(bob.id);
      const incoming = await bob.endOf(outgoing);

      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
    });
  }

  stage.test('1.5.5: hanging up at one end ends the call at the other', {}, async () => {
    const [alice, bob] = await stage.pair('1.5.5');
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);

    await outgoing.close();

    await incoming.sees('close');
  });
});
