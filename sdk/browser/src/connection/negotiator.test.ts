import { beforeEach, expect, test, vi } from 'vitest';

import { FakeRTCPeerConnection, FakeTrack } from '../testing/fake_rtc.js';
import { CONFIGURED, connected, settled, side } from '../testing/negotiators.js';
import type { LocalDescription } from './negotiator.js';

beforeEach(() => {
  FakeRTCPeerConnection.made = [];
  vi.stubGlobal('RTCPeerConnection', FakeRTCPeerConnection);
});

test('two sides agree after one offer and one answer', async () => {
  const { alice, bob } = await connected();

  expect(alice.said).toMatchObject([{ type: 'offer', first: true, restart: false, round: 1 }]);
  expect(bob.said).toMatchObject([{ type: 'answer', first: true, round: 1 }]);
  expect(alice.rtc.signalingState).toBe('stable');
  expect(alice.rtc.configuration.iceServers).toHaveLength(1);
});

test('candidates wait for their description', async () => {
  const bob = side(false);
  bob.negotiator.handleCandidate({ candidate: 'candidate:1', sdpMid: '0' });
  await settled();
  expect(bob.rtc.candidates).toHaveLength(0);

  bob.negotiator.startWith({ sdp: 'offer 1' }, CONFIGURED);
  await settled();
  expect(bob.rtc.candidates).toHaveLength(1);
});

test('our candidates are not told before our description', async () => {
  const alice = side(true);
  const told: string[] = [];
  alice.negotiator.on('description', ({ type }) => told.push(type));
  alice.negotiator.on('candidate', ({ candidate }) => told.push(`${candidate}`));
  alice.rtc.gather('one');
  alice.rtc.gather('');
  alice.negotiator.start(CONFIGURED);
  await settled();
  alice.rtc.gather('two');
  expect(told).toEqual(['offer', 'one', 'two']);
});

test('older pages: when both offer at once the caller wins and both end stable', async () => {
  const { alice, bob } = await connected();
  alice.said.length = 0;
  bob.said.length = 0;

  alice.rtc.addTrack(new FakeTrack('video'));
  bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  const [fromAlice] = alice.said.splice(0);
  const [fromBob] = bob.said.splice(0);
  alice.negotiator.handleOffer(fromBob as LocalDescription);
  bob.negotiator.handleOffer(fromAlice as LocalDescription);
  await settled();

  expect(alice.said).toEqual([]);
  expect(bob.said).toMatchObject([{ type: 'answer', round: 2 }]);
  alice.negotiator.handleAnswer(bob.said[0] as LocalDescription);
  await settled();
  expect([alice.rtc.signalingState, bob.rtc.signalingState]).toEqual(['stable', 'stable']);
});

test('who gave way puts its tracks back, for Chromium lets them fall silent', async () => {
  const { alice, bob } = await connected();
  const sender = bob.rtc.addTrack(new FakeTrack('video'));
  await settled();
  const replaced = vi.spyOn(sender, 'replaceTrack');
  alice.rtc.addTrack(new FakeTrack('video'));
  await settled();
  bob.negotiator.handleOffer(alice.said.at(-1) as LocalDescription);
  await settled();
  expect(replaced).toHaveBeenCalledExactlyOnceWith(sender.track);
});

test('a stranger never hears a second offer', async () => {
  const { alice } = await connected({ renegotiates: false });
  alice.rtc.addTrack(new FakeTrack('video'));
  await settled();
  expect(alice.said).toHaveLength(1);
});

test('a restart says an offer again that nobody answered, and begins anew if there is none', async () => {
  const { alice, bob } = await connected();
  alice.negotiator.restart(CONFIGURED);
  await settled();
  alice.negotiator.restart(CONFIGURED);
  await settled();
  expect(alice.said.slice(1)).toMatchObject([
    { type: 'offer', restart: true, round: 2 },
    { type: 'offer', restart: true, round: 2 },
  ]);
  expect(alice.rtc.offered.at(-1)).toMatchObject({ iceRestart: true });

  for (const offer of alice.said.slice(1)) bob.negotiator.handleOffer(offer);
  await settled();
  for (const answer of bob.said.slice(1)) alice.negotiator.handleAnswer(answer);
  await settled();
  expect(alice.rtc.signalingState).toBe('stable');
});

test('an answer to another offer than ours is left out', async () => {
  const { alice } = await connected();
  alice.negotiator.restart(CONFIGURED);
  await settled();
  alice.negotiator.handleAnswer({ sdp: 'late', round: 1 });
  await settled();
  expect(alice.rtc.signalingState).toBe('have-local-offer');
});

test('what may have been lost with the server is said again', async () => {
  const { alice, bob } = await connected();
  alice.rtc.addTrack(new FakeTrack('video'));
  await settled();
  alice.negotiator.repeat();
  bob.negotiator.repeat();
  await settled();

  expect(alice.said.map(({ round }) => round)).toEqual([1, 2, 2]);
  expect(bob.said.map(({ round }) => round)).toEqual([1, 1]);
});

test('a description that the browser refuses ends what was not there yet, and nothing else', async () => {
  const bob = side(false);
  const failures: unknown[] = [];
  bob.negotiator.on('failed', (error) => failures.push(error));
  vi.spyOn(bob.rtc, 'setRemoteDescription').mockRejectedValue(new Error('no such codec'));
  bob.negotiator.startWith({ sdp: 'x' }, CONFIGURED);
  await settled();
  expect(failures).toHaveLength(1);

  const { alice } = await connected();
  alice.negotiator.on('failed', (error) => failures.push(error));
  vi.spyOn(alice.rtc, 'setRemoteDescription').mockRejectedValue(new Error('no such codec'));
  alice.negotiator.handleOffer({ sdp: 'x', round: 9 });
  await settled();
  expect(failures).toHaveLength(1);
});

test('our changes to the SDP are in what is set and in what is said', async () => {
  const alice = side(true, { transform: (sdp: string) => `${sdp}, quiet` });
  alice.negotiator.start(CONFIGURED);
  await settled();
  expect(alice.said[0]?.sdp).toBe('offer 1, quiet');
  expect(alice.rtc.localDescription?.sdp).toBe('offer 1, quiet');
});

test('the end of DTLS is the end of the connection', async () => {
  const { alice } = await connected();
  const states: string[] = [];
  alice.negotiator.on('state', (state) => states.push(state));
  const transport = Object.assign(new EventTarget(), { state: 'connected' });
  alice.rtc.sctp = { transport };
  alice.rtc.connectionState = 'connected';
  alice.rtc.dispatchEvent(new Event('connectionstatechange'));

  transport.state = 'closed';
  transport.dispatchEvent(new Event('statechange'));
  expect(states).toEqual(['closed']);
});

test('a closed one says nothing more', async () => {
  const alice = side(true);
  alice.negotiator.start(CONFIGURED);
  alice.negotiator.close();
  await settled();
  expect(alice.said).toEqual([]);
  expect(alice.rtc.signalingState).toBe('closed');
});
