// A stage for our own SDK and everybody it meets: one app for all, with rooms of both modes.

import { browserNames } from './browsers.mjs';
import { Cable } from './cable.mjs';
import { OURS } from './builds.mjs';
import { freeTcpPort } from './ports.mjs';
import { SdkTab } from './sdk.mjs';
import { OPERATORS, SfuStage } from './sfu_stage.mjs';
import { onlyPeerway, Server } from './server.mjs';
import { KEY } from './skyway.mjs';
import { on } from './stage.mjs';
import { Tab } from './tab.mjs';

export { OURS };

const only = onlyPeerway('rooms and ICE servers come from peerway');

// Tests on a stage with a seat in each of these browsers.
export function withSdk(define, ...names) {
  if (!names.length) names = ['chromium'];
  if (names.every((name) => browserNames.includes(name))) on(new SdkStage(...names), define, only);
}

// The same in every browser alone.
export function withSdkInEveryBrowser(define) {
  for (const name of browserNames) withSdk(define, name);
}

// For what one browser shows well enough: with E2E_ALL=1 it is tested in every one.
export const inOneBrowser = ({ browserName }) => ({
  skip: browserName === 'firefox' && !process.env.E2E_ALL && 'in Chromium only, unless E2E_ALL is set',
});

export class SdkStage extends SfuStage {
  async startServer() {
    // Not on the loopback interface alone, which Firefox does not use where there is another.
    const tables = { ...OPERATORS, sfu: { udp: [`${await freeTcpPort()}`] } };
    return Server.start({ apps: [{ key: KEY, allow_discovery: true }], tables, flags: ['--no-turn'] });
  }

  tabClass(client) {
    if (client === OURS) return SdkTab;
    return client.startsWith('skyway') ? super.tabClass(client) : Tab;
  }

  async tab(client, options) {
    const tab = await super.tab(client, options);
    tab.options.key = KEY;
    return tab;
  }

  agent(options = {}) {
    return super.agent({ key: KEY, ...options });
  }

  // A tab of ours whose line to the server can be cut.
  async tabOnCable(client = OURS, options = {}) {
    const cable = await Cable.to(this.server);
    const tab = await this.tab(client, { port: cable.port, ...options });
    tab.cable = cable;
    return tab;
  }

  crowd(count, client = OURS) {
    return super.crowd(count, client);
  }
}
