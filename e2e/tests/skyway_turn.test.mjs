// The TURN credential that skyway-js is given at OPEN. The name of the TURN server is the vendor's and fixed in the SDK, so
// it is given only where that name is known to lead to us.

import assert from 'node:assert/strict';

import { browserNames } from '../lib/browsers.mjs';
import { onlyPeerway, Server } from '../lib/server.mjs';
import { clients, SECRET } from '../lib/skyway_stage.mjs';
import { credentialFor, KEY } from '../lib/skyway.mjs';
import { on, Stage } from '../lib/stage.mjs';
import { freshId } from '../lib/tab.mjs';

const SIGNED_KEY = '5e1f0003-cafe-4bad-8bad-0123456789ab';
const WITHOUT_TURN_KEY = '5e1f0004-cafe-4bad-8bad-0123456789ab';

const apps = [
  { key: KEY },
  { key: SIGNED_KEY, secret: SECRET, require_signed_id: true },
  { key: WITHOUT_TURN_KEY, turn: false },
];

class TurnStage extends Stage {
  #vendorHosts;

  constructor(vendorHosts) {
    super('chromium');
    this.#vendorHosts = vendorHosts;
  }

  startServer() {
    const anyPort = ['127.0.0.1:0'];
    const turn = { udp: anyPort, tcp: anyPort, tls: [] };
    return Server.start({ flags: ['--no-sfu'], apps, tables: { skyway: { vendor_hosts: this.#vendorHosts }, turn } });
  }
}

if (browserNames.includes('chromium')) {
  const only = onlyPeerway('the relay has no TURN');
  on(new TurnStage(true), withVendorHosts, only);
  on(new TurnStage(false), withoutVendorHosts, only);
}

function withVendorHosts(stage) {
  for (const client of clients) {
    stage.test(
      `${client}: where the vendor's names lead to us, a page gets a credential that is good`,
      {},
      async () => {
        const tab = await stage.tab(client);
        await tab.open(undefined, { config: { iceServers: [] } });

        const given = await turnServersOf(tab);

        assert.deepEqual(given.map(({ url }) => url).sort(), [
          'turn:turn.webrtc.ecl.ntt.com:443?transport=tcp',
          'turn:turn.webrtc.ecl.ntt.com:443?transport=udp',
          'turns:turn.webrtc.ecl.ntt.com:443?transport=tcp',
        ]);
        const [{ username, credential }] = given;
        assert.notEqual((await relayCandidates(tab, { username, credential })).length, 0);
        assert.deepEqual(await relayCandidates(tab, { username, credential: 'guessed' }), []);
      },
    );

    stage.test(`${client}: the TURN credential ends with the peer's`, {}, async () => {
      const tab = await stage.tab(client);
      const id = freshId('signed');
      const signed = credentialFor(id, { secret: SECRET });
      await tab.open(id, { key: SIGNED_KEY, credential: signed });

      const [{ username }] = await turnServersOf(tab);

      // TURN REST: the time of its end, a colon, a name.
      assert.equal(Number(username.split(':')[0]), signed.timestamp + signed.ttl);
    });

    stage.test(`${client}: a key without TURN gets none`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.open(undefined, { key: WITHOUT_TURN_KEY });
      assert.deepEqual(await turnServersOf(tab), []);
    });
  }
}

function withoutVendorHosts(stage) {
  for (const client of clients) {
    stage.test(`${client}: without the vendor's names a page is not sent to dead servers`, {}, async () => {
      const tab = await stage.tab(client);
      await tab.open();
      assert.deepEqual(await turnServersOf(tab), []);
    });
  }
}

async function turnServersOf(tab) {
  const servers = await tab.run(() => e2e.peer._pcConfig.iceServers);
  return servers
    .map(({ urls, url, ...rest }) => ({ url: [urls ?? url].flat()[0], ...rest }))
    .filter(({ url }) => url.startsWith('turn'));
}

// What these credentials get at our TURN server by its real name.
function relayCandidates(tab, credentials) {
  return tab.run(
    async (server, key, credentials) => {
      const { iceServers } = await (await fetch(`${server}/v1/ice?key=${key}`)).json();
      const urls = iceServers.flatMap(({ urls }) => urls).filter((url) => /^turn:.*udp$/.test(url));
      return e2e.relayCandidates([{ urls, ...credentials }]);
    },
    tab.server,
    KEY,
    credentials,
  );
}
