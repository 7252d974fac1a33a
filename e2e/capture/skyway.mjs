// Makes the fixtures in crates/protocol/fixtures/skyway: what unmodified builds of skyway-js in Chromium and a stock
// socket.io 2.5 server (relay.mjs) say to each other, byte for byte. Run it as `node capture/skyway.mjs`.

import { mkdir, writeFile } from 'node:fs/promises';

import { launch } from '../lib/browsers.mjs';
import { Pages } from '../lib/pages.mjs';
import { KEY, SkywayTab, credentialFor } from '../lib/skyway.mjs';
import { SAFARI } from '../lib/skyway_stage.mjs';
import { connected } from '../lib/tab.mjs';
import { startRelay } from './relay.mjs';
import { Tap } from './tap.mjs';

const SIGNED_KEY = '5e1f0001-cafe-4bad-8bad-0123456789ab';
const SECRET = 'a secret of the fixtures';
const folder = new URL('../../crates/protocol/fixtures/skyway/', import.meta.url);
const clients = ['skyway-js-4.4.5', 'skyway-js-1.1.20'];

const scenes = { open, heartbeat, data, media, mesh, credential, lost, polling, refused };

class Stage {
  lines = [];
  #taps = [];
  #tabs = [];
  #target;

  constructor(client, target) {
    this.client = client;
    this.#target = target;
  }

