// The server under test: peerway, or PeerServer with E2E_SERVER=peerserver, as a process of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = (process.env.E2E_SERVER ?? 'peerway') === 'peerserver' ? peerserver() : peerway();

// What stock PeerServer 1.0.2 cannot do is skipped there, with the reason.
export const unlessPeerServer = (reason) => ({ skip: program.isPeerServer && reason });

export class Server {
  #process;
  #output = [];

  static async start() {
    const server = new Server();
    server.port = await freePort();
    await server.start();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  get lastOutput() {
    return this.#output.join('').split('\n').slice(-40).join('\n');
  }

  async start() {
    const flags = ['--port', this.port, '--path', '/', '--allow_discovery'];
    const env = { ...process.env, NO_COLOR: '1' };
    this.#process = spawn(program.path, flags, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    process.once('exit', () => this.#process.kill('SIGKILL'));
    this.#process.on('error', (error) => this.#output.push(`${error}\n`));
    this.#process.stdout.on('data', (text) => this.#output.push(text));
    this.#process.stderr.on('data', (text) => this.#output.push(text));
    await this.#untilHealthy();
  }

  async stop() {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`${program.path} had already ended (${exitCode ?? signalCode}):\n${this.lastOutput}`);
    }
    const ended = once(this.#process, 'exit').then(() => true);
    this.#process.kill('SIGTERM');
    if (await Promise.race([ended, delay(5000, false, { ref: false })])) return;

    this.#process.kill('SIGKILL');
    await ended;
    if (!program.isPeerServer) {
      throw new Error(`${program.path} did not end within 5 s of SIGTERM:\n${this.lastOutput}`);
    }
  }

  async #untilHealthy() {
    const deadline = Date.now() + 15_000;
    while (Date.now() < deadline && this.#process.exitCode === null && this.#process.pid) {
      const answer = await fetch(`${this.url}${program.health}`).catch(() => null);
      if (answer?.ok) return;
      await delay(50);
    }
    this.#process.kill('SIGKILL');
    throw new Error(`${program.path} did not answer GET /${program.health}:\n${this.lastOutput}`);
  }
}

function peerway() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/peerway`, import.meta.url)),
  );
  const path = process.env.E2E_BIN ?? built.find(existsSync) ?? built[0];
  return { path, health: 'healthz', isPeerServer: false };
}

function peerserver() {
  const path = process.env.PEERSERVER_BIN ?? '/tmp/npm/node_modules/.bin/peerjs';
  return { path, health: '', isPeerServer: true };
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
