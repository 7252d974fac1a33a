// Two pages of ours: the callee asks and the caller offers.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { FakeRTCPeerConnection, FakeTrack } from '../testing/fake_rtc.js';
import { CONFIGURED, connected, settled, side, type Side } from '../testing/negotiators.js';
import type { Wish } from './wish.js';

beforeEach(() => {
  FakeRTCPeerConnection.made = [];
  vi.stubGlobal('RTCPeerConnection', FakeRTCPeerConnection);
  vi.useFakeTimers();
});

afterEach(() => void vi.useRealTimers());

test('the callee gets a line for its track without an offer of its own', async () => {
  const { alice, bob } = await ours();
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  expect(bob.wished).toEqual([{ lines: { audio: 0, video: 1 }, round: 1 }]);

  await carry(alice, bob);

  expect(alice.said.map(({ sdp }) => sdp)).toEqual(['offer 1', 'offer 2; video recvonly']);
  expect(bob.said.map(({ type }) => type)).toEqual(['answer', 'answer']);
  expect(bob.rtc.transceivers.map(({ mid, sender }) => [mid, sender.track?.kind])).toEqual([['0', 'video']]);
  expect(bob.wished).toEqual([]);
});

test('a caller that has not been asked offers as before', async () => {
  const { alice, bob } = await ours();
  alice.rtc.addTrack(new FakeTrack('video'));
  await settled();
  await carry(alice, bob);
  expect(alice.said.map(({ sdp }) => sdp)).toEqual(['offer 1', 'offer 2; video sendrecv']);
  expect(alice.wished).toEqual([]);
});

test('when both add a track at once nothing is taken back, and one line serves both', async () => {
  const { alice, bob } = await ours();
  alice.rtc.addTrack(new FakeTrack('video'));
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();

  await carry(alice, bob);

  expect(bob.said.map(({ type }) => type)).toEqual(['answer', 'answer']);
  expect(alice.said).toHaveLength(2);
  for (const { rtc } of [alice, bob]) expect(rtc.transceivers.map(({ mid }) => mid)).toEqual(['0']);
});

test('a wish that is there before our own offer is made takes our line too', async () => {
  const { alice, bob } = await ours();
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  alice.rtc.addTrack(new FakeTrack('video'));
  alice.negotiator.handleWish(bob.wished.shift()!);
  await settled();
  expect(alice.said.at(-1)?.sdp).toBe('offer 2; video sendrecv');
});

test('what an offer that has crossed the wish does not hold is asked for again', async () => {
  const { alice, bob } = await ours();
  alice.rtc.addTrack(new FakeTrack('audio'));
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();

  await carry(alice, bob);

  expect(alice.said.map(({ sdp }) => sdp)).toEqual([
    'offer 1',
    'offer 2; audio sendrecv',
    'offer 3; audio sendrecv; video recvonly',
  ]);
});

test('what the callee answers with needs no second exchange', async () => {
  const [alice, bob] = [side(true), side(false)];
  Object.assign(bob.negotiator, { renegotiates: true, takesWishes: true });
  alice.rtc.addTrack(new FakeTrack('audio'));
  alice.negotiator.start(CONFIGURED);
  // The browser says that it is needed, while the ICE servers are asked for.
  bob.rtc.addTrack(new FakeTrack('audio'));
  await settled();
  bob.negotiator.startWith(alice.said[0]!, CONFIGURED);
  bob.rtc.dispatchEvent(new Event('negotiationneeded'));
  await settled();
  expect([bob.said.length, bob.wished.length]).toEqual([1, 0]);
});

test('a track that is taken away needs no line', async () => {
  const { alice, bob } = await ours();
  const sender = bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  await carry(alice, bob);
  bob.rtc.removeTrack(sender);
  await settled();
  expect(bob.wished).toMatchObject([{ lines: { audio: 0, video: 0 } }]);
  await carry(alice, bob);
  expect(alice.rtc.transceivers).toHaveLength(1);
});

test('what no line of the caller can take is offered by the callee in the end', async () => {
  const { alice, bob } = await ours();
  bob.rtc.addTransceiver('video', { direction: 'sendonly' });
  await settled();
  await carry(alice, bob);
  expect(bob.said.filter(({ type }) => type === 'offer')).toHaveLength(1);
  expect(bob.rtc.signalingState).toBe('stable');
  expect(alice.rtc.transceivers.length).toBeLessThan(5);
});

const NONSENSE: Wish['lines'][] = [{ audio: 1e9, video: 1e9 }, { audio: 'many', video: {} }, {}];
test.each(NONSENSE)('%o is no harm', async (lines) => {
  const { alice } = await ours();
  alice.negotiator.handleWish({ lines, round: 1 });
  await settled();
  expect(alice.rtc.transceivers.length).toBeLessThanOrEqual(64);
  expect(alice.rtc.signalingState).toBe('have-local-offer');
});

test('the callee is not asked', async () => {
  const { bob } = await ours();
  bob.negotiator.handleWish({ lines: { video: 1 }, round: 1 });
  await settled();
  expect(bob.rtc.transceivers).toHaveLength(0);
});

test('an offer or a wish that was lost on the way is said again, ever less often', async () => {
  const { alice, bob } = await ours();
  alice.rtc.addTrack(new FakeTrack('video'));
  await settled();
  vi.advanceTimersByTime(4000 + 8000);
  expect(alice.said.map(({ round }) => round)).toEqual([1, 2, 2, 2]);

  bob.rtc.addTrack(new FakeTrack('audio'));
  await settled();
  vi.advanceTimersByTime(4000);
  expect(bob.wished).toHaveLength(2);

  await carry(alice, bob);
  expect([alice.rtc.signalingState, bob.rtc.signalingState]).toEqual(['stable', 'stable']);
  expect(vi.getTimerCount()).toBe(0);
});

test('nothing is left running', async () => {
  const { alice, bob } = await ours();
  alice.rtc.addTrack(new FakeTrack('video'));
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  alice.negotiator.close();
  bob.negotiator.close();
  expect(vi.getTimerCount()).toBe(0);
});

function ours() {
  return connected({ takesWishes: true });
}

// All that they say to each other, until there is nothing more. What crosses is said before it is heard.
async function carry(alice: Side, bob: Side): Promise<void> {
  let told = [1, 1];
  for (let rounds = 0; rounds < 20; rounds += 1) {
    const [fromAlice, fromBob] = [alice.said.slice(told[0]), bob.said.slice(told[1])];
    const wishes = bob.wished.splice(0);
    if (fromAlice.length + fromBob.length + wishes.length === 0) return;
    told = [alice.said.length, bob.said.length];
    for (const [{ negotiator }, descriptions] of [
      [alice, fromBob],
      [bob, fromAlice],
    ] as const) {
      for (const description of descriptions) {
        if (description.type === 'offer') negotiator.handleOffer(description);
        else negotiator.handleAnswer(description);
      }
    }
    for (const wish of wishes) alice.negotiator.handleWish(wish);
    await settled();
  }
  throw new Error('they never come to an end');
}
