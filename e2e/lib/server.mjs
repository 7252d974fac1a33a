// The server under test: peerway, or PeerServer with E2E_SERVER=peerserver, as a process of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { freeTcpPort } from './ports.mjs';

const PATIENCE_MS = 15_000;
const chosen = process.env.E2E_SERVER ?? 'peerway';
const programs = { peerway, peerserver };

// What stock PeerServer 1.0.2 cannot do is skipped there, with the reason.
export const unlessPeerServer = (reason) => ({ skip: chosen === 'peerserver' && reason });

export class Server {
  #program;
  #process;
  #output = [];
  #flags;
  #host;

  // On a host of network.mjs it is reached from here through a door. `name`: peerway or peerserver.
  static async start({ name = chosen, flags, host } = {}) {
    const server = new Server();
    server.#program = programs[name]();
    flags ??= server.#program.withoutTurn;
    server.port = await freeTcpPort();
    server.#flags = ['--port', server.port, '--path', '/', '--allow_discovery', ...flags];
    server.#host = host;
    await host?.openDoor(server.port);
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
    const [command, ...args] = [...(this.#host?.entry ?? []), this.#program.path, ...this.#flags];
    const env = { ...process.env, NO_COLOR: '1' };
    this.#process = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    process.once('exit', () => this.#process.kill('SIGKILL'));
    this.#process.on('error', (error) => this.#output.push(`${error}\n`));
    this.#process.stdout.on('data', (text) => this.#output.push(text));
    this.#process.stderr.on('data', (text) => this.#output.push(text));
    await this.#untilHealthy();
  }

  async stop() {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) {
      throw new Error(`${this.#program.path} had already ended (${exitCode ?? signalCode}):\n${this.lastOutput}`);
    }
    const ended = once(this.#process, 'exit').then(() => true);
    this.#process.kill('SIGTERM');
    if (await Promise.race([ended, delay(5000, false, { ref: false })])) return;

    this.#process.kill('SIGKILL');
    await ended;
    if (this.#program.endsAtOnce) {
      throw new Error(`${this.#program.path} did not end within 5 s of SIGTERM:\n${this.lastOutput}`);
    }
  }

  // Is gone without a word to anybody.
  async kill() {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  // Waits until the samples of a metric that carry this label add up to as much.
  async counts(metric, label, least) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const lines = (await (await fetch(`${this.url}metrics`)).text()).split('\n');
      const samples = lines.filter((line) => line.startsWith(`${metric}{`) && line.includes(label));
      const sum = samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
      if (sum >= least) return;
      if (Date.now() >= deadline) throw new Error(`${metric} of ${label} is ${sum}, not ${least}`);
      await delay(50);
    }
  }

  async #untilHealthy() {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline && this.#process.exitCode === null && this.#process.pid) {
      // A door that shuts in the face of fetch can make it wait for ever.
      const signal = AbortSignal.timeout(2000);
      const answer = await fetch(`${this.url}${this.#program.health}`, { signal }).catch(() => null);
      if (answer?.ok) return;
      await delay(50);
    }
    this.#process.kill('SIGKILL');
    throw new Error(`${this.#program.path} did not answer GET /${this.#program.health}:\n${this.lastOutput}`);
  }
}

function peerway() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/peerway`, import.meta.url)),
  );
  const path = process.env.E2E_BIN ?? built.find(existsSync) ?? built[0];
  // The ports of TURN are the same for all, so a server that is not to relay does without.
  return { path, health: 'healthz', withoutTurn: ['--no-turn'], endsAtOnce: true };
}

function peerserver() {
  const installed = fileURLToPath(new URL('../node_modules/.bin/peerjs', import.meta.url));
  return { path: process.env.PEERSERVER_BIN ?? installed, health: '', withoutTurn: [], endsAtOnce: false };
}
