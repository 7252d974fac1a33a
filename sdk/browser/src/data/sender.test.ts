import { expect, test } from 'vitest';

import type { ChannelMessage } from '../connection/channel.js';
import { PeerError } from '../errors.js';
import { PipeChannel, settle } from '../testing/pipe.js';
import { cut } from './pieces.js';
import { HIGH_WATER, Sender } from './sender.js';

const bytes = (length: number, fill = 7): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(fill);

function stage(): { sender: Sender; channel: PipeChannel; arrived: (string | ArrayBuffer)[] } {
  const [channel, other] = PipeChannel.pair();
  const arrived: (string | ArrayBuffer)[] = [];
  other.addEventListener('message', (event) => arrived.push((event as MessageEvent<string | ArrayBuffer>).data));
  return { sender: new Sender(channel.asChannel()), channel, arrived };
}

const all = (length: number, size = 65_536, fill = 7) => cut({ parts: [bytes(length, fill)], length }, size);

test('what there is room for goes at once', async () => {
  const { sender, channel } = stage();

  const sent = sender.send({ messages: ['hello'] });

  expect(channel.bufferedAmount).toBe(5);
  expect(sender.waiting).toBe(0);
  await sent;
});

test('the channel never holds more than keeps it busy, and nothing asks again and again', async () => {
  const { sender, channel, arrived } = stage();
  let done = false;

  void sender.send(all(20 << 20)).then(() => (done = true));
  await settle();
  expect(channel.mostBuffered).toBeLessThan(HIGH_WATER + 65_537);
  expect(done).toBe(false);
  await settle(channel);

  expect(done).toBe(true);
  expect(channel.mostBuffered).toBeLessThan(HIGH_WATER + 65_537);
  expect(arrived.reduce((sum, message) => sum + (message as ArrayBuffer).byteLength, 0)).toBe(20 << 20);
});

test('values keep their order, even behind one that is slow to be read', async () => {
  const { sender, channel, arrived } = stage();
  const blob = new Blob([bytes(3 << 20)]);

  void sender.send(cut({ parts: [blob], length: blob.size }, 1 << 20));
  void sender.send({ messages: ['last'] });
  await settle(channel);

  expect(arrived).toHaveLength(4);
  expect(arrived[3]).toBe('last');
});

test('what waits does not change with the buffer of the application', async () => {
  const { sender, channel, arrived } = stage();
  const value = bytes(12 << 20);

  void sender.send(cut({ parts: [value], length: value.length }, 65_536));
  value.fill(9);
  await settle(channel);

  expect(arrived.every((message) => new Uint8Array(message as ArrayBuffer).every((byte) => byte === 7))).toBe(true);
});

test('a stop ends all that waits', async () => {
  const { sender, channel } = stage();
  const first = sender.send(all(16 << 20));
  const second = sender.send({ messages: ['later'] });

  sender.stop(new PeerError('connection-closed', 'closed'));

  await expect(first).rejects.toThrow('closed');
  await expect(second).rejects.toThrow('closed');
  await expect(sender.send({ messages: ['too late'] })).rejects.toThrow('closed');
  const before = channel.mostBuffered;
  await settle(channel);
  expect(channel.mostBuffered).toBe(before);
});

test('flushed means that the channel is empty too', async () => {
  const { sender, channel } = stage();
  let flushed = false;

  void sender.send(all(10 << 20));
  void sender.flushed().then(() => (flushed = true));
  channel.flow(10);
  await settle();
  expect(flushed).toBe(false);
  await settle(channel);

  expect(flushed).toBe(true);
});

test('a channel that refuses a message in the middle of a value is closed', async () => {
  const { sender, channel } = stage();
  channel.send = (): never => {
    throw new DOMException('full', 'OperationError');
  };

  await expect(sender.send({ messages: ['a'] })).rejects.toMatchObject({ type: 'connection-closed' });

  expect(channel.readyState).toBe('closed');
});

test('what cannot be read any more ends the value and the channel', async () => {
  const { sender, channel } = stage();
  async function* broken(): AsyncGenerator<ChannelMessage> {
    yield 'a';
    throw new Error('the file is gone');
  }

  await expect(sender.send({ messages: broken() })).rejects.toMatchObject({ type: 'connection-closed' });

  expect(channel.readyState).toBe('closed');
});

test('too much is refused instead of being kept', async () => {
  const { sender } = stage();
  void sender.send({ messages: endless(), size: 300 << 20 }).catch(() => undefined);

  await expect(sender.send({ messages: ['a'], size: 300 << 20 })).rejects.toMatchObject({ type: 'message-too-big' });
  sender.stop(new PeerError('connection-closed', 'closed'));
});

function* endless(): Generator<ChannelMessage> {
  for (;;) yield bytes(1 << 20);
}
