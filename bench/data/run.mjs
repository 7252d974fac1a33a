// Runs every cell so many times, keeps the figures in .cache/data.jsonl and prints the tables of them.
// data.sh says which settings there are.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Pages } from '../../e2e/lib/pages.mjs';
import { Server } from '../../e2e/lib/server.mjs';
import { Family, machineCpu } from '../processes.mjs';
import { startSide } from './sides.mjs';
import { tables } from './table.mjs';

const cache = fileURLToPath(new URL('../.cache/', import.meta.url));
const reports = `${cache}data.jsonl`;
const settings = process.env;
const words = (name) => settings[name].split(/\s+/).filter(Boolean);
const number = (name) => Number(settings[name]);

const CELL_SECONDS = 175; // Puppeteer gives a command up after 180
const IDLE_SECONDS = 5;
const WARM_UP_DIALS = 5;
const MEGABYTE = 1e6;
const KIBIBYTE = 1024;

const figures = { connect, throughput, memory };

const cells = words('FIGURES').flatMap((figure) => {
  if (!figures[figure]) throw new Error(`no such figure: ${figure} (${Object.keys(figures).join(', ')})`);
  if (figure === 'memory') return words('HELD').map((held) => ({ figure, pair: 'rust:rust', held: Number(held) }));
  return words('PAIRS').flatMap((pair) =>
    figure === 'connect' ? [{ figure, pair }] : words('SIZES').map((size) => ({ figure, pair, size: Number(size) })),
  );
});

// Whoever ends on a signal runs what servers, browsers and peers left to do at the exit.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

await main();

async function main() {
  const stage = { server: await Server.start(), pages: await Pages.start() };
  const records = [];
  mkdirSync(cache, { recursive: true });
  writeFileSync(reports, '');
  // The rounds alternate the pairs, so that a slow minute of the machine hits all of them.
  for (let round = 1; round <= number('ROUNDS'); round += 1) {
    for (const cell of cells) {
      console.error(`round ${round}: ${Object.values(cell).join(' ')}`);
      try {
        const record = { round, ...cell, ...(await measured(cell, stage)) };
        records.push(record);
        appendFileSync(reports, `${JSON.stringify(record)}\n`);
      } catch (error) {
        console.error(`  no figure: ${error.message}`);
        process.exitCode = 1;
      }
    }
  }
  await Promise.all([stage.server.stop(), stage.pages.stop()]);
  console.log(tables(records));
}

// Every cell meets fresh processes, so that none inherits the garbage of another.
async function measured(cell, stage) {
  const sides = [];
  const overdue = new AbortController();
  try {
    for (const [index, kind] of cell.pair.split(':').entries()) {
      const side = await startSide(kind, stage);
      sides.push(side);
      side.id = `${kind}-${index}-${process.pid}`;
      await side.ask('open', { server: stage.server.url, id: side.id });
    }
    await Promise.all(sides.map(({ family }) => family.rest()));
    const patience = delay(CELL_SECONDS * 1000, null, { signal: overdue.signal }).then(() => {
      throw new Error(`it took more than ${CELL_SECONDS} s`);
    });
    return await Promise.race([figures[cell.figure](...sides, cell), patience]);
  } finally {
    overdue.abort();
    await Promise.allSettled(sides.map((side) => side.close()));
  }
}

async function connect(caller, callee) {
  await caller.ask('dial', { peer: callee.id, count: WARM_UP_DIALS });
  return { milliseconds: await caller.ask('dial', { peer: callee.id, count: number('CONNECTS') }) };
}

async function throughput(sender, receiver, { size }) {
  await sender.ask('hold', { peer: receiver.id, count: 1 });
  await transfer(sender, receiver, number('WARM_UP_MB'), size);

  const everybody = [sender.family, receiver.family, new Family(process.pid)];
  const before = everybody.map((family) => family.cpuTimes());
  const [machine, time] = [machineCpu(), performance.now()];
  const arrival = await transfer(sender, receiver, number('AMOUNT_MB'), size);
  const spent = everybody.map((family, index) => family.cpuSince(before[index]));
  const seconds = (performance.now() - time) / 1000;
  // The harness's own family has the two others in it.
  const others = (machineCpu() - machine - spent[2]) / seconds;
  if (others > 0.1) console.error(`  the rest of the machine was busy: ${(others * 100).toFixed(0)} % of a core`);

  const gigabytes = arrival.sent / 1000 / MEGABYTE;
  return {
    rate: arrival.bytes / arrival.seconds / MEGABYTE,
    senderCpu: spent[0] / gigabytes,
    receiverCpu: spent[1] / gigabytes,
    others,
  };
}

async function transfer(sender, receiver, megabytes, kibibytes) {
  const size = kibibytes * KIBIBYTE;
  const bytes = Math.max(2, Math.ceil((megabytes * MEGABYTE) / size)) * size;
  await receiver.ask('expect', { bytes });
  const [arrival] = await Promise.all([
    receiver.ask('receive'),
    sender.ask('send', { bytes, size, buffer: number('BUFFER_KB') * KIBIBYTE }),
  ]);
  return { ...arrival, sent: bytes };
}

async function memory(caller, callee, { held }) {
  // What the first connection of a process brings once is not a connection's.
  await caller.ask('dial', { peer: callee.id, count: WARM_UP_DIALS });
  const sides = [caller, callee];
  const base = await Promise.all(sides.map(({ family }) => family.settledResident()));
  await caller.ask('hold', { peer: callee.id, count: held });
  const full = await Promise.all(sides.map(({ family }) => family.settledResident()));
  const before = sides.map(({ family }) => family.cpuTimes());
  await delay(IDLE_SECONDS * 1000);
  const cpu = sides.map(({ family }, index) => family.cpuSince(before[index]) / IDLE_SECONDS);
  const links = await Promise.all(sides.map((side) => side.ask('links')));
  if (links.some((count) => count !== held)) throw new Error(`${links.join(' and ')} connections of ${held} are left`);
  return { base, full, cpu };
}
