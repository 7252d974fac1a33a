import { beforeEach, expect, test, vi } from 'vitest';

import type { PeerError } from '../errors.js';
import type { Frame } from '../signalling/frame.js';
import { FakeRTCPeerConnection, FakeStream, FakeTrack } from '../testing/fake_rtc.js';
import type { ConnectionContext } from './connection.js';
import { MediaConnection } from './media_connection.js';
import { parseAnswer, parseOffer, type Answer, type Offer } from './payload.js';

const OURS = { browser: 'Chrome', peerway: 3 };

beforeEach(() => {
  FakeRTCPeerConnection.made = [];
  vi.stubGlobal('RTCPeerConnection', FakeRTCPeerConnection);
  vi.stubGlobal('MediaStream', FakeStream);
});

test('a call offers what we send, and to hear what we do not', async () => {
  const { rtc, sent } = await call(stream('audio'));
  expect(rtc.transceivers.map((it) => [it.receiver.track.kind, it.direction])).toEqual([
    ['audio', 'sendrecv'],
    ['video', 'recvonly'],
  ]);
  expect(sent[0]).toMatchObject({ type: 'OFFER', dst: 'bob', payload: { type: 'media', metadata: 'm', peerway: 3 } });
});

test('what is not to be received is not offered', async () => {
  const { rtc } = await call(stream('audio'), { videoReceiveEnabled: false, audioReceiveEnabled: false });
  expect(rtc.transceivers.map((it) => it.direction)).toEqual(['sendonly']);
});

test('it is open when it is answered, and ready when there is a way', async () => {
  const { connection, rtc, answer } = await call(stream('audio'));
  expect(connection.open).toBe(false);
  await answer(OURS);
  expect(connection.open).toBe(true);
  rtc.turn('connected');
  expect(await connection.ready).toBe(connection);
});

test('a stream of the other side is told once, and that it is gone', async () => {
  const { connection, rtc } = await call(stream('audio'));
  const told: string[] = [];
  connection.on('stream', ({ id }) => told.push(`stream ${id === remote.id}`));
  connection.on('track', (track) => told.push(track.kind));
  connection.on('removeStream', ({ id }) => told.push(`gone ${id === remote.id}`));
  const [audio, video] = [new FakeTrack('audio'), new FakeTrack('video')];
  const remote = new FakeStream([audio, video]);
  rtc.receive(audio, remote);
  rtc.receive(video, remote);
  expect(connection.remoteStream).toBe(remote);
  remote.drop(audio);
  remote.drop(video);
  expect(told).toEqual(['stream true', 'audio', 'video', 'gone true']);
});

test('tracks without a stream are put into one', async () => {
  const { connection, rtc } = await call();
  rtc.receive(new FakeTrack('audio'));
  rtc.receive(new FakeTrack('video'));
  expect(connection.remoteStream.getTracks()).toHaveLength(2);
});

test('a stream is replaced track by track, and a kind that is gone falls silent', async () => {
  const { connection, rtc, answer, sent } = await call(stream('audio', 'video'));
  await answer({});
  const next = stream('video');
  await connection.replaceStream(next as unknown as MediaStream);
  expect(rtc.getSenders().map((sender) => sender.track)).toEqual([null, next.getTracks()[0]]);
  expect(sent.filter(({ type }) => type === 'OFFER')).toHaveLength(1);
});

test('a new kind needs a new offer, which only ours understand', async () => {
  const toOthers = await call(stream('audio'));
  await toOthers.answer({});
  const refused = await toOthers.connection.addTrack(track('video')).catch((error: PeerError) => error.type);
  expect(refused).toBe('not-supported');

  const toOurs = await call(stream('audio'));
  await toOurs.answer(OURS);
  await toOurs.connection.addTrack(track('video'));
  await settled();
  const offers = toOurs.sent.filter(({ type }) => type === 'OFFER').map(({ payload }) => parseOffer(payload)?.round);
  expect(offers).toEqual([1, 2]);
});

test('a track that is added too early waits for the answer', async () => {
  const { connection, rtc, answer } = await call(stream('audio'));
  const added = connection.addTrack(track('video'));
  await settled();
  expect(rtc.getSenders()).toHaveLength(2);
  await answer(OURS);
  rtc.turn('connected');
  await added;
  expect(rtc.getSenders()).toHaveLength(3);
});

test('a call that comes in waits to be answered, and its candidates wait with it', async () => {
  const { connection, sent } = called();
  connection.handleCandidate({ candidate: 'candidate:1', sdpMid: '0' });
  await settled();
  expect(FakeRTCPeerConnection.made).toHaveLength(0);

  connection.answer(stream('audio') as unknown as MediaStream);
  connection.answer();
  await settled();
  expect(FakeRTCPeerConnection.made).toHaveLength(1);
  expect(FakeRTCPeerConnection.made[0]?.candidates).toHaveLength(1);
  expect(sent).toMatchObject([{ type: 'ANSWER', dst: 'alice' }]);
  expect(connection.metadata).toBe('from alice');
});

