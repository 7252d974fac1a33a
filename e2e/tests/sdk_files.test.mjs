// Files between pages with our SDK, and between them and the commands of the program.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { Command } from '../lib/command.mjs';
import { sendFiles, sha256, takeFiles, Transfer, Watch } from '../lib/sdk_files.mjs';
import { inOneBrowser, OURS, withSdk, withSdkInEveryBrowser } from '../lib/sdk_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
import { connected, freshId } from '../lib/tab.mjs';

const MB = 1024 * 1024;
const folder = await mkdtemp(join(tmpdir(), 'peerway-e2e-'));
after(() => rm(folder, { recursive: true }));

async function file(name, size) {
  const bytes = randomBytes(size);
  const path = join(folder, name);
  await writeFile(path, bytes);
  return { path, name, bytes: size, sha256: sha256(bytes) };
}

const facts = ({ name, bytes, sha256 }) => ({ name, bytes, sha256 });

withSdkInEveryBrowser((stage) => {
  stage.test('files of all sizes arrive whole, with progress at both sides', {}, async () => {
    const [outbound, inbound] = await connected(...(await stage.pair(OURS)), { reliable: true });
    await takeFiles(inbound);
    const files = [await file('ein Bild.png', 5 * MB + 7), await file('empty', 0), await file('日本.txt', 1)];

    const sending = await sendFiles(
      outbound,
      files.map(({ path }) => path),
    );

    await sending.sees('done');
    const receiving = new Transfer(inbound.tab);
    const saved = await receiving.saves(3);
    assert.deepEqual(byName(saved), byName(files.map(facts)));
    for (const side of [sending, receiving]) {
      const { last, progresses } = await side.story();
      assert.ok(progresses > 0 && last.bytes === 5 * MB + 8 && last.size === 5 * MB + 8, JSON.stringify(last));
    }
  });

  stage.test(
    'what is not wanted is not sent, and what is stopped ends at both sides',
    inOneBrowser(stage),
    async () => {
      const [alice, bob] = await stage.pair(OURS);
      const big = await file('big', 30 * MB);

      const [first, firstEnd] = await connected(alice, bob, { reliable: true });
      await takeFiles(firstEnd, { refuse: true });
      await (await sendFiles(first, [big.path])).sees('error');

      const [second, secondEnd] = await connected(alice, bob, { reliable: true });
      await takeFiles(secondEnd, { streamed: true, slow: 5 });
      const sending = await sendFiles(second, [big.path]);
      const receiving = new Transfer(bob, 1);
      await receiving.reaches(MB);
      await receiving.cancel();
      await sending.sees('error');
      await receiving.sees('error');
    },
  );

  stage.test('a page sends to `peerway receive`, and receives from `peerway send`', {}, async (context) => {
    const alice = await stage.tab(OURS);
    await alice.open();
    const files = [await file(`of a page ${stage.browserName}`, 3 * MB), await file('small', 1)];
    const id = freshId('receiver');
    const into = await mkdtemp(join(folder, 'into-'));
    const receiver = command(stage, context, ['receive', into, '--id', id]);
    await receiver.tells('link');
    const outbound = await alice.begin(id, { reliable: true });
    await outbound.sees('open');
    const sending = await sendFiles(
      outbound,
      files.map(({ path }) => path),
    );
    await sending.sees('done');
    await receiver.ends();
    for (const { name, sha256: expected } of files) assert.equal(sha256(await readFile(join(into, name))), expected);

    await alice.run(() => e2e.peer.on('connection', () => setTimeout(() => e2e.takeFiles(e2e.links.length - 1))));
    const sender = command(stage, context, ['send', files[0].path, '--to', alice.id]);
    await sender.ends();
    assert.deepEqual(await new Transfer(alice, 1).saves(1), [facts(files[0])]);
  });

  const patient = { ...inOneBrowser(stage), timeout: 90_000 };
  stage.test('a transfer goes on after its connection was lost', patient, async () => {
    const [alice, bob] = await stage.pair(OURS);
    const big = await file('big', 30 * MB);
    const [outbound, inbound] = await connected(alice, bob, { reliable: true });
    await takeFiles(inbound);
    const sending = await sendFiles(outbound, [big.path]);
    const receiving = new Transfer(bob);
    await receiving.reaches(3 * MB);

    await inbound.close();
    await sending.sees('lost');
    await connected(alice, bob, { reliable: true });

    await sending.sees('done', 60_000);
    assert.deepEqual(await receiving.saves(1), [facts(big)]);
    assert.ok((await receiving.events()).includes('resumed'));
  });
});

withSdk((stage) => {
  stage.test(
    '100 MB of the disk go into a stream, and no page grows by them',
    { timeout: 120_000 },
    async (context) => {
      const [outbound, inbound] = await connected(...(await stage.pair(OURS)), { reliable: true });
      await takeFiles(inbound, { streamed: true });
      // The first transfer fills the buffers.
      await (await sendFiles(outbound, [(await file('20 MB', 20 * MB)).path])).sees('done', 30_000);
      const big = await file('100 MB', 100 * MB);
      const watch = await Watch.start(stage.seats[0].browser);

      const begin = performance.now();
      const sending = await sendFiles(outbound, [big.path]);
      await sending.sees('done', 80_000);

      const seconds = (performance.now() - begin) / 1000;
      const { saved } = await new Transfer(inbound.tab, 1).story();
      assert.deepEqual(saved, [{ name: '100 MB', size: 100 * MB }]);
      const grown = watch.grown();
      context.diagnostic(`${(100 / seconds).toFixed(1)} MB/s, ${(grown / MB).toFixed(1)} MB more at most`);
      assert.ok(grown < 50 * MB, `${grown / MB} MB more`);
    },
  );
});

function command(stage, context, args) {
  const command = new Command(stage.server, [...args, '--key', KEY]);
  context.after(() => command.close());
  return command;
}

const byName = (files) => [...files].sort((one, other) => (one.name < other.name ? -1 : 1));
