// A tab whose peer of skyway-js is in rooms of mode SFU.

import { Membership, SkywayTab } from './skyway.mjs';
import { freshId } from './tab.mjs';

export const BOTH = ['audio', 'video'];

let marksGiven = 0;

export class SfuTab extends SkywayTab {
  // The first byte of the number of every picture that it publishes.
  mark = ((marksGiven += 1) % 255) + 1;

  // Makes the tab a member without waiting for it. `kinds`: what it publishes; `busy`: in pictures that cost much.
  async enter(name, { kinds = BOTH, busy = false, mode = 'sfu' } = {}) {
    const index = await this.run((...args) => e2e.enter(...args), name, this.mark, kinds, busy, mode);
    return new SfuMember(this, index, name, kinds);
  }

  // The same without a SDK, by the room frames of the PeerJS dialect.
  async enterByFrames(name, { kinds = BOTH } = {}) {
    this.id = freshId('frames');
    const { server, id, mark } = this;
    const { key } = this.options;
    const index = await this.run((options) => e2e.enterByFrames(options), { server, key, id, name, mark, kinds });
    return new SfuMember(this, index, name, kinds);
  }
}

export class SfuMember extends Membership {
  constructor(tab, index, room, kinds) {
    super(tab, index);
    this.room = room;
    this.kinds = kinds;
    this.mark = tab.mark;
  }

  async publish(kinds) {
    this.kinds = kinds;
    await this.tab.run((index, kinds) => e2e.publish(index, kinds), this.index, kinds);
  }

  // Waits until it sees and hears all of exactly these members: pictures of their own that change, and sound. Resolves to
  // the views of their streams.
  async gets(members, { pictures = 5, patience = 20_000 } = {}) {
    const wanted = members.map(({ id, mark, kinds }) => ({ id, mark, kinds: [...kinds].sort() }));
    return this.tab.within(
      patience,
      `what ${members.map(({ id }) => id)} publish in room ${this.index}`,
      async (index, wanted, pictures) => {
        const open = (await e2e.views(index)).filter(({ open }) => open.length);
        const isThere = ({ id, mark, kinds }) =>
          open.some(
            (view) =>
              view.peer === id &&
              `${view.open}` === `${kinds}` &&
              (!kinds.includes('audio') || view.energy > 0) &&
              (!kinds.includes('video') || (view.pictures >= pictures && view.changes >= pictures - 2)) &&
              // Those of a camera have none.
              view.marks.every((one) => one === mark || one === 0),
          );
        return open.length === wanted.length && wanted.every(isThere) && open;
      },
      this.index,
      wanted.filter(({ kinds }) => kinds.length),
      pictures,
    );
  }

  views() {
    return this.tab.run((index) => e2e.views(index), this.index);
  }

  // What is open now of what this member publishes.
  async viewOf({ id }) {
    return (await this.views()).find(({ peer, open }) => peer === id && open.length);
  }

  blink() {
    return this.tab.run((index) => e2e.blink(index), this.index);
  }

  // The offers so far: { offer: { sdp }, msids }.
  offers() {
    return this.tab.run((index) => e2e.rooms[index].offers, this.index);
  }

  // Whose streams the room has told with what in them, in order, repetitions included.
  told() {
    return this.tab.run((index) => e2e.rooms[index].seen.map(({ peer, kinds }) => [peer, ...kinds]), this.index);
  }

  // Waits for a path to the server and resolves to its end there.
  path() {
    return this.tab.until(`a path in room ${this.index}`, (index) => e2e.sfuPath(index), this.index);
  }
}

// The media sections of a session description: { kind, direction, mid, msid, lines }.
export function sections(sdp) {
  const [session, ...media] = sdp.split(/\r?\n(?=m=)/);
  const parts = media.map((text) => {
    const lines = text.trim().split(/\r?\n/);
    const valueOf = (name) => lines.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3);
    const direction = lines.find((line) => /^a=(sendrecv|sendonly|recvonly|inactive)$/.test(line))?.slice(2);
    return { kind: lines[0].match(/^m=(\w+)/)[1], direction, mid: valueOf('mid'), msid: valueOf('msid'), lines };
  });
  return { session: session.split(/\r?\n/), media: parts };
}
