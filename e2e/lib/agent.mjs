// A Rust peer as a process of its own: crates/client/examples/agent, which is told what to do line by line. Its
// connections behave like those of a tab, so that the helpers of tab.mjs take either.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import '../page/samples.js';
import { freshId } from './tab.mjs';

const PATIENCE_MS = 20_000;
const { samples } = globalThis;

export class Agent {
  events = []; // of the peer: { event, detail }
  links = []; // data connections and calls in order of appearance: { id, events, received, .. }
  #process;
  #log = [];
  #asked = 0;
  #replies = new Map();

  // On a host of network.mjs, or on this machine.
  constructor(name, { url }, host) {
    this.name = name;
    this.server = url;
    const [command, ...args] = [...(host?.entry ?? []), agentProgram()];
    const env = { RUST_LOG: 'peerway=debug', ...process.env, NO_COLOR: '1' };
    this.#process = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    process.once('exit', () => this.#process.kill('SIGKILL'));
    this.#process.on('error', (error) => this.#end(error.message));
    this.#process.on('exit', (code, signal) => this.#end(`it ended (${code ?? signal})`));
    this.#process.stdin.on('error', () => {});
    this.#process.stderr.setEncoding('utf8').on('data', (text) => this.#log.push(text));
    createInterface(this.#process.stdout).on('line', (line) => this.#hear(JSON.parse(line)));
  }

  // Makes the agent's peer and waits for its id, by default one of our choice.
  async open(id = freshId('agent'), options = {}) {
    const reply = await this.ask('open', { server: this.server, id, loopback: true, ice_servers: [], ...options });
    this.id = reply.id;
    return this.id;
  }

  // Resolves to what the agent answers to a command.
  ask(command, details = {}) {
    const seq = (this.#asked += 1);
    const reply = new Promise((resolve, reject) => this.#replies.set(seq, { resolve, reject, command }));
    this.#process.stdin.write(`${JSON.stringify({ seq, do: command, ...details })}\n`);
    return reply;
  }

  // Begins a data connection without waiting for it.
  async begin(peer, options = {}) {
    const { link } = await this.ask('connect', { peer, ...options });
    return new AgentLink(this, link);
  }

  // `send`: what the call carries from here: "test", "echo" or "nothing".
  async call(peer, options = { send: 'test' }) {
    const { link } = await this.ask('call', { peer, ...options });
    return new AgentLink(this, link);
  }

  // Waits for the agent's end of a connection or call that another began.
  async endOf(link) {
    const id = await link.id();
    const index = () => this.links.findIndex((link) => link?.id === id);
    await this.until(`the connection ${id} from ${link.tab.name}`, () => index() >= 0);
    return new AgentLink(this, index());
  }

  // Waits for the nth event of this name on the peer and resolves to what the events of this name carried.
  async sees(event, count = 1) {
    const details = () => this.events.filter((heard) => heard.event === event).map(({ detail }) => detail);
    await this.until(`"${event}" (${count})`, () => details().length >= count);
    return details();
  }

  // Leaves as a program does that comes to its end.
  async close() {
    if (this.ended) return;
    const exited = once(this.#process, 'exit').then(() => true);
    this.#process.stdin.end();
    if (await Promise.race([exited, delay(5000, false, { ref: false })])) return;
    this.#process.kill('SIGKILL');
    throw new Error(`${this.name} did not end`);
  }

  // Is gone without a word.
  async kill() {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  async until(what, probe, patience = PATIENCE_MS) {
    const deadline = AbortSignal.timeout(patience);
    while (!(await probe())) {
      assert.ok(!this.ended, `${this.name} waited for ${what}, and ${this.ended}`);
      assert.ok(!deadline.aborted, `${this.name} did not see ${what} within ${patience / 1000} s`);
      await delay(20);
    }
  }

  async testimony() {
    const links = this.links.map(({ id, events }) => `${id}: ${JSON.stringify(events)}`);
    const log = this.#log.join('').split('\n').slice(-60);
    return [`${this.name}:`, JSON.stringify(this.events), ...links, 'log:', ...log].join('\n');
  }

  #hear(line) {
    if (line.reply !== undefined) {
      const { resolve, reject, command } = this.#replies.get(line.reply);
      this.#replies.delete(line.reply);
      if (line.error === undefined) resolve(line.result);
      else reject(new Error(`${this.name} cannot ${command}: ${line.error}`));
    } else if (line.event === 'link') {
      const { event, link, ...facts } = line;
      this.links[link] = { ...this.#link(link), ...facts };
    } else if (line.link === undefined) {
      this.events.push(line);
    } else {
      const link = (this.links[line.link] = this.#link(line.link));
      if (line.event === 'data') link.received.push(line.detail);
      else link.events.push([line.event, line.detail]);
    }
  }

  // Some may be told before the others.
  #link(index) {
    return this.links[index] ?? { events: [], received: [] };
  }

  #end(why) {
    this.ended ??= why;
    for (const { reject, command } of this.#replies.values()) {
      reject(new Error(`${this.name} was to ${command}, and ${why}`));
    }
    this.#replies.clear();
  }
}

// One data or media connection as seen from an agent.
class AgentLink {
  constructor(agent, index) {
    this.tab = agent;
    this.index = index;
  }

  // Label, metadata and the rest of what it began with.
  get facts() {
    const { events, received, ...facts } = this.tab.links[this.index];
    return facts;
  }

  async id() {
    return this.facts.id;
  }

  // Waits for the first event of this name and resolves to what it carried.
  async sees(event, patience) {
    const found = () => this.tab.links[this.index].events.find(([name]) => name === event);
    await this.tab.until(`"${event}" on connection ${this.index}`, found, patience);
    return found()[1];
  }

  // Waits until the other end seems gone: it said so, or nothing comes from it.
  async seesNobody(patience) {
    const { events } = this.tab.links[this.index];
    const told = ([name, detail]) => name === 'close' || (name === 'ice' && detail === 'disconnected');
    await this.tab.until(`the end of connection ${this.index}`, () => events.some(told), patience);
  }

  close() {
    return this.tab.ask('close', { link: this.index });
  }

  answer(options) {
    return this.tab.ask('answer', { link: this.index, ...options });
  }

  // Sends a sample of page/samples.js by its name, or so many bytes of noise, and resolves to its description.
  async send(sample) {
    const isNoise = typeof sample === 'number';
    const value = isNoise ? { $noise: sample } : plain(samples.values[sample]);
    await this.tab.ask('send', { link: this.index, value });
    return samples.describe(isNoise ? samples.noise(sample) : samples.values[sample]);
  }

  async receivedCount() {
    return this.tab.links[this.index].received.length;
  }

  // Waits for the nth value and resolves to its description.
  async receives(nth, patience) {
    const { received } = this.tab.links[this.index];
    await this.tab.until(`value ${nth} on connection ${this.index}`, () => received.length >= nth, patience);
    return received[nth - 1];
  }

  stats() {
    return this.tab.ask('stats', { link: this.index });
  }

  // Waits until so many more frames of each of these codecs have come.
  async receivesFrames(codecs = ['vp8', 'opus'], count = 10) {
    const before = (await this.stats()).frames;
    let now;
    await this.tab.until(`${count} frames of ${codecs} on call ${this.index}`, async () => {
      now = (await this.stats()).frames;
      return codecs.every((codec) => (now[codec]?.frames ?? 0) >= (before[codec]?.frames ?? 0) + count);
    });
    return now;
  }
}

// JSON with the marks that the agent knows for what JSON cannot say.
function plain(value) {
  if (value instanceof ArrayBuffer) return { $hex: samples.hex(new Uint8Array(value)) };
  if (ArrayBuffer.isView(value)) {
    return { $hex: samples.hex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  }
  if (value instanceof Date) return { $date: value.getTime() };
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

function agentProgram() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/examples/agent`, import.meta.url)),
  );
  const path = process.env.E2E_AGENT ?? built.find(existsSync);
  assert.ok(path, 'there is no agent: cargo build --release -p peerway --example agent');
  return path;
}
