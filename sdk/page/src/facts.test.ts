import { expect, test } from 'vitest';

import type { ConnectionStats } from 'peerway';

import { pathOf } from './chart.js';
import { summary } from './facts.js';

const nothing: ConnectionStats = {
  relayed: undefined,
  protocol: undefined,
  rtt: undefined,
  bitrateIn: 0,
  bitrateOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  audioIn: [],
  audioOut: [],
  videoIn: [],
  videoOut: [],
};
const direct = { ...nothing, relayed: false, protocol: 'udp', rtt: 20, bitrateIn: 100, bitrateOut: 1000 };

test('without a way there is nothing to say', () => {
  expect(summary([])).toBeUndefined();
  expect(summary([nothing])).toBeUndefined();
});

test('of several connections the rates are added, and the worst way counts', () => {
  const relayed = { ...direct, relayed: true, rtt: 50 };
  expect(summary([direct, relayed, nothing])).toMatchObject({
    relayed: true,
    rtt: 50,
    bitrateIn: 200,
    bitrateOut: 2000,
  });
});

test('loss is that of all packets together', () => {
  const stream = { bitrate: 0, packets: 90, loss: 0.1 };
  expect(
    summary([{ ...direct, videoIn: [stream], audioIn: [{ ...stream, packets: 100, loss: 0 }] }])?.loss,
  ).toBeCloseTo(10 / 200);
});

test('the picture is the largest that comes, else that which goes', () => {
  const picture = (width: number) => ({
    bitrate: 0,
    packets: 1,
    loss: 0,
    width,
    height: width / 2,
    framesPerSecond: 29.7,
  });
  const sent = { ...direct, videoOut: [picture(1280)] };
  expect(summary([sent])?.picture).toBe('1280 × 640, 30/s');
  expect(summary([{ ...sent, videoIn: [picture(320), picture(640)] }])?.picture).toBe('640 × 320, 30/s');
});

test('a line has a gap where nothing is known, and ends at the right edge', () => {
  expect(pathOf([undefined, undefined], 10)).toBe('');
  expect(pathOf([10, undefined, 0], 10)).toMatch(/^M[\d.]+ 2\.0M240\.0 54\.0$/);
});
