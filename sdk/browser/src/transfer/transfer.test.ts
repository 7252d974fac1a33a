import { expect, test, vi } from 'vitest';

import type { Serializer } from '../connection/channel.js';
import type { FileHost } from '../connection/files.js';
import type { Sender } from '../data/sender.js';
import { FileReceiving, FileSending, transfers } from './index.js';
import { parseMessage, safeName } from './messages.js';
import { Sha256 } from './sha256.js';

// Some move megabytes, on a machine that may be busy.
vi.setConfig({ testTimeout: 20_000 });

type Value = Record<string, unknown>;

// One end of a channel that carries values as they are: what is sent arrives in order, a little later.
class End extends EventTarget {
  readonly protocol = 'peerway-file';
  readonly readyState = 'open';
  other: End | undefined;
  said: Value[] = [];
  closed = false;
  // May hold back or change what is sent.
  through: (message: Value) => Value | undefined = (message) => message;

  static pair(): [End, End] {
    const [one, other] = [new End(), new End()];
    one.other = other;
    other.other = one;
    return [one, other];
  }

  async send(message: Value): Promise<void> {
    if (this.closed) throw new Error('closed');
    this.said.push(message);
    const data = this.through(message);
    await new Promise((resolve) => setTimeout(resolve));
    if (data && !this.closed) this.other!.dispatchEvent(Object.assign(new Event('message'), { data }));
  }

  close(): void {
    setTimeout(() => this.cut());
  }

  // The connection is gone.
  cut(): void {
    if (this.closed) return;
    this.closed = true;
    this.dispatchEvent(new Event('close'));
    this.other!.cut();
  }

  types(): unknown[] {
    return this.said.map(({ type }) => type);
  }

  asChannel(): RTCDataChannel {
    return this as unknown as RTCDataChannel;
  }
}

const serializer = {
  name: 'as it is',
  pack: (value: unknown) => ({ messages: [value] }),
  unpack: (value: unknown, take: (value: unknown) => void) => take(value),
} as unknown as Serializer;

const senderOver = (channel: unknown): Sender =>
  ({
    send: ({ messages: [value] }: { messages: [Value] }) => (channel as End).send(value),
    flushed: async () => undefined,
    stop: () => undefined,
  }) as unknown as Sender;

// Two pages; each link is a new connection of theirs.
class Stage {
  readonly offered: FileReceiving[] = [];
  links: [End, End][] = [];
  listens = true;
  readonly alice: FileHost;
  readonly bob: FileHost;
  prepare: (alice: End, bob: End) => void = () => undefined;

  constructor() {
    const stage = this;
    const common = {
      open: false,
      hasChannels: true,
      channel: () => this.connect(),
      sender: senderOver,
      serializer: () => serializer,
      serialization: 'binary',
      chunk: 16_000,
      send: async () => undefined,
      close: () => undefined,
    };
    this.alice = { ...common, peer: 'bob', context: {}, listens: false, offer: () => undefined };
    this.bob = {
      ...common,
      peer: 'alice',
      context: {},
      get listens() {
        return stage.listens;
      },
      offer: (files) => stage.offered.push(files),
    };
  }

  connect(): RTCDataChannel {
    const [alice, bob] = End.pair();
    this.prepare(alice, bob);
    this.links.push([alice, bob]);
    transfers.handleChannel(this.bob, bob.asChannel());
    return alice.asChannel();
  }

  async offer(): Promise<FileReceiving> {
    await vi.waitFor(() => expect(this.offered).toHaveLength(1));
    return this.offered[0]!;
  }
}

const ramp = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, index) => (index * 7) ^ (index >> 9));
const digestOf = async (blob: Blob | undefined): Promise<string> =>
  new Sha256().update(new Uint8Array(await blob!.arrayBuffer())).hex();
const digest = (bytes: Uint8Array): string => new Sha256().update(bytes).hex();

test('files arrive as they were, with what is known of them', async () => {
  const stage = new Stage();
  const bytes = ramp(1_500_000);
  const files = [
    new File([bytes], 'a.bin', { lastModified: 12_345 }),
    new File([], 'empty'),
    new File(['text'], 'b.txt'),
  ];

  const sending = transfers.send(stage.alice, files);
  const progress: number[] = [];
  sending.on('progress', ({ bytes }) => progress.push(bytes));
  const receiving = await stage.offer();
  expect(receiving).toMatchObject({ name: '3 files', size: 1_500_004, peer: 'alice' });
  const received = await receiving.accept();
  await sending.done;

  expect(received.map(({ name, size }) => [name, size])).toEqual([
    ['a.bin', 1_500_000],
    ['empty', 0],
    ['b.txt', 4],
  ]);
  expect(received[0]!.lastModified).toBe(12_345);
  expect(received.map(({ type }) => type)).toEqual(['', '', 'text/plain']);
  expect(await digestOf(received[0])).toBe(digest(bytes));
  expect(progress.at(-1)).toBe(1_500_004);
  await vi.waitFor(() => expect(stage.links[0]![0].closed).toBe(true));
});

