import { expect, test } from 'vitest';

import { setAddresses, shareLink } from './share.js';

test('a link for others has an address that others reach', () => {
  const link = (here: string) => shareLink({ peer: 'ab-cd' }, new URL(here));
  expect(link('http://localhost:9000/?x#y')).toEqual({ href: 'http://localhost:9000/#peer=ab-cd', kind: 'local' });
  setAddresses(['192.168.1.20']);
  expect(link('http://localhost:9000/my/')).toEqual({ href: 'http://192.168.1.20:9000/my/#peer=ab-cd', kind: 'lan' });
  expect(link('https://peers.example/my/')).toEqual({ href: 'https://peers.example/my/#peer=ab-cd', kind: 'plain' });
  setAddresses([]);
});

test('a room of any name fits into a link', () => {
  const { href } = shareLink({ room: 'a & b=#', mode: 'sfu' }, new URL('https://x.example/'));
  expect(Object.fromEntries(new URLSearchParams(new URL(href).hash.slice(1)))).toEqual({
    room: 'a & b=#',
    mode: 'sfu',
  });
});
