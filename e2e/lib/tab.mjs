// A browser tab that holds one PeerJS peer; the other half is page/harness.js, known in the page as `e2e`.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 20_000;
const LOADS = 5;
let idsGiven = 0;

export const freshId = (name = 'peer') => `${name}-${process.pid}-${(idsGiven += 1)}`;

export class Tab {
  #console = [];

  constructor(name, client, page, { host, port }) {
    this.name = name;
    this.client = client;
    this.page = page;
    this.server = `http://${host}:${port}`;
    this.options = { host, port, path: '/', debug: 2, config: { iceServers: [] } };
    page.on('console', (message) => this.#console.push(message.text()));
    page.on('pageerror', (error) => this.#console.push(`uncaught: ${error.message}`));
  }

  // Chromium drops what it loads when an interface of its host appears, as they do while a network is being made.
  async load(url) {
    let dropped = false;
    const note = (request) => (dropped ||= /ERR_NETWORK_CHANGED/.test(request.failure()?.errorText));
    this.page.on('requestfailed', note);
    for (let left = LOADS; left > 0; left -= 1) {
      dropped = false;
      const failure = await this.page.goto(url).then(
        () => undefined,
        (error) => error,
      );
      dropped ||= /ERR_NETWORK_CHANGED/.test(failure?.message);
      if (failure && (!dropped || left === 1)) throw failure;
      if (!dropped) break;
    }
    this.page.off('requestfailed', note);
  }

  async close() {
    await this.page.close();
  }

  // Makes the tab's peer without waiting for it.
  async start(id, options = {}) {
    await this.run((id, options) => e2e.start(id, options), id ?? null, { ...this.options, ...options });
  }

  // Makes the tab's peer and waits for its id, by default one of our choice.
  async open(id = freshId(), options = {}) {
    await this.start(id, options);
    [this.id] = await this.sees('open');
    return this.id;
  }

  // Waits for the nth event of this name on the peer and resolves to what the events of this name carried.
  sees(event, count = 1) {
    return this.until(
      `"${event}" (${count})`,
      (event, count) => {
        const details = e2e.detailsOf(e2e.events, event);
        return details.length >= count && details;
      },
      event,
      count,
    );
  }

  async count(event) {
    return this.run((event) => e2e.detailsOf(e2e.events, event).length, event);
  }

  // What the errors of the peer said.
  errors() {
    return this.run(() =>
      e2e.events.filter(([name]) => name === 'error').map(([, type, message]) => ({ type, message })),
    );
  }

  // 0.3 opens over XHR too, and leaves a WebSocket open that is still connecting when it disconnects. It takes the close
  // of the WebSocket it left for the loss of the one after a reconnect. So wait for both.
  async disconnect() {
    await this.until('its WebSocket open', () => {
      const socket = e2e.peer.socket._socket;
      return !socket || socket.readyState !== WebSocket.CONNECTING;
    });
    await this.run(() => e2e.peer.disconnect());
    await this.sees('disconnected');
    await this.until('its WebSocket closed', () => {
      const socket = e2e.peer.socket._socket;
      return !socket || socket.readyState === WebSocket.CLOSED;
    });
  }

  async reconnect() {
    await this.run(() => e2e.peer.reconnect());
  }

  async listAllPeers() {
    return this.run(() => new Promise((resolve) => e2e.peer.listAllPeers(resolve)));
  }

  // Begins a data connection without waiting for it.
  async begin(remote, options = {}) {
    return new Link(this, await this.run((remote, options) => e2e.connect(remote, options), remote, options));
  }

  async call(remote, options = {}) {
    return new Link(this, await this.run((remote, options) => e2e.call(remote, options), remote, options));
  }

  // Waits for this tab's end of a connection or call that another tab began.
  async endOf(link) {
    const id = await link.id();
    const found = await this.until(
      `the connection ${id} from ${link.tab.name}`,
      (id) => e2e.links.findIndex((link) => e2e.idOf(link) === id) + 1,
      id,
    );
    return new Link(this, found - 1);
  }

  run(body, ...values) {
    return this.page.evaluate(body, ...values);
  }

  until(what, probe, ...values) {
    return this.within(PATIENCE_MS, what, probe, ...values);
  }

  async within(patience = PATIENCE_MS, what, probe, ...values) {
    const deadline = Date.now() + patience;
    for (;;) {
      const found = await this.run(probe, ...values);
      if (found) return found;
      assert.ok(Date.now() < deadline, `${this.name} did not see ${what} within ${patience / 1000} s`);
      await delay(50);
    }
  }

  async testimony() {
    const story = await this.run(() => e2e.story()).catch((error) => `no story: ${error.message}`);
    return [`${this.name}:`, story, 'console:', ...this.#console].join('\n');
  }
}

// One data or media connection as seen from one of its tabs.
class Link {
  constructor(tab, index) {
    this.tab = tab;
    this.index = index;
  }

  sees(event, patience) {
    return this.tab.within(
      patience,
      `"${event}" on connection ${this.index}`,
      (index, event) => e2e.links[index].events.some(([name]) => name === event),
      this.index,
      event,
    );
  }

  // Waits until the other end seems gone: it said so, or nothing comes from it.
  seesNobody() {
    const told = ['close', 'ice disconnected', 'ice failed'];
    return this.tab.until(
      `the end of connection ${this.index}`,
      (index, told) => e2e.links[index].events.some(([name]) => told.includes(name)),
      this.index,
      told,
    );
  }

  async close(options) {
    await this.tab.run((index, options) => e2e.links[index].connection.close(options), this.index, options);
  }

  id() {
    return this.tab.run((index) => e2e.idOf(e2e.links[index]), this.index);
  }

  // What a data connection began with.
  facts() {
    return this.tab.run((index) => {
      const { label, metadata, reliable, serialization, peer } = e2e.links[index].connection;
      return { label, metadata, reliable, serialization, peer };
    }, this.index);
  }

  // Sends a sample of page/samples.js by its name, or so many bytes of noise, and resolves to its description.
  async send(sample) {
    return this.tab.run((index, sample) => e2e.send(index, sample), this.index, sample);
  }

  receivedCount() {
    return this.tab.run((index) => e2e.links[index].received.length, this.index);
  }

  // Waits for the nth value and resolves to its description.
  async receives(nth, patience) {
    const [description] = await this.tab.within(
      patience,
      `value ${nth} on connection ${this.index}`,
      (index, nth) => nth <= e2e.links[index].received.length && [e2e.links[index].received[nth - 1]],
      this.index,
      nth,
    );
    return description;
  }

  // Waits until ICE has a path or no more hope, and resolves to what it says then.
  outcomeOfChecks() {
    return this.tab.until(
      `the end of the checks of connection ${this.index}`,
      (index) => {
        const state = e2e.links[index].connection.peerConnection?.iceConnectionState ?? 'closed';
        return state !== 'new' && state !== 'checking' && state;
      },
      this.index,
    );
  }

  // Waits for a path to the other end and resolves to what both its ends are.
  path() {
    return this.tab.until(`a path on connection ${this.index}`, (index) => e2e.path(index), this.index);
  }

  async showsVideo() {
    await this.sees('stream');
    await this.tab.until(
      `decoded frames on call ${this.index}`,
      async (index) => (await e2e.framesDecoded(index)) > 5,
      this.index,
    );
  }

  // Waits until so many pictures have been decoded and shown and sound has come, and resolves to how far it is.
  async showsCall(pictures = 10) {
    await this.sees('stream');
    return this.tab.until(
      `${pictures} pictures and sound of call ${this.index}`,
      async (index, pictures) => {
        const now = await e2e.reception(index);
        return Math.min(now.decoded, now.presented) >= pictures && now.audioPackets >= 10 && now;
      },
      this.index,
      pictures,
    );
  }
}

// Connects two tabs and waits until both ends are open.
export async function connected(caller, callee, options) {
  const outbound = await caller.begin(callee.id, options);
  const inbound = await callee.endOf(outbound);
  await Promise.all([outbound.sees('open'), inbound.sees('open')]);
  return [outbound, inbound];
}

// Sends every sample from one end and asserts that the other end gets the same value.
export async function carries(from, to, samples) {
  for (const sample of samples) {
    const before = await to.receivedCount();
    const sent = await from.send(sample);
    assert.deepEqual(await to.receives(before + 1), sent, `"${sample}" arrived changed`);
  }
}