  // A page whose line to the server is written down.
  async tab(who, { userAgent } = {}) {
    const tap = await Tap.start({ who, target: this.#target, lines: this.lines });
    const page = await browser.newPage();
    if (userAgent) await page.setUserAgent({ userAgent });
    const tab = new SkywayTab(who, this.client, page, { host: '127.0.0.1', port: tap.port });
    tab.tap = tap;
    tab.options.config.bundlePolicy = 'max-bundle'; // fewer candidates
    this.#taps.push(tap);
    this.#tabs.push(tab);
    await tab.load(pages.urlFor(this.client));
    return tab;
  }

  async opened(...names) {
    const tabs = await Promise.all(names.map((who) => this.tab(who)));
    for (const tab of tabs) {
      await tab.open(tab.name);
      await this.upgraded(tab);
    }
    return tabs;
  }

  // Waits for a line of this tab.
  seen({ name }, what, test) {
    return until(`${name}: ${what}`, () => this.lines.find((line) => line.who === name && test(line)));
  }

  upgraded(tab) {
    return this.seen(tab, 'upgrade', ({ to, text }) => to === 'server' && text === '5');
  }

  async strike() {
    await Promise.all(this.#tabs.map((tab) => tab.close()));
    this.#taps.forEach((tap) => tap.stop());
  }
}

const browser = await launch('chromium');
const pages = await Pages.start();
const version = await browser.version();
await mkdir(folder, { recursive: true });
const wanted = process.argv.slice(2);
for (const client of clients) {
  for (const [name, scene] of Object.entries(scenes)) {
    if (wanted.length && !wanted.includes(name)) continue;
    const relay = await startRelay({ apps: { [KEY]: {}, [SIGNED_KEY]: { secret: SECRET, require_signed_id: true } } });
    const stage = new Stage(client, relay.port);
    const details = (await scene(stage)) ?? {};
    await stage.strike();
    relay.end();
    const heading = { client, scene: name, origin: `captured in ${version} against socket.io 2.5.1`, ...details };
    const lines = [heading, ...tidy(stage.lines, details)].map((line) => JSON.stringify(line));
    const file = `${client}-${name}.jsonl`;
    await writeFile(new URL(file, folder), `${lines.join('\n')}\n`);
    console.log(`${file}: ${lines.length} lines, ${lines.join('\n').length} bytes`);
  }
}
await Promise.all([browser.close(), pages.stop()]);

async function open(stage) {
  await stage.opened('alice');
  const bob = await stage.tab('bob');
  await bob.open(null);
  await stage.upgraded(bob);
  await bob.listAllPeers();
  if (isSince4(stage)) await bob.fetchPeerExists('alice');
  await bob.run(() => e2e.peer.destroy());
  await stage.seen(bob, 'goodbye', ({ text }) => text === '41');
}

// The pings of both layers, 25 seconds after the opening.
async function heartbeat(stage) {
  const [alice] = await stage.opened('alice');
  await stage.seen(alice, 'PING', ({ text }) => text?.startsWith('42["PING"'));
  await stage.seen(alice, 'pong', ({ to, text }) => to === 'client' && text === '3');
}

async function data(stage) {
  const [alice, bob] = await stage.opened('alice', 'bob');
  const [outbound] = await connected(alice, bob, {
    label: 'lab 1',
    metadata: { note: '“hé” 日本 😀', list: [1, 2] },
    serialization: 'json',
    dcInit: { ordered: true },
  });
  await connected(bob, alice);
  // Unknown before 1.3, where it closes like any other.
  await outbound.close(true);
  if (isSince4(stage)) {
    await stage.seen(bob, 'FORCE_CLOSE', ({ to, text }) => to === 'client' && text?.startsWith('42["FORCE_CLOSE"'));
  }
}

async function media(stage) {
  const [alice, bob] = await stage.opened('alice', 'bob');
  const outgoing = await alice.call(bob.id, { metadata: 'a text' });
  const incoming = await bob.endOf(outgoing);
  await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
}

async function mesh(stage) {
  const tabs = await stage.opened('alice', 'bob', 'carol');
  const rooms = [];
  for (const tab of tabs) {
    rooms.push(await tab.join('部屋/1'));
    await rooms.at(-1).sees('open');
    await Promise.all(
      rooms.map((room) => room.showsPeers(rooms.filter((one) => one !== room).map(({ tab }) => tab.id))),
    );
  }
  const [alice, bob, carol] = rooms;
  await alice.send('text');
  await bob.receives(1);
  await bob.send('nested');
  await carol.receives(2);
  await carol.send(64);
  await alice.receives(2);
  // Two attachments.
  await alice.tab.run(() => e2e.rooms[0].room.send({ first: samples.noise(3), list: [new Uint8Array([1, 2]), 'é'] }));
  await bob.receives(3);
  await bob.log();
  await carol.close();
  await alice.sees('peerLeave');
  const again = await carol.tab.join(1234567);
  await again.sees('open');
  await again.log();
}

async function credential(stage) {
  const signed = (age) => credentialFor('alice', { secret: SECRET, age });
  const alice = await stage.tab('alice');
  await alice.open('alice', { key: SIGNED_KEY, credential: signed(298) });
  await stage.upgraded(alice);
  await alice.sees('expiresin');
  await alice.run((credential) => e2e.peer.updateCredential(credential), signed(0));
  await stage.seen(alice, 'UPDATE_CREDENTIAL', ({ text }) => text?.startsWith('42["UPDATE_CREDENTIAL"'));
  alice.tap.cut();
  await reopened(stage, alice);
  const bob = await stage.tab('bob');
  await bob.start('bob', { key: SIGNED_KEY, credential: signed(0) });
  await bob.sees('error');
  return { secret: SECRET };
}

// The line of one is cut while she is in a room; what is said meanwhile reaches her afterwards.
async function lost(stage) {
  const [alice, bob] = await stage.opened('alice', 'bob');
  const rooms = [await alice.join('r', { receiveOnly: true }), await bob.join('r', { receiveOnly: true })];
  await Promise.all(rooms.map((room) => room.sees('open')));
  await rooms[0].sees('peerJoin');
  await stage.seen(alice, 'answer', ({ text }) => text?.startsWith('42["SEND_ANSWER"'));
  alice.tap.cut();
  await rooms[1].send('text');
  await rooms[0].receives(1);
  await reopened(stage, alice);
  await rooms[0].send('nested');
  await rooms[1].receives(1);
}

// As Safari 15 and later, which stays with polling (since 4.4.2).
async function polling(stage) {
  const tabs = [await stage.tab('alice', { userAgent: SAFARI }), await stage.tab('bob', { userAgent: SAFARI })];
  for (const tab of tabs) await tab.open(tab.name);
  const rooms = [];
  for (const tab of tabs) {
    rooms.push(await tab.join('r', { receiveOnly: true }));
    await rooms.at(-1).sees('open');
  }
  await rooms[0].sees('peerJoin');
  await rooms[0].send('text');
  await rooms[1].receives(1);
  await rooms[1].send(300);
  await rooms[0].receives(1);
  await rooms[0].tab.run(() => e2e.rooms[0].room.send({ emoji: '😀é', bytes: samples.noise(10) }));
  await rooms[1].receives(2);
}

async function refused(stage) {
  const [alice] = await stage.opened('alice');
  const bob = await stage.tab('bob');
  await bob.start('alice');
  await bob.sees('error');
  const carol = await stage.tab('carol');
  await carol.start('carol', { key: '00000000-0000-0000-0000-000000000000' });
  await carol.sees('error');
  await alice.begin('nobody');
  await alice.sees('error');
  const room = await alice.join('r', { receiveOnly: true });
  await room.sees('open');
  const [dave] = await stage.opened('dave');
  await dave.join('r', { receiveOnly: true, mode: 'sfu' });
  await dave.sees('error');
  return { candidates: 'all' };
}

function isSince4({ client }) {
  return client.includes('-4.');
}

async function reopened(stage, { name }) {
  const mine = (line) => line.who === name;
  const since = stage.lines.findLastIndex((line) => mine(line) && line.line === 'cut');
  await until(`${name}: upgrade after the cut`, () =>
    stage.lines.slice(since).some((line) => mine(line) && line.text === '5'),
  );
}

async function until(what, probe) {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Of an SDP stays what a server could look at, of the candidates those of the loopback interface, and addresses of this
// machine are nobody's business. Lines so changed are marked.
function tidy(lines, { candidates = 'loopback' }) {
  return lines.flatMap((line) => {
    const { text, to, type } = line;
    if (to && text && candidates === 'loopback' && isFromElsewhere(text)) return [];
    const tidied = to ? short(text) : text && isPayload(text) ? payload(text) : text;
    return tidied === text ? line : { ...line, text: tidied, shortened: true };
  });
}

function isFromElsewhere(text) {
  return / typ host /.test(text) && !text.includes(' 127.0.0.1 ');
}

function isPayload(text) {
  return /^\d+:/.test(text);
}

// The packets of a text payload: `<length in UTF-16 units>:<packet>`.
function payload(text) {
  let [rest, whole] = [text, ''];
  while (rest) {
    const [start, length] = rest.match(/^(\d+):/);
    const packet = short(rest.slice(start.length, start.length + Number(length)));
    whole += `${packet.length}:${packet}`;
    rest = rest.slice(start.length + Number(length));
  }
  return whole;
}

function short(text) {
  return text
    ?.replace(
      /"sdp":"((?:[^"\\]|\\.)*)"/g,
      (all, sdp) => `"sdp":"${sdp.split('\\r\\n').filter(isKept).join('\\r\\n')}"`,
    )
    .replace(/ (?!127\.)(\d{1,3}\.){3}\d{1,3} (\d+ typ)/g, ' 192.0.2.1 $2')
    .replace(/ (?!::1 )[0-9a-f]+:[0-9a-f:]+ (\d+ typ)/g, ' 2001:db8::1 $1');
}

function isKept(line) {
  return /^([vosmct]=|$|a=(group|msid|ice|fingerprint|setup|mid|sctp|sendrecv|recvonly|sendonly|inactive))/.test(line);
}
