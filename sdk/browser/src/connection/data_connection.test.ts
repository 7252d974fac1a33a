import { beforeEach, expect, test, vi } from 'vitest';

import type { PeerConnectOption } from '../options.js';
import type { Frame } from '../signalling/frame.js';
import { FakeRTCPeerConnection } from '../testing/fake_rtc.js';
import { PipeChannel, settle } from '../testing/pipe.js';
import '../transfer/index.js';
import type { FileReceiving } from '../transfer/index.js';
import type { Remote } from './channel.js';
import type { ConnectionContext } from './connection.js';
import { DataConnection } from './data_connection.js';
import { parseOffer } from './payload.js';

const OURS: Remote = { ours: true, legacy: false, renegotiates: true };
const MODERN: Remote = { ours: false, legacy: false, renegotiates: false };

vi.setConfig({ testTimeout: 20_000 });

let inits: (RTCDataChannelInit | undefined)[] = [];
let channels: [PipeChannel, PipeChannel][] = [];

beforeEach(() => {
  inits = [];
  channels = [];
  FakeRTCPeerConnection.made = [];
  vi.stubGlobal('RTCPeerConnection', FakeRTCPeerConnection);
  FakeRTCPeerConnection.prototype.createDataChannel = function (label: string, init?: RTCDataChannelInit): never {
    inits.push(init);
    const pair = PipeChannel.pair(label, init?.protocol);
    if (!channels.length) for (const end of pair) end.readyState = 'connecting';
    // Further ones are told to the other side.
    else queueMicrotask(() => tell(pair[1]));
    channels.push(pair);
    return pair[0] as never;
  };
});

const tell = (channel: PipeChannel): unknown =>
  FakeRTCPeerConnection.made[1]!.dispatchEvent(Object.assign(new Event('datachannel'), { channel }));

test('values go from one to the other as they are, in order', async () => {
  const { alice, bob, heard } = await pair();
  const big = new Uint8Array(3_000_000).fill(7);

  const sent = Promise.all([alice.send('first'), alice.send({ big }), alice.send('last')]);
  await flow();
  await sent;

  expect(heard).toHaveLength(3);
  expect([heard[0], (heard[1] as { big: ArrayBuffer }).big.byteLength, heard[2]]).toEqual(['first', 3_000_000, 'last']);
  expect(await alice.ready).toBe(alice);
  expect(await bob.ready).toBe(bob);
});

test('the offer says what the channel carries, in names that all understand', async () => {
  const { offer } = await pair({ serialization: 'none', label: 'chat', metadata: { a: 1 }, reliable: true });
  expect(offer).toMatchObject({ label: 'chat', metadata: { a: 1 }, reliable: true, serialization: 'raw' });
});

test.each<[PeerConnectOption, RTCDataChannelInit]>([
  [{}, { ordered: true }],
  [{ reliable: false }, { ordered: true }],
  [{ ordered: false }, { ordered: false }],
  [{ dcInit: { ordered: false, maxRetransmits: 0 } }, { ordered: false, maxRetransmits: 0 }],
])('%j opens a channel with %j', async (options, init) => {
  await pair(options);
  expect(inits[0]).toEqual(init);
});

test('what is sent too early or too late is told in both ways', async () => {
  const { alice } = await pair({}, { opened: false });
  const told: string[] = [];
  alice.on('error', ({ type }) => told.push(type));

  await expect(alice.send('early')).rejects.toMatchObject({ type: 'not-open-yet' });
  alice.close();
  await expect(alice.send('late')).rejects.toMatchObject({ type: 'connection-closed' });

  expect(told[0]).toBe('not-open-yet');
  await expect(alice.ready).rejects.toMatchObject({ type: 'connection-closed' });
});

test('a value that cannot go leaves the connection as it was', async () => {
  const { alice, heard } = await pair();
  const told: string[] = [];
  alice.on('error', ({ type }) => told.push(type));

  await expect(alice.send(() => 1)).rejects.toMatchObject({ type: 'not-supported' });
  await Promise.all([alice.send('next'), flow()]);

  expect(told).toEqual(['not-supported']);
  expect(heard).toEqual(['next']);
});

test('a message that is nothing is left out', async () => {
  const { bob, heard } = await pair();
  const told: string[] = [];
  bob.on('error', ({ message }) => told.push(message));

  channels[0]![0].send(Uint8Array.of(0xc4));
  channels[0]![0].send(Uint8Array.of(7));
  await flow();

  expect(heard).toEqual([7]);
  expect(told[0]).toMatch(/was left out/);
});

