// Pages that know nothing but their key: the names of the vendor's hosts lead to our server, and its dispatcher names
// further hosts, as skyway-js needs to recover.

import assert from 'node:assert/strict';

import { Authority } from '../lib/authority.mjs';
import { browserNames, launch } from '../lib/browsers.mjs';
import { Cable } from '../lib/cable.mjs';
import { Pages } from '../lib/pages.mjs';
import { Server, unlessPeerServer } from '../lib/server.mjs';
import { clients } from '../lib/skyway_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
import { on, Stage } from '../lib/stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

const DISPATCHER = 'dispatcher.webrtc.ecl.ntt.com';
const ALIASES = ['signaling-1.example.com', 'signaling-2.example.com'];

// The server has three names, and a line of its own to each.
class VendorStage extends Stage {
  cables = {};

  async raise() {
    const names = [DISPATCHER, ...ALIASES];
    this.authority = await Authority.found(undefined, names);
    this.server = await Server.start({ apps: [{ key: KEY }], tables: { skyway: { domains: ALIASES } } });
    for (const name of names) this.cables[name] = await Cable.to(this.server, this.authority.certificate);
    const ways = names.map((name) => [`${name}:443`, `127.0.0.1:${this.cables[name].port}`]);
    const options = { authority: this.authority, names: Object.fromEntries(ways) };
    this.pages = await Pages.start();
    this.seats = [{ browser: await launch(this.browserName, options), host: '127.0.0.1' }];
  }

  async strike() {
    try {
      await super.strike();
    } finally {
      Object.values(this.cables).forEach((cable) => cable.close());
      await this.authority?.close();
    }
  }

  async tab(client) {
    const tab = await super.tab(client);
    tab.options = { key: KEY, debug: 2 };
    return tab;
  }
}

if (browserNames.includes('chromium')) {
  on(new VendorStage('chromium'), define, unlessPeerServer('PeerServer does not speak to skyway-js'));
}

function define(stage) {
  for (const client of clients) {
    stage.test(`${client}: a page that gives its key and nothing else gets to work`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const carol = await stage.tab(client);
      await carol.open(null);

      const [outbound, inbound] = await connected(alice, bob);
      await carries(outbound, inbound, ['nested']);
      assert.ok(ALIASES.includes(await aliasOf(alice)), await aliasOf(alice));
    });

    // Two attempts of socket.io, up to three seconds each, come before.
    stage.test(`${client}: a host that is gone for good is left for another one, rooms and all`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const name = freshId('room');
      const [ofAlice, ofBob] = [
        await alice.join(name, { receiveOnly: true }),
        await bob.join(name, { receiveOnly: true }),
      ];
      await Promise.all([ofAlice.sees('open'), ofBob.sees('open')]);
      const gone = await aliasOf(alice);

      stage.cables[gone].cut({ down: true });
      try {
        await alice.isCutOff();
        await Promise.all([alice.connects(), bob.connects()]);
      } finally {
        stage.cables[gone].mend();
      }

      assert.notEqual(await aliasOf(alice), gone);
      await ofAlice.send('bytes');
      await ofBob.receives(1);
      for (const tab of [alice, bob]) assert.equal(await tab.count('error'), 0);
    });
  }
}

const aliasOf = (tab) => tab.run(() => new URL(e2e.peer.socket._io.io.uri).hostname);
