// The stage of one test: a lan with the server on its hub, and Rust peers on hosts of their own.

import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { Agent } from './agent.mjs';
import { Authority } from './authority.mjs';
import { Lan } from './lan.mjs';
import { Server } from './server.mjs';

// Like `test`, with such a stage for the body. A failed test tells what its peers and the server said.
export function testOnLan(name, body, options = {}) {
  test(name, { timeout: 130_000, ...options }, async () => {
    const stage = new LanStage();
    try {
      await stage.raise(options);
      await body(stage);
    } catch (error) {
      throw new Error(`${error.message}\n${await stage.testimony()}`, { cause: error });
    } finally {
      await stage.strike();
    }
  });
}

class LanStage {
  #agents = [];

  // `tls`: the server relays over TLS too, and the peers trust its certificate.
  async raise({ tls = false }) {
    this.lan = await Lan.lay();
    const { hub } = this.lan;
    if (tls) this.authority = await Authority.found([hub.address]);
    const flags = tls ? ['--config', await configure(this.authority)] : [];
    this.server = await Server.start({ flags, host: hub });
  }

  // A peer on a host of the lan, that is open and knows what the server tells it about ICE servers.
  async peer(host, options = {}) {
    const url = `http://${this.lan.hub.address}:${this.server.port}/`;
    const agent = new Agent(`agent on ${host.name}`, { url }, host);
    this.#agents.push(agent);
    agent.host = host;
    const ca_file = this.authority?.own;
    await agent.open(undefined, { loopback: false, ice_servers: undefined, ca_file, ...options });
    return agent;
  }

  async testimony() {
    const agents = await Promise.all(this.#agents.map((agent) => agent.testimony()));
    return [...agents, `server:\n${this.server?.lastOutput}`].join('\n---\n');
  }

  async strike() {
    try {
      const ends = await Promise.allSettled(this.#agents.map((agent) => agent.close()));
      await this.server?.stop();
      await this.authority?.close();
      const failed = ends.find(({ status }) => status === 'rejected');
      if (failed) throw failed.reason;
    } finally {
      this.lan?.close();
    }
  }
}

async function configure({ directory, certificate }) {
  const file = `${directory}/peerway.toml`;
  const lines = Object.entries(certificate).map(([name, path]) => `${name} = ${JSON.stringify(path)}`);
  await writeFile(file, ['[turn]', ...lines, ''].join('\n'));
  return file;
}
