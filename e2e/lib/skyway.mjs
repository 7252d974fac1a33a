// A browser tab that holds one peer of skyway-js, and the rooms it is in.

import { createHmac } from 'node:crypto';

import { Tab } from './tab.mjs';

// skyway-js takes only keys of this form.
export const KEY = '5e1f0000-cafe-4bad-8bad-0123456789ab';

// What an application's own server would sign for a peer, so many seconds ago.
export function credentialFor(id, { secret, age = 0, ttl = 600 }) {
  const timestamp = Math.floor(Date.now() / 1000) - age;
  const authToken = createHmac('sha256', secret).update(`${timestamp}:${ttl}:${id}`).digest('base64');
  return { timestamp, ttl, authToken };
}

export class SkywayTab extends Tab {
  constructor(name, client, page, { host, port, key = KEY }) {
    super(name, client, page, { host, port });
    this.options = { key, host, port, debug: 2, config: { iceServers: [] } };
  }

  async close() {
    await super.close();
    this.cable?.close();
  }

  async join(name, options = {}) {
    return new Membership(this, await this.run((name, options) => e2e.join(name, options), name, options));
  }

  fetchPeerExists(id) {
    return this.run((id) => e2e.peer.fetchPeerExists(id), id);
  }

  // Waits for the connection to the server.
  connects() {
    return this.until('the server', () => e2e.peer.socket.isOpen);
  }

  // Waits until it has noticed that the connection to the server is gone.
  isCutOff() {
    return this.until('the loss of the server', () => !e2e.peer.socket.isOpen);
  }

  // "polling" or "websocket".
  transport() {
    return this.run(() => e2e.peer.socket._io.io.engine.transport.name);
  }

  upgrades() {
    return this.until('a WebSocket', () => e2e.peer.socket._io.io.engine.transport.name === 'websocket');
  }
}

// A room as seen from one of its members.
export class Membership {
  constructor(tab, index) {
    this.tab = tab;
    this.index = index;
    this.id = tab.id;
  }

  // Waits for the nth event of this name and resolves to what the events of this name carried.
  sees(event, count = 1) {
    return this.tab.until(
      `"${event}" (${count}) in room ${this.index}`,
      (index, event, count) => {
        const details = e2e.detailsOf(e2e.rooms[index].events, event);
        return details.length >= count && details;
      },
      this.index,
      event,
      count,
    );
  }

  events() {
    return this.tab.run((index) => e2e.rooms[index].events, this.index);
  }

  // Sends a sample of page/samples.js by its name, or so many bytes of noise, and resolves to its description.
  send(sample) {
    return this.tab.run((index, sample) => e2e.say(index, sample), this.index, sample);
  }

  // Waits until so much has come and resolves to all that has: who sent what.
  receives(count) {
    return this.tab.until(
      `value ${count} in room ${this.index}`,
      (index, count) => e2e.rooms[index].received.length >= count && e2e.rooms[index].received,
      this.index,
      count,
    );
  }

  received() {
    return this.tab.run((index) => e2e.rooms[index].received, this.index);
  }

  // Asks for the log and resolves to its entries.
  async log() {
    const entries = await this.tab.run(
      (index) =>
        new Promise((resolve) => {
          e2e.rooms[index].room.once('log', resolve);
          e2e.rooms[index].room.getLog();
        }),
      this.index,
    );
    return entries.map((entry) => JSON.parse(entry));
  }

  async close() {
    await this.tab.run((index) => e2e.rooms[index].room.close(), this.index);
    await this.sees('close');
  }

  // Waits until pictures of exactly these peers are to be seen.
  async showsPeers(ids, pictures = 5) {
    await this.tab.until(
      `pictures of ${ids} in room ${this.index}`,
      async (index, ids, pictures) => {
        const shown = await e2e.shown(index, pictures);
        return ids.every((id) => shown.includes(id));
      },
      this.index,
      ids,
      pictures,
    );
  }

  // Whose streams the room has told, in order, repetitions included.
  streams() {
    return this.tab.run((index) => e2e.rooms[index].streams.map(({ peer }) => peer), this.index);
  }

  // How many connections the room has to each of its peers.
  connections() {
    return this.tab.run(
      (index) =>
        Object.fromEntries(Object.entries(e2e.rooms[index].room.connections).map(([id, list]) => [id, list.length])),
      this.index,
    );
  }
}