test('nothing is sent before the user wants it, and nothing after a refusal', async () => {
  const stage = new Stage();

  const sending = transfers.send(stage.alice, new File(['secret'], 'a.txt'));
  const receiving = await stage.offer();
  receiving.refuse();

  await expect(sending.done).rejects.toThrow('The other side stopped the transfer: the user said no');
  await expect(receiving.done).rejects.toMatchObject({ type: 'transfer' });
  expect(stage.links[0]![0].types()).toEqual(['offer']);
});

test('where nobody takes files the sender hears it', async () => {
  const stage = new Stage();
  stage.listens = false;

  await expect(transfers.send(stage.alice, new File(['x'], 'x')).done).rejects.toThrow(/nobody here takes files/);
});

test('a transfer goes on over the next connection from where it was, without asking again', async () => {
  const stage = new Stage();
  const bytes = ramp(4_000_000);
  const sending = transfers.send(stage.alice, [new File(['first'], 'first'), new File([bytes], 'long')]);
  const seen: string[] = [];
  sending.on('lost', () => seen.push('sender lost')).on('resumed', () => seen.push('sender resumed'));
  const receiving = await stage.offer();
  receiving.on('lost', () => seen.push('receiver lost')).on('resumed', () => seen.push('receiver resumed'));
  const received = receiving.accept();
  await new Promise<void>((resolve) => receiving.on('progress', ({ bytes }) => bytes > 2_000_000 && resolve()));

  stage.links[0]![0].cut();
  expect(sending.lost).toBe(true);
  transfers.handleOpen(stage.alice);
  const [first, long] = await received;
  await sending.done;

  expect(stage.offered).toHaveLength(1);
  expect(seen.sort()).toEqual(['receiver lost', 'receiver resumed', 'sender lost', 'sender resumed']);
  expect(await digestOf(long)).toBe(digest(bytes));
  expect(await first!.text()).toBe('first');
  const begin = stage.links[1]![0].said.find(({ type }) => type === 'begin');
  expect(begin).toMatchObject({ index: 1 });
  expect(begin!.offset).toBeGreaterThan(2_000_000);
});

test('many files are asked for a few at a time', async () => {
  const stage = new Stage();
  const files = Array.from({ length: 30 }, (_, index) => new File([`${index}`], `${index}`));
  const sending = transfers.send(stage.alice, files);
  let most = 0;
  let settled = 0;
  const count = (): void => {
    const wanted = stage.links[0]![1].types().filter((type) => type === 'want').length;
    most = Math.max(most, wanted - settled);
  };
  const receiving = await stage.offer();
  receiving.on('progress', count);
  receiving.on('file', () => settled++);

  const received = await receiving.accept();
  await sending.done;

  expect(await Promise.all(received.map((file) => file.text()))).toEqual(files.map(({ name }) => name));
  expect(most).toBeLessThanOrEqual(9);
});

test('a file that has changed in between begins again', async () => {
  const stage = new Stage();
  const sending = transfers.send(stage.alice, new File([ramp(3_000_000)], 'a'));
  const receiving = await stage.offer();
  const received = receiving.accept();
  await new Promise<void>((resolve) => receiving.on('progress', () => resolve()));
  const sha256 = '0'.repeat(64);
  stage.prepare = (_, bob) => (bob.through = (it) => (it.type === 'want' ? { ...it, sha256 } : it));

  stage.links[0]![0].cut();
  transfers.handleOpen(stage.alice);

  expect(await digestOf((await received)[0])).toBe(digest(ramp(3_000_000)));
  await sending.done;
  expect(stage.links[1]![0].said).toContainEqual({ type: 'begin', index: 0, offset: 0 });
});

test('an offer with the same secret from somebody else is another transfer', async () => {
  const stage = new Stage();
  void transfers.send(stage.alice, new File(['x'], 'x'));
  const receiving = await stage.offer();
  void receiving.accept();
  const [mallory, bob] = End.pair();
  const { transfer, files } = receiving;

  transfers.handleChannel({ ...stage.bob, peer: 'mallory' }, bob.asChannel());
  await mallory.send({ type: 'offer', transfer, files: files.map(({ name, size }) => ({ name, size })) });

  await vi.waitFor(() => expect(stage.offered).toHaveLength(2));
});

test('either side can stop it, and the other one hears why', async () => {
  for (const who of ['sender', 'receiver'] as const) {
    const stage = new Stage();
    const sending = transfers.send(stage.alice, new File([ramp(4_000_000)], 'a'));
    const receiving = await stage.offer();
    receiving.accept().catch(() => undefined);
    await new Promise<void>((resolve) => receiving.once('progress', () => resolve()));

    (who === 'sender' ? sending : receiving).cancel('enough');

    const other = who === 'sender' ? receiving : sending;
    await expect(other.done).rejects.toThrow('The other side stopped the transfer: enough');
    await vi.waitFor(() => expect(stage.links[0]![0].closed).toBe(true));
  }
});

