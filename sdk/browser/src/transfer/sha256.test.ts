import { expect, test } from 'vitest';

import { Sha256 } from './sha256.js';

const known = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');

test('it is what the platform computes, whatever the pieces', async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => (index * 7) % 256);
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000]) {
    for (const piece of [1, 7, 64, 1000]) {
      const hash = new Sha256();
      for (let at = 0; at < length; at += piece) hash.update(bytes.subarray(at, Math.min(at + piece, length)));
      expect(hash.hex(), `${length} in pieces of ${piece}`).toBe(await known(bytes.slice(0, length)));
    }
  }
});

test('more may follow a digest', async () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => index);
  const hash = new Sha256().update(bytes.subarray(0, 100));
  expect(hash.hex()).toBe(await known(bytes.slice(0, 100)));
  expect(hash.update(bytes.subarray(100)).hex()).toBe(await known(bytes));
});
