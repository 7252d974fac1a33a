import { expect, test } from 'vitest';

import { StatsReader } from './stats.js';

type Entries = Record<string, Record<string, unknown>>;

// As Chromium has them, shortened.
const CHROMIUM: Entries = {
  T: { type: 'transport', selectedCandidatePairId: 'P', bytesReceived: 1000, bytesSent: 5000 },
  other: { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 9 },
  P: { type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.0125 },
  L: { type: 'local-candidate', candidateType: 'host', protocol: 'udp' },
  R: { type: 'remote-candidate', candidateType: 'srflx', protocol: 'udp' },
  IV: { type: 'inbound-rtp', kind: 'video', bytesReceived: 800, packetsReceived: 90, packetsLost: 10, framesDecoded: 7 },
  OA: { type: 'outbound-rtp', kind: 'audio', bytesSent: 400, packetsSent: 20, remoteId: 'RA' },
  RA: { type: 'remote-inbound-rtp', kind: 'audio', fractionLost: 0.25, roundTripTime: 3 },
  S: { type: 'media-source', kind: 'audio' },
};

test('the way is that of the chosen pair', async () => {
  const stats = await read(CHROMIUM);
  expect(stats).toMatchObject({ relayed: false, protocol: 'udp', rtt: 12.5, bytesIn: 1000, bytesOut: 5000 });
});

test.each(['L', 'R'])('a relay at either side is one: %s', async (side) => {
  const relay = { ...CHROMIUM[side], candidateType: 'relay', protocol: 'udp', relayProtocol: 'tcp' };
  const stats = await read({ ...CHROMIUM, [side]: relay });
  expect(stats.relayed).toBe(true);
  expect(stats.protocol).toBe(side === 'L' ? 'tcp' : 'udp');
});

test('before there is a way nothing is said of it', async () => {
  const stats = await read({ T: { type: 'transport', bytesReceived: 0, bytesSent: 0 } });
  expect(stats).toMatchObject({ relayed: undefined, protocol: undefined, rtt: undefined, bitrateIn: 0, bytesIn: 0 });
  expect(await read({})).toMatchObject({ relayed: undefined, bytesIn: 0, bytesOut: 0 });
});

test('rates are those since the last question', async () => {
  const reader = new StatsReader();
  expect(await read(CHROMIUM, reader)).toMatchObject({ bitrateIn: 0, bitrateOut: 0, videoIn: [{ bitrate: 0 }] });
  const later = changed({ T: { bytesReceived: 2000, bytesSent: 5000 }, IV: { bytesReceived: 1300 } });
  const stats = await read(later, reader, 2000);
  expect(stats).toMatchObject({ bitrateIn: 4000, bitrateOut: 0, videoIn: [{ bitrate: 2000 }], audioOut: [{ bitrate: 0 }] });
});

test('counters that begin anew make no negative rates', async () => {
  const reader = new StatsReader();
  await read(CHROMIUM, reader);
  const stats = await read(changed({ T: { bytesReceived: 250 } }), reader, 1000);
  expect(stats.bitrateIn).toBe(2000);
});

test('asked twice in one moment the rates are no nonsense', async () => {
  const reader = new StatsReader();
  await read(CHROMIUM, reader);
  expect(await read(CHROMIUM, reader)).toMatchObject({ bitrateIn: 0, videoIn: [{ bitrate: 0 }] });
});

test('loss is a part of what should have come, or what the other side tells', async () => {
  const { videoIn, audioOut } = await read(CHROMIUM);
  expect([videoIn[0]?.loss, audioOut[0]?.loss]).toEqual([0.1, 0.25]);
  // Packets that came twice.
  const twice = await read(changed({ IV: { packetsLost: -5 } }));
  expect(twice.videoIn[0]?.loss).toBe(0);
  const nothing = await read(changed({ IV: { packetsLost: 0, packetsReceived: 0 } }));
  expect(nothing.videoIn[0]?.loss).toBe(0);
});

test('pictures have a size once there are some', async () => {
  expect((await read(CHROMIUM)).videoIn[0]).toEqual({ bitrate: 0, packets: 90, loss: 0.1, frames: 7 });
  const seen = await read(changed({ IV: { frameWidth: 640, frameHeight: 360, framesPerSecond: 30 } }));
  expect(seen.videoIn[0]).toMatchObject({ width: 640, height: 360, framesPerSecond: 30, frames: 7 });
});

test('Firefox: bytes and the mark are those of the pair, and the round trip is what media report', async () => {
  const stats = await read({
    failed: { type: 'candidate-pair', nominated: true, state: 'failed', bytesReceived: 7 },
    P: {
      type: 'candidate-pair',
      nominated: true,
      state: 'succeeded',
      localCandidateId: 'L',
      remoteCandidateId: 'R',
      bytesReceived: 10,
      bytesSent: 20,
    },
    L: { type: 'local-candidate', candidateType: 'relay', protocol: 'udp', relayProtocol: 'tls' },
    R: { type: 'remote-candidate', candidateType: 'host', protocol: 'udp' },
    RA: { type: 'remote-inbound-rtp', kind: 'audio', roundTripTime: 0.04 },
    IA: { type: 'inbound-rtp', mediaType: 'audio', bytesReceived: 1, packetsReceived: 3 },
  });
  expect(stats).toMatchObject({ relayed: true, protocol: 'tls', rtt: 40, bytesIn: 10, bytesOut: 20 });
  expect(stats.audioIn).toEqual([{ bitrate: 0, packets: 3, loss: 0 }]);
});

function changed(members: Entries): Entries {
  const entries = Object.entries(members).map(([id, more]) => [id, { ...CHROMIUM[id], ...more }]);
  return { ...CHROMIUM, ...Object.fromEntries(entries) };
}

function read(entries: Entries, reader = new StatsReader(), timestamp = 0) {
  const report = new Map(Object.entries(entries).map(([id, entry]) => [id, { id, timestamp, ...entry }]));
  return reader.read({ getStats: async () => report } as unknown as RTCPeerConnection);
}
