// A stage with a server for the clients of SkyWay: one app for everybody, and some with conditions.

import { browserNames } from './browsers.mjs';
import { Cable } from './cable.mjs';
import { Server, unlessPeerServer } from './server.mjs';
import { KEY } from './skyway.mjs';
import { on, Stage } from './stage.mjs';

export const clients = ['skyway-js-4.4.5', 'skyway-js-1.1.20'];

// Where skyway-js stays with polling, since 4.4.2.
export const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 Safari/605.1.15';

export const SIGNED_KEY = '5e1f0001-cafe-4bad-8bad-0123456789ab';
export const FOREIGN_KEY = '5e1f0002-cafe-4bad-8bad-0123456789ab';
export const SECRET = 'a secret of the tests';

const apps = [
  { key: KEY, allow_discovery: true },
  { key: SIGNED_KEY, secret: SECRET, require_signed_id: true, allow_discovery: false },
  { key: FOREIGN_KEY, origins: ['https://elsewhere.example'] },
];

// SkyWay's clients are run in Chromium.
export function inChromium(define) {
  if (!browserNames.includes('chromium')) return;
  on(new SkywayStage('chromium'), define, unlessPeerServer('PeerServer does not speak to skyway-js'));
}

class SkywayStage extends Stage {
  startServer() {
    return Server.start({ apps });
  }

  // A tab whose line to the server can be cut.
  async tabOnCable(client, options = {}) {
    const cable = await Cable.to(this.server);
    const tab = await this.tab(client, { port: cable.port, ...options });
    tab.cable = cable;
    return tab;
  }

  // So many tabs whose peers are open.
  async crowd(count, client) {
    const tabs = [];
    for (let index = 0; index < count; index += 1) tabs.push(await this.tab(client));
    await Promise.all(tabs.map((tab) => tab.open()));
    return tabs;
  }
}
