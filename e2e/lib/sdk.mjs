// A tab whose peer is one of our own SDK; the other half is page/sdk.js.

import assert from 'node:assert/strict';

import { BOTH, SfuMember, SfuTab } from './sfu.mjs';

export class SdkTab extends SfuTab {
  constructor(name, client, page, address) {
    super(name, client, page, address);
    this.options = { ...this.options, path: '/' };
  }

  // `options`: further ones of joinRoom.
  async enter(name, { kinds = BOTH, busy = false, mode = 'sfu', ...options } = {}) {
    const index = await this.run((...args) => e2e.enter(...args), name, this.mark, kinds, busy, mode, options);
    return new SdkMember(this, index, name, kinds);
  }

  async disconnect() {
    await this.run(() => e2e.peer.disconnect());
    await this.sees('disconnected');
  }

  connects() {
    return this.until('the server', () => e2e.isOnline());
  }

  isCutOff() {
    return this.until('the loss of the server', () => !e2e.isOnline());
  }
}

export class SdkMember extends SfuMember {
  // Publishes another stream under a name, with the tab's mark.
  async publishAs(name, kinds = ['video']) {
    await this.tab.run((...args) => e2e.publishAs(...args), this.index, name, kinds);
  }

  async unpublish(name) {
    await this.tab.run((index, name) => e2e.rooms[index].room.unpublish(name), this.index, name);
  }

  async receive(peer, what) {
    await this.tab.run((index, peer, what) => e2e.rooms[index].room.receive(peer, what), this.index, peer.id, what);
  }

  // Waits until a stream of this name of that member is to be seen.
  seesStream(member, name) {
    return this.tab.until(
      `the stream ${name} of ${member.id} in room ${this.index}`,
      async (index, peer, name) =>
        (await e2e.views(index)).find((view) => view.peer === peer && view.name === name && view.changes > 3),
      this.index,
      member.id,
      name,
    );
  }

  // Asks for the log and resolves to its entries: who did what.
  async log() {
    const entries = await super.log();
    return entries.map(({ messageType, message }) => [messageType, message.src]);
  }
}

// How long until an end of a connection or call has closed, after the other one was told to.
export async function closesWithin(millis, closing, other) {
  const begin = performance.now();
  await closing.close();
  await other.sees('close');
  const took = Math.round(performance.now() - begin);
  assert.ok(took < millis, `${other.tab.name} saw it after ${took} ms`);
}
