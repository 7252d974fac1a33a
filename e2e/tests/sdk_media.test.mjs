// Calls of pages with our SDK: with each other, with PeerJS, with skyway-js and with Rust programs.

import assert from 'node:assert/strict';

import { closesWithin } from '../lib/sdk.mjs';
import { inOneBrowser, OURS, withSdkInEveryBrowser } from '../lib/sdk_stage.mjs';

withSdkInEveryBrowser((stage) => {
  const remotes = [OURS, '1.5.5', '0.3.14'];
  for (const [caller, callee] of remotes.flatMap((remote) => [
    [OURS, remote],
    ...(remote === OURS ? [] : [[remote, OURS]]),
  ])) {
    stage.test(`${caller} calls ${callee} and both sides see video`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);

      const outgoing = await alice.call(bob.id, { metadata: { topic: 'é' } });
      const incoming = await bob.endOf(outgoing);

      await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
      assert.deepEqual((await incoming.facts()).metadata, { topic: 'é' });
      for (const link of [outgoing, incoming]) {
        if (link.tab.client === OURS) assert.equal(await streamsOf(link), 1, 'one event for one stream');
      }
    });
  }

  for (const [caller, callee] of [
    [OURS, OURS],
    [OURS, '1.5.5'],
    ['1.5.5', OURS],
  ]) {
    stage.test(`${caller} calls ${callee}: hanging up is noticed within a second`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);
      // 1.5.5 as the callee's side makes no auxiliary channel, and as the caller has one that we see close.
      for (const callerCloses of [true, false]) {
        const outgoing = await alice.call(bob.id);
        const incoming = await bob.endOf(outgoing);
        await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
        const [closing, other] = callerCloses ? [outgoing, incoming] : [incoming, outgoing];
        await closesWithin(1000, closing, other);
      }
    });
  }

  stage.test('tracks are added and removed in a call, at either side, and both at once', {}, async () => {
    const [outgoing, incoming] = await call();

    await addTrack(outgoing, 'video');
    await hasTracks(incoming, 3);
    await addTrack(incoming, 'audio');
    await hasTracks(outgoing, 3);
    await Promise.all([removeTrack(outgoing), removeTrack(incoming)]);
    await Promise.all([hasTracks(outgoing, 2), hasTracks(incoming, 2)]);
    await Promise.all([addTrack(outgoing, 'video'), addTrack(incoming, 'video')]);
    await Promise.all([hasTracks(outgoing, 3), hasTracks(incoming, 3)]);

    for (const link of [outgoing, incoming]) {
      assert.deepEqual(await link.tab.errors(), []);
      const before = await framesOf(link);
      await link.tab.until('pictures of both tracks', moreFrames, link.index, before);
    }
  });

  stage.test('another stream instead of the first: the same call goes on', {}, async () => {
    const [outgoing, incoming] = await call();

    await outgoing.tab.run(
      async (index) => e2e.links[index].connection.replaceStream(await e2e.media(7, ['audio', 'video'])),
      outgoing.index,
    );

    const before = await framesOf(incoming);
    await incoming.tab.until('new pictures', moreFrames, incoming.index, before);
    assert.ok(
      !(await incoming.tab.run((index) => e2e.detailsOf(e2e.links[index].events, 'close').length, incoming.index)),
    );
  });

  stage.test('who calls with nothing to show is shown something', inOneBrowser(stage), async () => {
    const [alice, bob] = await stage.pair(OURS);
    const outgoing = await alice.call(bob.id, { receiveOnly: true });
    await outgoing.showsVideo();
  });

  stage.test('the stats say what the call is like', inOneBrowser(stage), async () => {
    const [outgoing] = await call();
    await outgoing.tab.until(
      'a bitrate',
      async (index) => {
        const stats = await e2e.links[index].connection.stats();
        return JSON.stringify(stats);
      },
      outgoing.index,
    );
  });

  stage.test('a Rust program calls and is called, and numbered pictures are seen', {}, async () => {
    const alice = await stage.tab(OURS);
    await alice.open();
    const agent = await stage.agent({ answer: { send: 'test' } });

    const outgoing = await alice.call(agent.id);
    const answered = await agent.endOf(outgoing);
    await showsTheTestSource(outgoing);
    await answered.receivesFrames(['vp8', 'opus'], 20);
    await closesWithin(1000, outgoing, answered);

    const calling = await agent.call(alice.id, { send: 'test', metadata: { from: 'a program' } });
    const incoming = await alice.endOf(calling);
    await showsTheTestSource(incoming);
    await calling.receivesFrames(['vp8', 'opus'], 20);
    assert.deepEqual((await incoming.facts()).metadata, { from: 'a program' });
    await closesWithin(1000, calling, incoming);
  });

  async function call() {
    const [alice, bob] = await stage.pair(OURS);
    const outgoing = await alice.call(bob.id);
    const incoming = await bob.endOf(outgoing);
    await Promise.all([outgoing.showsVideo(), incoming.showsVideo()]);
    return [outgoing, incoming];
  }
});

const streamsOf = (link) =>
  link.tab.run((index) => e2e.detailsOf(e2e.links[index].events, 'stream').length, link.index);

const addTrack = (link, kind) => link.tab.run((index, kind) => e2e.addTrack(index, 9, kind), link.index, kind);
const removeTrack = (link) => link.tab.run((index) => e2e.removeTrack(index), link.index);

// Waits until so many tracks come in that are fed.
const hasTracks = (link, count) =>
  link.tab.until(
    `${count} tracks on call ${link.index}`,
    (index, count) => {
      const open = e2e
        .rtcOf(e2e.links[index].connection)
        .getTransceivers()
        .filter(({ currentDirection, receiver: { track } }) => /recv/.test(currentDirection) && !track.muted);
      return open.length === count;
    },
    link.index,
    count,
  );

// Decoded frames by track.
const framesOf = (link) => link.tab.run((index) => e2e.framesByTrack(index), link.index);
const moreFrames = async (index, before) => {
  const now = await e2e.framesByTrack(index);
  return Object.values(now).length > 0 && Object.entries(now).every(([id, frames]) => frames > (before[id] ?? 0) + 5);
};

async function showsTheTestSource(link) {
  const first = await link.showsCall();
  assert.deepEqual(first.size, [640, 360]);
  const later = await link.showsCall(first.decoded + 15);
  assert.ok(later.number > first.number, `picture ${later.number} came after picture ${first.number}`);
}
