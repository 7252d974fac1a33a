// One page with skyway-js publishes a camera in a room of mode SFU, another one joins and leaves; prints how long it
// took until it had seen what, as a Markdown table. ../sfu_browser.sh says which settings there are.

import { setTimeout as delay } from 'node:timers/promises';

import { SfuStage } from '../../e2e/lib/sfu_stage.mjs';
import { freshId } from '../../e2e/lib/tab.mjs';

const JOINS = Number(process.env.JOINS);
const PAUSE_MS = Number(process.env.PAUSE_MS);
// Before these the page and the server have not done it yet.
const WARM_UP = 2;
const GOAL_MS = 300;

const steps = {
  offer: 'the offer',
  answer: 'the answer is made',
  ice: 'ICE is connected',
  dtls: 'DTLS is connected',
  picture: 'the first decoded picture',
};

const stage = new SfuStage('chromium');
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
try {
  await stage.raise();
  console.log(table(await measured()));
} finally {
  await stage.strike();
}

async function measured() {
  const [publisher, viewer] = await stage.crowd(2);
  await publisher.run(() => {
    const video = { width: 640, height: 480, frameRate: 30 };
    e2e.media = () => navigator.mediaDevices.getUserMedia({ audio: true, video });
  });
  await viewer.run(watchConnections);
  const [alice] = await stage.enter(freshId('room'), [publisher]);
  await alice.path();

  const joins = [];
  for (let number = 0; number < WARM_UP + JOINS; number += 1) {
    const bob = await viewer.enter(alice.room, { kinds: [] });
    await bob.gets([{ id: alice.id, mark: 0, kinds: alice.kinds }], { pictures: 1 });
    joins.push(await viewer.run(timesOf, bob.index));
    await bob.close();
    await alice.sees('peerLeave', number + 1);
    await delay(PAUSE_MS);
  }
  return joins.slice(WARM_UP);
}

// In the page: when each connection got how far.
function watchConnections() {
  const Connection = RTCPeerConnection;
  window.marks = [];
  window.RTCPeerConnection = class extends Connection {
    constructor(...args) {
      super(...args);
      const marks = {};
      window.marks.push(marks);
      this.addEventListener('iceconnectionstatechange', () => {
        if (this.iceConnectionState === 'connected') marks.ice ??= performance.now();
      });
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') marks.dtls ??= performance.now();
      });
    }

    setRemoteDescription(...args) {
      window.marks.at(-1).offer ??= performance.now();
      return super.setRemoteDescription(...args);
    }

    async setLocalDescription(...args) {
      await super.setLocalDescription(...args);
      window.marks.at(-1).answer ??= performance.now();
    }
  };
}

// In the page: the steps of the last connection, from joining on.
function timesOf(index) {
  const { joinedAt, seen } = e2e.rooms[index];
  const marks = { ...window.marks.at(-1), picture: seen[0].view.first };
  return Object.fromEntries(Object.entries(marks).map(([name, at]) => [name, at - joinedAt]));
}

function table(joins) {
  const rows = Object.entries(steps).map(([name, title]) => {
    const times = joins.map((join) => join[name]).sort((a, b) => a - b);
    const [median, p95, worst] = [0.5, 0.95, 1].map((part) => times[Math.ceil(part * times.length) - 1]);
    const goal = name === 'picture' ? [`≤ ${GOAL_MS} ms`, worst <= GOAL_MS ? 'yes' : '**no**'] : ['', ''];
    return [title, ...[median, p95, worst].map((time) => time.toFixed(0)), ...goal];
  });
  const heads = [`from joining to .., ms, of ${joins.length}`, 'median', 'p95', 'worst', 'goal', 'met'];
  return [heads, ['---', '--:', '--:', '--:', '--:', '---'], ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
