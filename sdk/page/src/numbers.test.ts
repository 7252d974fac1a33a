import { expect, test } from 'vitest';

import { bitrate, bytes, duration } from './numbers.js';

test('bytes have the unit that leaves one to three digits', () => {
  expect([0, 999, 1000, 9_940, 12_345, 3_200_000, 5e9].map(bytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '1.0 kB',
    '9.9 kB',
    '12 kB',
    '3.2 MB',
    '5.0 GB',
  ]);
});

test('a bit rate is in kbit/s until it would have four digits', () => {
  expect([0, 999_400, 999_600, 1_250_000, 12_500_000].map(bitrate)).toEqual([
    '0 kbit/s',
    '999 kbit/s',
    '1.0 Mbit/s',
    '1.3 Mbit/s',
    '13 Mbit/s',
  ]);
});

test('a duration has its two largest units', () => {
  expect([0, 59, 60, 3_661, 90_000, 86_400].map(duration)).toEqual([
    '0 s',
    '59 s',
    '1 min',
    '1 h 1 min',
    '1 d 1 h',
    '1 d',
  ]);
});
