// What processes cost, as Linux tells it under /proc: CPU time in seconds, memory in bytes.

import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const NANOSECONDS = 1e9;
const TICKS = 100;

// A process and all that descend from it: of a browser the renderers and the network service too.
export class Family {
  #root;

  constructor(root) {
    this.#root = root;
  }

  // By thread, so that a thread that ends takes nothing away. What the kernel does to deliver a datagram over loopback
  // is part of the sender's time.
  cpuTimes() {
    const times = new Map();
    for (const pid of this.#members()) {
      for (const thread of entries(`/proc/${pid}/task`)) {
        const [onCpu] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ');
        times.set(thread, Number(onCpu) / NANOSECONDS);
      }
    }
    return times;
  }

  cpuSince(before) {
    let spent = 0;
    for (const [thread, time] of this.cpuTimes()) spent += time - (before.get(thread) ?? 0);
    return spent;
  }

  // Of the first process alone.
  resident() {
    const [, kibibytes] = read(`/proc/${this.#root}/status`).match(/^VmRSS:\s*(\d+) kB$/m) ?? [];
    if (!kibibytes) throw new Error(`process ${this.#root} is gone`);
    return kibibytes * 1024;
  }

  // Once it has stayed within one per cent for so many seconds, after at most a minute.
  async settledResident(seconds = 5) {
    const samples = [];
    while (samples.length < 60) {
      samples.push(this.resident());
      const recent = samples.slice(-seconds - 1);
      if (recent.length > seconds && Math.max(...recent) <= Math.min(...recent) * 1.01) break;
      await delay(1000);
    }
    return samples.at(-1);
  }

  // Waits until a program that has just started has come to rest, at most 20 s.
  async rest() {
    for (let tries = 0; tries < 40; tries += 1) {
      const before = this.cpuTimes();
      await delay(500);
      if (this.cpuSince(before) < 0.025) return;
    }
  }

  #members() {
    const children = new Map();
    for (const pid of entries('/proc').filter((name) => /^\d+$/.test(name))) {
      // pid (name) state parent ...; the name may contain anything.
      const parent = read(`/proc/${pid}/stat`).split(') ').at(-1).split(' ')[1];
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    }
    const members = [String(this.#root)];
    for (const member of members) members.push(...(children.get(member) ?? []));
    return members;
  }
}

// CPU time of the whole machine.
export function machineCpu() {
  const [, user, nice, system, , , irq, softirq] = read('/proc/stat').split('\n')[0].split(/\s+/).map(Number);
  return (user + nice + system + irq + softirq) / TICKS;
}

// A process or thread may end between two reads.
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
    throw error;
  }
}

function entries(path) {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return [];
    throw error;
  }
}
