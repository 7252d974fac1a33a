import { expect, test } from 'vitest';

import {
  connectionIdOf,
  encodeDescription,
  parseAnswer,
  parseCandidate,
  parseOffer,
  parseWish,
  STRANGER,
} from './payload.js';

const OFFER = {
  sdp: { type: 'offer', sdp: 'v=0' },
  type: 'data',
  connectionId: 'dc_1',
  metadata: { a: 1 },
  label: 'chat',
  reliable: true,
  serialization: 'binary',
};

test('an offer of PeerJS 1.5 is read', () => {
  expect(parseOffer(OFFER)).toEqual({
    sdp: 'v=0',
    type: 'data',
    connectionId: 'dc_1',
    metadata: { a: 1 },
    label: 'chat',
    reliable: true,
    serialization: 'binary',
    restart: false,
    from: { ours: false, renegotiates: false, takesWishes: false, legacy: false },
  });
});

test.each([
  ['PeerJS up to 1.4', { browser: 'chrome' }, { legacy: true }],
  ['PeerJS 1.5', {}, {}],
  ['the native SDK', { browser: 'Chrome', peerway: 1 }, { ours: true }],
  ['an older page of ours', { browser: 'Chrome', peerway: 2 }, { ours: true, renegotiates: true }],
  ['a page of ours', { browser: 'Chrome', peerway: 3 }, { ours: true, renegotiates: true, takesWishes: true }],
  ['nonsense', { peerway: {}, browser: 7 }, { legacy: true }],
])('%s is known by its offer', (_, members, from) => {
  expect(parseOffer({ ...OFFER, ...members })?.from).toEqual({ ...STRANGER, ...from });
});

test('what we write is what we read', () => {
  const names = { type: 'media' as const, connectionId: 'mc_1', room: 'lobby' };
  const written = encodeDescription({ type: 'answer', sdp: 'v=0' }, names, { round: 3 });
  expect(written).toMatchObject({ sdp: { type: 'answer', sdp: 'v=0' }, type: 'media', connectionId: 'mc_1' });
  expect(parseAnswer(JSON.parse(JSON.stringify(written)))).toEqual({
    sdp: 'v=0',
    ...names,
    round: 3,
    from: { ours: true, renegotiates: true, takesWishes: true, legacy: false },
  });
});

test('a room may be a number, as in skyway-js', () => {
  expect(parseOffer({ ...OFFER, room: 7 })?.room).toBe('7');
});

test.each([
  undefined,
  null,
  7,
  'offer',
  [],
  {},
  { ...OFFER, sdp: 'v=0' },
  { ...OFFER, sdp: { type: 'offer' } },
  { ...OFFER, sdp: { type: 'answer', sdp: 'v=0' } },
  { ...OFFER, type: 'text' },
  { ...OFFER, connectionId: '' },
  { ...OFFER, connectionId: 7 },
])('%o is no offer', (payload) => {
  expect(parseOffer(payload)).toBeUndefined();
});

test('members of a wrong type are as if they were not there', () => {
  const offer = parseOffer({
    ...OFFER,
    label: 7,
    reliable: 'yes',
    serialization: {},
    restart: 1,
    round: '1',
    room: {},
  });
  expect(offer).not.toHaveProperty('label');
  expect(offer).not.toHaveProperty('reliable');
  expect(offer).not.toHaveProperty('serialization');
  expect(offer).not.toHaveProperty('round');
  expect(offer).not.toHaveProperty('room');
  expect(offer?.restart).toBe(false);
});

test('candidates of every generation are read, and the end of them is not one', () => {
  const candidate = (members: unknown): unknown => ({ candidate: members, type: 'data', connectionId: 'dc_1' });
  expect(parseCandidate(candidate({ candidate: 'candidate:1', sdpMLineIndex: 0 }))?.candidate).toEqual({
    candidate: 'candidate:1',
    sdpMLineIndex: 0,
  });
  expect(
    parseCandidate(
      candidate({ candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'x', more: 1 }),
    ),
  ).toEqual({
    connectionId: 'dc_1',
    candidate: { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'x' },
  });
  for (const none of [null, {}, { candidate: '', sdpMid: '0' }, { candidate: 'candidate:1' }, 'candidate:1']) {
    expect(parseCandidate(candidate(none))).toBeUndefined();
  }
});

test('a wish is read, and nothing else for one', () => {
  expect(parseWish({ negotiate: { audio: 1 }, round: 2, connectionId: 'mc_1' })).toEqual({ lines: { audio: 1 }, round: 2 });
  for (const none of [undefined, 7, {}, { round: 1 }, { negotiate: {} }, { negotiate: null, round: 1 }]) {
    expect(parseWish(none)).toBeUndefined();
  }
});

test('which connection is meant is told, or it is not', () => {
  expect(connectionIdOf({ connectionId: 'dc_1' })).toBe('dc_1');
  for (const none of [undefined, null, {}, { connectionId: 7 }, { connectionId: '' }]) {
    expect(connectionIdOf(none)).toBeUndefined();
  }
});
