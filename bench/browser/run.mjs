// Measures peerway's browser SDK beside PeerJS 1.5.5 and beside a bare RTCDataChannel, between two Chromiums, in turn, and
// prints the medians. browser.sh says which settings there are.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { launch } from '../../e2e/lib/browsers.mjs';
import { readBuild, scriptOf } from '../../e2e/lib/builds.mjs';
import { Server } from '../../e2e/lib/server.mjs';
import { quantile, shown, table } from '../figures.mjs';
import { Family } from '../processes.mjs';

const PEERJS = '1.5.5';
const WARM_UP_DIALS = 5;
const number = (name) => Number(process.env[name]);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const scripts = {
  peerway: readFileSync(here('../../sdk/browser/dist/peerway.js'), 'utf8'),
  peerjs: (await readBuild(PEERJS, scriptOf(PEERJS))).toString(),
};

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const server = await Server.start();
const pages = createServer((_, response) => {
  response.setHeader('content-type', 'text/html');
  response.end('<!doctype html><title>bench</title>');
});
pages.listen(0, '127.0.0.1');
await once(pages, 'listening');

const bytes = number('AMOUNT_MB') * 1e6;
const warmUp = number('WARM_UP_MB') * 1e6;
const records = [];
const cells = process.env.CELLS.split(/\s+/).filter(Boolean);
const measures = {
  'raw:throughput': () => between(undefined, rawThroughput),
  'peerjs:whole': () => between('peerjs', (pair) => throughput(pair, 'sendWhole')),
  'peerway:whole': () => between('peerway', (pair) => throughput(pair, 'sendWhole')),
  'peerjs:values': () => between('peerjs', (pair) => throughput(pair, 'sendValues')),
  'peerway:values': () => between('peerway', (pair) => throughput(pair, 'sendValues')),
  'peerjs:connect': () => between('peerjs', connect),
  'peerway:connect': () => between('peerway', connect),
};

// The rounds alternate, so that a slow minute of the machine hits all of them.
for (let round = 1; round <= number('ROUNDS'); round += 1) {
  for (const cell of cells) {
    try {
      const { figures, cpu } = await measures[cell]();
      console.error(
        `round ${round}: ${cell} ${shown(quantile(figures, 0.5))}${cpu ? `, CPU s/GB ${cpu.map(shown)}` : ''}`,
      );
      records.push({ cell, figures, cpu });
    } catch (error) {
      console.error(`round ${round}: ${cell}: no figure: ${error.message}`);
      process.exitCode = 1;
    }
  }
}
pages.close();
await server.stop();
print();

// Fresh browsers each time, so that none inherits the garbage of another.
async function between(client, measure) {
  const browsers = await Promise.all([launch('chromium'), launch('chromium')]);
  try {
    const sides = await Promise.all(browsers.map((browser, index) => side(browser, client, index)));
    return await measure(sides);
  } finally {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
  }
}

async function side(browser, client, index) {
  const [page] = await browser.pages();
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  if (client) await page.addScriptTag({ content: scripts[client] });
  for (const script of ['../connecting.js', 'page.js']) await page.addScriptTag({ path: here(script) });
  await page.evaluate((waits) => (side.waits = waits), client === 'peerway');
  const ask = (command, details = {}) => page.evaluate((it) => side.obey(it), { do: command, ...details });
  const id = `bench-${index}-${process.pid}-${Date.now()}`;
  if (client) await ask('open', { server: server.url, id });
  return { ask, id, family: new Family(browser.process().pid) };
}

async function throughput([sender, receiver], command) {
  await sender.ask('hold', { peer: receiver.id });
  return measuredTransfer(sender, receiver, command);
}

async function rawThroughput([sender, receiver]) {
  const answer = await receiver.ask('rawAnswer', { sdp: await sender.ask('rawOffer') });
  await sender.ask('rawOpen', { sdp: answer });
  return measuredTransfer(sender, receiver, 'sendRaw');
}

// What it costs is told too: where others are at work on the machine, that says more than the rate.
async function measuredTransfer(sender, receiver, command) {
  await transfer(sender, receiver, command, warmUp);
  const families = [sender.family, receiver.family];
  const before = families.map((family) => family.cpuTimes());
  const rate = await transfer(sender, receiver, command, bytes);
  return { figures: [rate], cpu: families.map((family, index) => family.cpuSince(before[index]) / (bytes / 1e9)) };
}

// MB/s, from before the first `send` until all is with the other application.
async function transfer(sender, receiver, command, bytes) {
  await receiver.ask('expect', { bytes });
  const [started, arrived] = await Promise.all([sender.ask(command, { bytes }), receiver.ask('receive')]);
  return bytes / 1000 / (arrived - started);
}

async function connect([caller, callee]) {
  await caller.ask('dial', { peer: callee.id, count: WARM_UP_DIALS });
  return { figures: await caller.ask('dial', { peer: callee.id, count: number('CONNECTS') }) };
}

function print() {
  const of = (cell, part = 0.5) => {
    const figures = records.filter((record) => record.cell === cell).flatMap((record) => record.figures);
    return quantile(figures, part);
  };
  const cpu = (cell) =>
    [0, 1].map((side) => {
      const all = records.filter((record) => record.cell === cell && record.cpu).map((record) => record.cpu[side]);
      return quantile(all, 0.5);
    });
  const sum = ([one, other]) => one + other;
  const raw = 'raw:throughput';
  const rows = [];
  for (const [how, words] of [
    ['whole', 'one value of 100 MB'],
    ['values', 'values of 1 MB'],
  ]) {
    const [ours, theirs] = [`peerway:${how}`, `peerjs:${how}`];
    if (Number.isNaN(of(ours))) continue;
    const times = `${shown(of(ours) / of(theirs))} times`;
    rows.push([`${words}, MB/s`, of(ours), of(theirs), of(raw), times, `${shown((100 * of(ours)) / of(raw))} %`]);
    const [us, them, bare] = [sum(cpu(ours)), sum(cpu(theirs)), sum(cpu(raw))];
    const part = `${shown((100 * us) / bare)} %`;
    rows.push(['the same, CPU s/GB of both sides', us, them, bare, `${shown(us / them)} times`, part]);
  }
  for (const [part, name] of [
    [0.5, 'median'],
    [0.95, 'p95'],
  ]) {
    const [ours, theirs] = [of('peerway:connect', part), of('peerjs:connect', part)];
    if (!Number.isNaN(ours))
      rows.push([`\`connect\` to \`open\`, ${name}, ms`, ours, theirs, NaN, `${shown(ours / theirs)} times`, '–']);
  }
  const heads = ['', 'peerway', 'peerjs 1.5.5', 'raw channel', 'of peerjs', 'of raw'];
  const cells = rows.map(([name, ...figures]) => [name, ...figures.slice(0, 3).map(shown), ...figures.slice(3)]);
  console.log(table(heads, cells));
}
