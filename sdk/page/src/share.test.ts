import { expect, test } from 'vitest';

import { setAddresses, shareLink } from './share.js';

test('a link for others has an address that others reach', () => {
  const link = (page: string) => shareLink({ peer: 'ab-cd' }, new URL(page));
  const local = 'http://localhost:9000/#peer=ab-cd';
  expect(link('http://localhost:9000/?x#y')).toEqual({ here: local, others: local, isLocal: true });
  setAddresses(['192.168.1.20']);
  expect(link('http://localhost:9000/').here).toBe(local);
  expect(link('http://localhost:9000/my/').others).toBe('http://192.168.1.20:9000/my/#peer=ab-cd');
  const there = 'https://peers.example/my/#peer=ab-cd';
  expect(link('https://peers.example/my/')).toEqual({ here: there, others: there, isLocal: false });
  setAddresses([]);
});

test('a room of any name fits into a link', () => {
  const { here } = shareLink({ room: 'a & b=#', mode: 'sfu' }, new URL('https://x.example/'));
  expect(Object.fromEntries(new URLSearchParams(new URL(here).hash.slice(1)))).toEqual({
    room: 'a & b=#',
    mode: 'sfu',
  });
});
