import { describe, expect, test } from 'vitest';

import { packRoomData, unpackRoomData } from './room_data.js';
import { parseLog, skywayLog } from './room_log.js';

describe('what members say', () => {
  test('JSON stays as it is', () => {
    const packed = packRoomData({ a: [1, 'two', null, true], when: new Date(0) });
    const payload = { a: [1, 'two', null, true], when: '1970-01-01T00:00:00.000Z' };
    expect(packed).toEqual({ payload, attachments: [] });
    expect(packRoomData(undefined)).toEqual({ payload: null, attachments: [] });
  });

  test('bytes go beside it, as in the example of the reference', () => {
    const file = new Uint8Array([9, 0, 1, 2, 255]).subarray(1);
    expect(packRoomData({ file })).toEqual({
      payload: { file: { _placeholder: true, num: 0 } },
      attachments: ['AAEC/w=='],
    });
    expect(packRoomData(new Uint8Array([0, 1, 2, 255]).buffer)).toEqual({
      payload: { _placeholder: true, num: 0 },
      attachments: ['AAEC/w=='],
    });
  });

  test('blobs are read first, and all parts keep their places', async () => {
    const packed = await packRoomData([new Uint8Array([1]), new Blob(['ab']), new Uint8Array([2])]);
    expect(packed.attachments).toEqual(['AQ==', 'YWI=', 'Ag==']);
    const [first, second, third] = unpackRoomData(packed.payload, packed.attachments) as ArrayBuffer[];
    expect([first, second, third].map((part) => [...new Uint8Array(part as ArrayBuffer)])).toEqual([
      [1],
      [97, 98],
      [2],
    ]);
  });

  test('more bytes than a function takes arguments come back', () => {
    const bytes = new Uint8Array(200_000).map((_, index) => index);
    const { payload, attachments } = packRoomData(bytes) as { payload: unknown; attachments: string[] };
    expect(new Uint8Array(unpackRoomData(payload, attachments) as ArrayBuffer)).toEqual(bytes);
  });

  test('what cannot be said throws', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => packRoomData(circle)).toThrow();
    expect(() => packRoomData(1n)).toThrow();
  });

  test('placeholders of nothing stay, and no prototype is touched', () => {
    const wild = JSON.parse('{"__proto__":{"_placeholder":true,"num":0},"a":{"_placeholder":true,"num":9}}') as object;
    const value = unpackRoomData(wild, ['AQ==']) as Record<string, unknown>;
    expect(value.a).toEqual({ _placeholder: true, num: 9 });
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(() => unpackRoomData({}, ['?'])).toThrow();
  });
});

describe('the log', () => {
  const wire = [
    { timestamp: 1, src: 'alice', action: 'joined', mode: 'mesh' },
    {
      timestamp: 2,
      src: 'alice',
      action: 'data',
      payload: { x: { _placeholder: true, num: 0 } },
      attachments: ['AQ=='],
    },
    { timestamp: 3, src: 'alice', action: 'left' },
    { timestamp: 'x', src: 'alice', action: 'left' },
    { timestamp: 4, src: 'alice', action: 'danced' },
    { timestamp: 5, src: 'alice', action: 'data', attachments: ['?'] },
    { timestamp: 5, src: 'alice', action: 'data', attachments: 7 },
    null,
  ];

  test('what can be read is read', () => {
    const entries = parseLog(wire);
    expect(entries.slice(0, 3)).toEqual([
      { timestamp: 1, src: 'alice', action: 'joined', mode: 'mesh' },
      { timestamp: 2, src: 'alice', action: 'data', data: { x: new Uint8Array([1]).buffer } },
      { timestamp: 3, src: 'alice', action: 'left' },
    ]);
    expect(parseLog({ no: 'list' })).toEqual([]);
  });

  test('it is told as skyway-js told it', () => {
    expect(skywayLog(parseLog(wire).slice(0, 3), 'tea').map((text) => JSON.parse(text) as unknown)).toEqual([
      { timestamp: 1, messageType: 'ROOM_USER_JOIN', message: { roomName: 'tea', roomType: 'mesh', src: 'alice' } },
      { timestamp: 2, messageType: 'ROOM_DATA', message: { src: 'alice', data: { x: {} } } },
      { timestamp: 3, messageType: 'ROOM_USER_LEAVE', message: { roomName: 'tea', src: 'alice' } },
    ]);
  });
});