test.each([
  [3, ['ANSWER', 'CANDIDATE']],
  [2, ['ANSWER', 'OFFER']],
])('the callee of a page of version %i says that it has a track more', async (peerway, types) => {
  const { connection, sent } = called({ peerway });
  connection.answer(stream('audio') as unknown as MediaStream);
  await settled();
  await connection.addTrack(track('video'));
  await settled();
  expect(sent.map(({ type }) => type)).toEqual(types);
  connection.close();
});

test('the caller makes the offer that it is asked for', async () => {
  const { connection, sent, answer } = await call(stream('audio'));
  await answer(OURS);
  connection.handleWish({ lines: { audio: 0, video: 1 }, round: 1 });
  await settled();
  expect(sent.map(({ type }) => type)).toEqual(['OFFER', 'OFFER']);
  connection.close();
});

test('a codec that the browser does not have is said to be missing', async () => {
  vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [{ mimeType: 'video/VP8' }] }) });
  const errors: string[] = [];
  const { connection } = await call(stream('video'), { videoCodec: 'H266' }, ({ type }) => errors.push(type));
  expect(errors).toEqual(['not-supported']);
  expect(connection.closed).toBe(true);
});

test('an auxiliary channel that closes ends the call at once', async () => {
  const { connection, rtc, forgotten } = await call(stream('audio'));
  const told: string[] = [];
  connection.on('willCloseOnRemote', () => told.push('will'));
  connection.on('close', () => told.push('close'));
  rtc.channels[0]?.open();
  rtc.channels[0]?.close();
  expect(told).toEqual(['will', 'close']);
  expect(forgotten).toEqual([false]);
});

test('older clients let go of the channel, which means nothing', async () => {
  const { connection, rtc, answer } = await call(stream('audio'));
  await answer({ browser: 'Chrome' });
  rtc.channels[0]?.open();
  rtc.channels[0]?.close();
  expect(connection.closed).toBe(false);
});

test('strangers are not looked for once the path has failed', async () => {
  const { connection, rtc, answer } = await call(stream('audio'));
  await answer({});
  const errors: string[] = [];
  connection.on('error', ({ type }) => errors.push(type));
  rtc.turn('failed');
  expect(errors).toEqual(['connection-closed']);
  expect(connection.closed).toBe(true);
});

test.each([
  ['a newer client sees it', {}, false],
  ['an older one does not', { browser: 'Chrome' }, true],
  ['ours may have lost its path', OURS, true],
])('the end of a call is told by the server where needed: %s', async (_, members, told) => {
  const { connection, answer, forgotten } = await call(stream('audio'));
  await answer(members);
  connection.close();
  expect(forgotten).toEqual([told]);
});

test('closing twice says it once, and whoever waits hears of it', async () => {
  const { connection, rtc, forgotten } = await call();
  const closed = vi.fn();
  connection.on('close', closed);
  connection.close();
  connection.close(true);
  expect(closed).toHaveBeenCalledTimes(1);
  expect(forgotten).toEqual([true]);
  expect(rtc.signalingState).toBe('closed');
  await expect(connection.ready).rejects.toMatchObject({ type: 'connection-closed' });
});

async function call(own?: FakeStream, options = {}, onError?: (error: PeerError) => void) {
  const { context, sent, forgotten } = surroundings();
  const init = { peer: 'bob', metadata: 'm' };
  const connection = new MediaConnection(context, init, own as unknown as MediaStream, options);
  if (onError) connection.on('error', onError);
  connection.begin();
  await settled();
  const rtc = FakeRTCPeerConnection.made.at(-1) as FakeRTCPeerConnection;
  const answer = async (members: object): Promise<void> => {
    const { connectionId } = connection;
    const payload = { sdp: { type: 'answer', sdp: 'v=0' }, type: 'media', connectionId, ...members };
    connection.handleAnswer(parseAnswer(payload) as Answer);
    await settled();
  };
  return { connection, rtc, sent, forgotten, answer };
}

function called(members: object = {}) {
  const { context, sent } = surroundings();
  const payload = { sdp: { type: 'offer', sdp: 'v=0; audio sendrecv' }, type: 'media', connectionId: 'mc_1', metadata: 'from alice', ...members };
  const offer = parseOffer(payload) as Offer;
  return { connection: new MediaConnection(context, { peer: 'alice', offer }), sent };
}

function surroundings() {
  const sent: Frame[] = [];
  const forgotten: boolean[] = [];
  const line = {
    id: 'me',
    send: (frame: Frame) => sent.push(frame),
    rtcConfiguration: () => ({}),
    configured: async () => ({}),
    check: () => undefined,
  };
  const forget = (_: unknown, goodbye: boolean): number => forgotten.push(goodbye);
  return { context: { line, patience: 15_000, forget } as unknown as ConnectionContext, sent, forgotten };
}

function stream(...kinds: ('audio' | 'video')[]): FakeStream {
  return new FakeStream(kinds.map((kind) => new FakeTrack(kind)));
}

function track(kind: 'audio' | 'video'): MediaStreamTrack {
  return new FakeTrack(kind) as unknown as MediaStreamTrack;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
