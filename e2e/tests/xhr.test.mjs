// PeerJS 0.3 opens an XHR stream and a WebSocket side by side, and lives on the stream where no WebSocket comes through.

import assert from 'node:assert/strict';

import { unlessPeerServer } from '../lib/server.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

inEveryBrowser((stage) => {
  stage.test('0.3.14: a peer with both transports opens once', {}, async () => {
    const [alice, bob] = await stage.pair('0.3.14');
    for (const tab of [alice, bob]) {
      await tab.until('an open WebSocket', () => e2e.peer.socket._socket.readyState === WebSocket.OPEN);
    }

    // What the server has to say on the sockets is said once an offer and its answer have passed.
    await connected(alice, bob);
    await connected(bob, alice);

    assert.equal(await alice.count('open'), 1);
    assert.equal(await bob.count('open'), 1);
  });

  stage.test(
    '0.3.14: data and calls work over XHR alone',
    unlessPeerServer('PeerServer gave up the XHR stream in 0.3'),
    async () => {
      const [alice, bob] = await stage.pair('0.3.14', '0.3.14', { webSocket: false });

      const [outbound, inbound] = await connected(alice, bob);
      await carries(outbound, inbound, ['nested', 'megabyte']);
      await carries(inbound, outbound, ['nested', 'megabyte']);
      const outgoing = await bob.call(alice.id);
      const incoming = await alice.endOf(outgoing);
      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
      await outbound.close();
      await inbound.sees('close');

      assert.equal(await alice.count('open'), 1);
      assert.equal(await bob.count('open'), 1);
      assert.equal(await alice.count('error'), 0);
      assert.equal(await bob.count('error'), 0);
    },
  );

  stage.test(
    'a 0.3.14 peer on XHR alone and a 1.5.5 peer reach each other',
    unlessPeerServer('PeerServer gave up the XHR stream in 0.3'),
    async () => {
      const [old, modern] = [await stage.tab('0.3.14', { webSocket: false }), await stage.tab('1.5.5')];
      await Promise.all([old.open(), modern.open()]);

      await connected(old, modern);
      await connected(modern, old);
    },
  );
});