test('a receiver that is slow is not run over', async () => {
  const stage = new Stage();
  let written = 0;
  let free!: () => void;
  const gate = new Promise<void>((resolve) => (free = resolve));
  const stream = new WritableStream<Uint8Array>({
    write: async (bytes) => {
      await gate;
      written += bytes.length;
    },
  });

  const sending = transfers.send(stage.alice, new File([ramp(10_000_000)], 'a'));
  const receiving = await stage.offer();
  const done = receiving.accept({ to: () => stream });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sent = stage.links[0]![0].said.reduce((sum, { data }) => sum + ((data as Uint8Array)?.length ?? 0), 0);
  expect(sent).toBeLessThanOrEqual(8 << 20);
  free();

  expect(await done).toEqual([]);
  await sending.done;
  expect(written).toBe(10_000_000);
});

test('bytes that are not those that were sent are not passed on', async () => {
  const stage = new Stage();
  stage.prepare = (alice) => {
    alice.through = (it) =>
      it.type === 'chunk' ? { ...it, data: new Uint8Array((it.data as Uint8Array).length) } : it;
  };
  const sending = transfers.send(stage.alice, new File([ramp(1000)], 'a'));
  const results: unknown[] = [];
  sending.on('file', (file, result, message) => results.push([file.name, result, message]));

  expect(await (await stage.offer()).accept()).toEqual([]);

  await sending.done;
  expect(results).toEqual([['a', 'refused', 'its bytes are not those that were sent']]);
});

test('chunks may overtake each other', async () => {
  const { alice, receiving } = await byHand({ name: 'a', size: 9 });
  const done = receiving.accept();
  await heard(alice, 'want');

  for (const offset of [6, 0, 3]) await alice.send({ type: 'chunk', offset, data: ramp(9).slice(offset, offset + 3) });
  await alice.send({ type: 'end' });

  expect(await digestOf((await done)[0])).toBe(digest(ramp(9)));
});

test.each([
  [
    'chunks that overlap',
    [
      { type: 'chunk', offset: 0, data: ramp(5) },
      { type: 'chunk', offset: 3, data: ramp(5) },
    ],
  ],
  ['more than was told', [{ type: 'chunk', offset: 0, data: ramp(10) }]],
  [
    'an end too early',
    [
      { type: 'chunk', offset: 0, data: ramp(5) },
      { type: 'end', size: 5 },
    ],
  ],
  ['a file that nobody offered', [{ type: 'chunk', index: 7, offset: 0, data: ramp(5) }]],
  ['what only a receiver says', [{ type: 'want' }]],
  ['an offset that is none', [{ type: 'chunk', offset: -1, data: ramp(5) }]],
  ['a beginning that nobody asked for', [{ type: 'begin', offset: 4 }]],
])('%s ends the transfer', async (_, messages) => {
  const { alice, bob, receiving } = await byHand({ name: 'a', size: 9 });
  const done = receiving.accept();
  await heard(alice, 'want');

  for (const message of messages) await alice.send(message).catch(() => undefined);

  await expect(done).rejects.toMatchObject({ type: 'transfer' });
  expect(bob.said.at(-1)).toMatchObject({ type: 'cancel', reason: 'protocol' });
});

test('what a forgotten peer had under way ends', async () => {
  const stage = new Stage();
  const sending = transfers.send(stage.alice, new File([ramp(100)], 'a'));
  await stage.offer();

  transfers.forget(stage.alice.context);

  await expect(sending.done).rejects.toMatchObject({ type: 'transfer' });
});

test('a channel that is gone while its connection is there was not wanted', async () => {
  const stage = new Stage();
  const sending = transfers.send({ ...stage.alice, open: true }, new File(['x'], 'x'));
  stage.links[0]![0].cut();

  await expect(sending.done).rejects.toThrow(/takes no files/);
});

test('names lead nowhere', () => {
  expect(safeName('../../etc/passwd')).toBe('etc/passwd');
  expect(safeName('C:\\a\\..\\b\u202e.txt')).toBe('C_/a/b_.txt');
  expect(safeName('..')).toBe('file');
  const offer = { type: 'offer', files: [{ name: '/a/./b', size: 3 }] };
  expect(parseMessage(offer)).toMatchObject({ files: [{ name: 'a/b', size: 3, index: 0 }] });
  expect(() => parseMessage({ ...offer, version: 2 })).toThrow(/version 2/);
  expect(parseMessage({ type: 'hello' })).toBeUndefined();
});

async function byHand(file: Value): Promise<{ alice: End; bob: End; receiving: FileReceiving }> {
  const stage = new Stage();
  const [alice, bob] = End.pair();
  transfers.handleChannel(stage.bob, bob.asChannel());
  await alice.send({ type: 'offer', files: [file] });
  return { alice, bob, receiving: await stage.offer() };
}

const heard = (end: End, type: string): Promise<void> => vi.waitFor(() => expect(end.other!.types()).toContain(type));

test('a lost transfer can be given another way', async () => {
  const stage = new Stage();
  const sending = transfers.send(stage.alice, new File([ramp(100)], 'a'));
  const receiving = await stage.offer();
  stage.links[0]![0].cut();
  const received = receiving.accept();

  expect(transfers.send(stage.alice, sending)).toBe(sending);

  expect(sending).toBeInstanceOf(FileSending);
  expect(await received).toHaveLength(1);
});