test('a close lets go of what waits, a flush does not', async () => {
  for (const flush of [false, true]) {
    channels = [];
    FakeRTCPeerConnection.made = [];
    const { alice, bob, heard } = await pair();
    const sent = alice.send(new Uint8Array(10 << 20)).then(
      () => 'sent',
      () => 'lost',
    );
    expect(alice.bufferSize).toBe(1);

    alice.close({ flush });
    await flow();

    expect(await sent).toBe(flush ? 'sent' : 'lost');
    expect(heard).toHaveLength(flush ? 1 : 0);
    expect([alice.closed, bob.closed]).toEqual([true, flush]);
  }
});

test('a serialization that nobody knows is an error that can be heard', async () => {
  const { connection } = caller({ serialization: 'abacus' });
  const error = await new Promise<Error>((resolve) => connection.on('error', resolve));
  expect(error.message).toMatch(/abacus/);
  expect(connection.closed).toBe(true);
});

test('files have a channel of their own between our pages, and values go on beside them', async () => {
  const { alice, bob, heard } = await pair();
  const offered = new Promise<FileReceiving>((resolve) => bob.on('file', resolve));

  const sending = alice.sendFile(new File(['content'], 'a.txt'));
  await flow();
  const received = (await offered).accept();
  void alice.send('hello');

  expect(await (await during(received))[0]!.text()).toBe('content');
  await during(sending.done);
  expect(heard).toEqual(['hello']);
  expect(channels).toHaveLength(2);
  expect(alice.open).toBe(true);
});

test('files end with the connection that carried them', async () => {
  const { alice, bob } = await pair();
  const offered = new Promise<FileReceiving>((resolve) => bob.on('file', resolve));
  const sending = alice.sendFile(new File(['content'], 'a.txt'));
  await flow();
  await offered;

  alice.close();

  expect(sending.lost).toBe(true);
  sending.cancel();
  (await offered).cancel();
});

test('a page that does not know channels of files has the whole connection for them', async () => {
  const { alice, bob } = await pair({}, { remote: MODERN });
  const offered = new Promise<FileReceiving>((resolve) => bob.on('file', resolve));

  const sending = alice.sendFile([new File(['one'], 'a.txt'), new File(['two'], 'b.txt')]);
  await flow();
  const received = (await offered).accept();

  expect((await during(received)).map(({ name }) => name)).toEqual(['a.txt', 'b.txt']);
  await during(sending.done);
  await flow();
  expect(channels).toHaveLength(1);
  expect([alice.closed, bob.closed]).toEqual([true, true]);
});

test('who does not listen for files gets what was said, as with PeerJS', async () => {
  const { alice, heard } = await pair({}, { remote: MODERN });
  void alice.send({ type: 'offer', files: [{ name: 'a', size: 1 }] });
  await flow();
  expect(heard).toEqual([{ type: 'offer', files: [{ name: 'a', size: 1 }] }]);
});

test('files do not go where there are no bytes', async () => {
  const { alice } = await pair({ serialization: 'json' }, { remote: MODERN });
  expect(() => alice.sendFile(new File(['x'], 'x'))).toThrow(/'binary'/);
});

function caller(options: PeerConnectOption): { connection: DataConnection; sent: Frame[] } {
  const sent: Frame[] = [];
  const connection = new DataConnection(context(sent), { peer: 'bob', ...options }, options);
  connection.begin();
  return { connection, sent };
}

async function pair(options: PeerConnectOption = {}, { remote = OURS, opened = true } = {}) {
  const { connection: alice, sent } = caller(options);
  await vi.waitFor(() => expect(sent.some(({ type }) => type === 'OFFER')).toBe(true));
  const payload = sent.find(({ type }) => type === 'OFFER')!.payload as Record<string, unknown>;
  const bob = new DataConnection(context([]), { peer: 'alice', offer: parseOffer(payload)! });
  bob.begin();
  for (const end of [alice, bob]) end.remote = remote;
  const heard: unknown[] = [];
  bob.on('data', (value) => heard.push(value));
  tell(channels[0]![1]);
  if (opened) for (const end of channels[0]!) end.open();
  return { alice, bob, heard, offer: payload };
}

function context(sent: Frame[]): ConnectionContext {
  const line = {
    id: 'me',
    send: (frame: Frame): unknown => sent.push(frame),
    rtcConfiguration: () => ({}),
    configured: async () => ({}),
    check: () => undefined,
  };
  return { line, patience: 1000, forget: () => undefined } as unknown as ConnectionContext;
}

const flow = (): Promise<void> => settle(...channels.flat());

// Reading a file takes longer than nothing moves.
async function during<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  const ended = (): unknown => (over = true);
  promise.then(ended, ended);
  while (!over) await flow();
  return promise;
}
