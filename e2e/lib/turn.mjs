// TURN on the loopback interface, and what pages ask of it.

import { writeFile } from 'node:fs/promises';

import { Authority } from './authority.mjs';
import { launch } from './browsers.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { Stage } from './stage.mjs';

const urls = { udp: /^turn:.*transport=udp$/, tcp: /^turn:.*transport=tcp$/, tls: /^turns:/ };

export const transports = Object.keys(urls);

// The server relays over every transport, each on any free port, and the browser trusts its certificate.
export class TurnStage extends Stage {
  async raise() {
    this.authority = await Authority.found();
    const config = `${this.authority.directory}/peerway.toml`;
    await writeFile(config, settings(this.authority));
    this.server = await Server.start({ flags: ['--config', config, '--no-sfu'] });
    this.pages = await Pages.start();
    this.seats = [{ browser: await launch(this.browserName, { authority: this.authority }), host: '127.0.0.1' }];
  }

  async strike() {
    try {
      await super.strike();
    } finally {
      await this.authority?.close();
    }
  }
}

function settings(authority) {
  const turn = { ...authority.certificate, udp: ['127.0.0.1:0'], tcp: ['127.0.0.1:0'], tls: ['127.0.0.1:0'] };
  const lines = Object.entries(turn).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return ['[turn]', ...lines, ''].join('\n');
}

// What peerway tells the page about itself.
export async function iceServers(tab, server = tab.server) {
  const { iceServers } = await tab.run(async (url) => (await fetch(url)).json(), `${server}/v1/ice?key=peerjs`);
  return iceServers;
}

// Of that only the TURN URLs of one transport.
export async function relaysOver(transport, tab) {
  // Firefox refuses TLS to a bare address, and the URLs name the host that was asked.
  const server = transport === 'tls' ? tab.server.replace('127.0.0.1', 'localhost') : tab.server;
  return (await iceServers(tab, server))
    .map((entry) => ({ ...entry, urls: entry.urls.filter((url) => urls[transport].test(url)) }))
    .filter((entry) => entry.urls.length > 0);
}
