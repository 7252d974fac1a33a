// A command of the program `peerway` as a process of its own: send, receive, chat, call, listen.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PATIENCE_MS = 30_000;

export class Command {
  stdout = [];
  #stderr = '';
  #process;

  // On a host of network.mjs, or on this machine.
  constructor({ url }, args, { cwd, host } = {}) {
    this.name = `peerway ${args[0]}`;
    const [command, ...rest] = [...(host?.entry ?? []), program(), ...args, '--server', url];
    this.#process = spawn(command, rest, { cwd, stdio: 'pipe' });
    process.once('exit', () => this.#process.kill('SIGKILL'));
    this.#process.on('error', (error) => (this.#stderr += error.message));
    this.#process.stdin.on('error', () => {});
    this.#process.stdout.on('data', (bytes) => this.stdout.push(bytes));
    this.#process.stderr.setEncoding('utf8').on('data', (text) => (this.#stderr += text));
    this.ended = new Promise((resolve) => this.#process.on('close', (code, signal) => resolve(code ?? signal)));
  }

  // What it printed on stdout.
  get output() {
    return Buffer.concat(this.stdout).toString();
  }

  say(text) {
    this.#process.stdin.write(text);
  }

  // Waits for a text on stderr or, with `where` 'output', on stdout.
  async tells(text, where = 'errors') {
    const told = () => (where === 'output' ? this.output : this.#stderr);
    await this.until(JSON.stringify(text), () => told().includes(text));
  }

  // Waits for the end, and expects this exit code.
  async ends(expected = 0) {
    const code = await Promise.race([this.ended, delay(PATIENCE_MS, 'no end', { ref: false })]);
    assert.equal(code, expected, this.story());
  }

  interrupt() {
    this.#process.kill('SIGINT');
  }

  async close() {
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  async until(what, probe) {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    while (!probe()) {
      assert.ok(!deadline.aborted, `${this.name} did not tell ${what}\n${this.story()}`);
      await delay(20);
    }
  }

  story() {
    return [`${this.name}:`, this.#stderr, 'stdout:', this.output.slice(0, 2000)].join('\n');
  }
}

function program() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/peerway`, import.meta.url)),
  );
  return process.env.E2E_BIN ?? built.find(existsSync) ?? built[0];
}
