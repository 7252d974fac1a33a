import { expect, test } from 'vitest';

import { limitBandwidth } from './sdp.js';

const SDP = [
  'v=0',
  't=0 0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'c=IN IP4 0.0.0.0',
  'a=mid:0',
  'm=video 9 UDP/TLS/RTP/SAVPF 96',
  'c=IN IP4 0.0.0.0',
  'b=AS:9999',
  'a=mid:1',
  '',
].join('\r\n');

test('a limit stands behind the connection line of its kind, in both forms, and replaces what was there', () => {
  const lines = limitBandwidth(SDP, { video: 300 }).split('\r\n');
  expect(lines.slice(2, 5)).toEqual(['m=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=mid:0']);
  expect(lines.slice(6)).toEqual(['c=IN IP4 0.0.0.0', 'b=AS:300', 'b=TIAS:300000', 'a=mid:1', '']);
});

test('without limits nothing changes', () => {
  expect(limitBandwidth(SDP, {})).toBe(SDP);
});
