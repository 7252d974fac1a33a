// The two kinds of peers that are measured, each in processes of its own: a Rust program (peer/main.rs), and a page
// with PeerJS 1.5.5 in a Chromium that has no other page. Both take the same commands.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { launch } from '../../e2e/lib/browsers.mjs';
import { Family } from '../processes.mjs';

const PEERJS = '1.5.5';

export const startSide = (kind, stage) => ({ rust: RustSide, chromium: PageSide })[kind].start(stage);

class RustSide {
  #process;
  #replies;
  #kill = () => this.#process.kill('SIGKILL');

  static async start() {
    const side = new RustSide();
    side.#process = spawn(process.env.DATA_PEER, { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', side.#kill);
    side.#process.stdin.on('error', () => {}); // it ended: there will be no reply
    await once(side.#process, 'spawn');
    side.#replies = createInterface(side.#process.stdout)[Symbol.asyncIterator]();
    side.family = new Family(side.#process.pid);
    return side;
  }

  async ask(command, details = {}) {
    this.#process.stdin.write(`${JSON.stringify({ do: command, ...details })}\n`);
    const { value: line } = await this.#replies.next();
    const { result, error } = JSON.parse(line ?? '{"error":"it ended"}');
    if (error !== undefined) throw new Error(`${command}: ${error}`);
    return result;
  }

  async close() {
    process.off('exit', this.#kill);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#kill();
    await ended;
  }
}

class PageSide {
  #browser;
  #page;

  static async start({ pages }) {
    const side = new PageSide();
    side.#browser = await launch('chromium');
    [side.#page] = await side.#browser.pages();
    await side.#page.goto(pages.urlFor(PEERJS));
    for (const script of ['../connecting.js', 'page.js']) {
      await side.#page.addScriptTag({ path: fileURLToPath(new URL(script, import.meta.url)) });
    }
    side.family = new Family(side.#browser.process().pid);
    return side;
  }

  ask(command, details = {}) {
    return this.#page.evaluate((command) => side.obey(command), { do: command, ...details });
  }

  async close() {
    await this.#browser.close();
  }
}
