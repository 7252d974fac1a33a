// The server under test as a process of its own: peerway, with E2E_SERVER=peerserver PeerServer, or with
// E2E_SERVER=skyway-relay the socket.io server that skyway-js was captured against.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { freeTcpPort } from './ports.mjs';

const PATIENCE_MS = 15_000;
const chosen = process.env.E2E_SERVER ?? 'peerway';
const programs = { peerway, peerserver, 'skyway-relay': skywayRelay };

// What stock PeerServer 1.0.2 cannot do is skipped there, with the reason.
export const unlessPeerServer = (reason) => ({ skip: chosen === 'peerserver' && reason });

// What only peerway can do.
export const onlyPeerway = (reason) => ({ skip: chosen !== 'peerway' && reason });

export class Server {
  #program;
  #process;
  #output = [];
  #flags;
  #host;

  // On a host of network.mjs it is reached from here through a door. `name`: one of the programs. `apps`: tables of the
  // configuration file, one for each app. `tables`: others, by their name.
  static async start({ name = chosen, flags, host, apps, tables } = {}) {
    const server = new Server();
    server.#program = programs[name]();
    flags ??= server.#program.withoutTurn;
    server.port = await freeTcpPort();
    server.#flags = ['--port', server.port, '--path', '/', '--allow_discovery', ...flags];
    if (apps) server.#flags.push(...server.#program.forApps(apps, tables));
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
    const { path, before = [] } = this.#program;
    const [command, ...args] = [...(this.#host?.entry ?? []), path, ...before, ...this.#flags];
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
  // The ports of TURN and the SFU are the same for all, so a server that is not to relay does without.
  return { path, health: 'healthz', withoutTurn: ['--no-turn', '--no-sfu'], endsAtOnce: true, forApps: configured };
}

function configured(apps, tables = {}) {
  const directory = mkdtempSync(`${tmpdir()}/peerway-e2e-`);
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const named = Object.entries(tables).map(([name, settings]) => table(`[${name}]`, settings));
  const text = [...named, ...apps.map((app) => table('[[app]]', app))].join('\n');
  writeFileSync(`${directory}/peerway.toml`, text);
  return ['--config', `${directory}/peerway.toml`];
}

// What JSON says of texts, numbers, booleans and lists TOML says too.
function table(heading, settings) {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
  return `${heading}\n${lines.join('')}`;
}

function peerserver() {
  const installed = fileURLToPath(new URL('../node_modules/.bin/peerjs', import.meta.url));
  return { path: process.env.PEERSERVER_BIN ?? installed, health: '', withoutTurn: [], endsAtOnce: false };
}

function skywayRelay() {
  const script = fileURLToPath(new URL('../capture/relay.mjs', import.meta.url));
  const domains = ({ skyway }) => (skyway ? ['--domains', skyway.domains.join()] : []);
  const forApps = (apps, tables = {}) => ['--apps', JSON.stringify(apps), ...domains(tables)];
  return { path: process.execPath, before: [script], health: 'healthz', withoutTurn: [], endsAtOnce: true, forApps };
}
