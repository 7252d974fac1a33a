// Files of the disk in pages, and how much memory pages take.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// Chooses files of the disk in a page, as its user would.
export async function choose(tab, paths) {
  const input = await tab.page.$('#files');
  await input.uploadFile(...paths);
}

// Sends them over a connection that is open.
export async function sendFiles(link, paths) {
  await choose(link.tab, paths);
  return new Transfer(link.tab, await link.tab.run((index) => e2e.sendFiles(index), link.index));
}

export const takeFiles = (link, options = {}) =>
  link.tab.run((index, options) => e2e.takeFiles(index, options), link.index, options);

// One transfer as seen from one side.
export class Transfer {
  constructor(tab, index = 0) {
    this.tab = tab;
    this.index = index;
  }

  async sees(event, patience) {
    return this.tab.within(
      patience,
      `"${event}" of transfer ${this.index}`,
      (index, event) => e2e.transfers[index]?.events.find(([name]) => name === event),
      this.index,
      event,
    );
  }

  async reaches(bytes, patience) {
    await this.tab.within(
      patience,
      `${bytes} bytes of transfer ${this.index}`,
      (index, bytes) => e2e.transfers[index]?.last?.bytes >= bytes,
      this.index,
      bytes,
    );
  }

  events() {
    return this.tab.run((index) => e2e.transfers[index].events.map((event) => event.join(' ')), this.index);
  }

  // Waits for so many files that are complete, and resolves to name, size and digest of each.
  async saves(count, patience) {
    return this.tab.within(
      patience,
      `${count} files of transfer ${this.index}`,
      (index, count) => e2e.transfers[index]?.saved.length >= count && e2e.transfers[index].saved,
      this.index,
      count,
    );
  }

  cancel() {
    return this.tab.run((index) => e2e.transfers[index].transfer.cancel(), this.index);
  }

  story() {
    return this.tab.run((index) => {
      const { events, last, saved, progresses } = e2e.transfers[index];
      return { events, last, saved, progresses };
    }, this.index);
  }
}

// The processes that hold the pages of a Chromium, and how much memory they have had at most since `start`.
export class Watch {
  static async start(browser) {
    const watch = new Watch();
    const session = await browser.target().createCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    watch.pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
    for (const pid of watch.pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
    watch.before = watch.#most('VmRSS');
    return watch;
  }

  // In bytes, that of the page that grew most.
  grown() {
    const now = this.#most('VmHWM');
    return Math.max(...this.pids.map((pid) => now.get(pid) - this.before.get(pid)));
  }

  #most(name) {
    const read = (pid) =>
      1024 * Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
    return new Map(this.pids.map((pid) => [pid, read(pid)]));
  }
}
