// Pages beside the commands of the program: what the guide tells page authors to write is what runs here.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

import { Command } from '../lib/command.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';
import { freshId } from '../lib/tab.mjs';

const guide = await readFile(new URL('../../docs/guide/command-line-peers.md', import.meta.url), 'utf8');
const folders = await mkdtemp(join(tmpdir(), 'peerway-e2e-'));
after(() => rm(folders, { recursive: true }));
const newFolder = () => mkdtemp(join(folders, 'of-'));

// The lines of the guide behind a heading.
function lines(heading) {
  const [, rest] = guide.split(`${heading}\n`);
  assert.ok(rest, `the guide has "${heading}"`);
  return rest.split('```js\n')[1].split('```')[0];
}

// Runs them in the page, with what they take for given.
function runs(tab, code, id) {
  return tab.run(
    (code, id) => {
      const video = document.body.appendChild(document.createElement('video'));
      Object.assign(video, { autoplay: true, muted: true });
      Object.assign(window, { video, logged: [] });
      const console = { log: (...texts) => window.logged.push(texts.join(' ')) };
      const names = ['peer', 'id', 'file', 'stream', 'video', 'console'];
      new Function(...names, code)(e2e.peer, id, window.file, window.stream, video, console);
    },
    code,
    id,
  );
}

// Makes a file of so many bytes in the page; resolves to its digest.
function fileIn(tab, name, size) {
  return tab.run(
    async (name, size) => {
      const bytes = new Uint8Array(size);
      for (let place = 0; place < size; place += 65536) crypto.getRandomValues(bytes.subarray(place, place + 65536));
      window.file = new File([bytes], name);
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    },
    name,
    size,
  );
}

// Collects what the page saves instead of asking its user where to.
function collectDownloads(tab) {
  return tab.run(() => {
    window.saved = [];
    HTMLAnchorElement.prototype.click = async function () {
      const bytes = await (await fetch(this.href)).arrayBuffer();
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      window.saved.push({ name: this.download, size: bytes.byteLength, sha256 });
    };
  });
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

inEveryBrowser((stage) => {
  // 1.4.7 has unordered channels only.
  for (const client of ['1.5.5', '1.4.7']) {
    for (const size of [0, 1, 5_000_000]) {
      stage.test(`${client}: a page sends ${size} bytes to \`peerway receive\``, {}, async (context) => {
        const [id, folder] = [freshId('receiver'), await newFolder()];
        const name = `page-${client}-${size}.bin`;
        const receiver = command(stage, context, ['receive', folder, '--id', id]);
        await receiver.tells('link');
        const tab = await stage.tab(client);
        await tab.open();
        const digest = await fileIn(tab, name, size);

        await runs(tab, lines('### A page that sends to `peerway receive`'), id);

        await receiver.ends();
        assert.equal(sha256(await readFile(join(folder, name))), digest);
      });
    }
  }

  for (const client of ['1.5.5', '1.4.7', '0.3.14']) {
    stage.test(`${client}: a page receives files from \`peerway send\``, {}, async (context) => {
      const tab = await stage.tab(client);
      await tab.open();
      await collectDownloads(tab);
      const folder = await newFolder();
      const contents = { 'a.bin': randomBytes(5_000_000), empty: Buffer.alloc(0), 'ü.txt': Buffer.from('x') };
      const names = Object.keys(contents);
      for (const name of names) await writeFile(join(folder, name), contents[name]);

      await runs(tab, lines('### A page that receives from `peerway send --to`'));
      const sender = command(stage, context, ['send', ...names, '--to', tab.id], { cwd: folder });

      await sender.ends();
      await tab.until('the files', (count) => window.saved.length === count, names.length);
      const expected = names.map((name) => ({ name, size: contents[name].length, sha256: sha256(contents[name]) }));
      assert.deepEqual(await tab.run(() => window.saved.sort((a, b) => (a.name < b.name ? -1 : 1))), sorted(expected));
    });
  }

  stage.test('a page that gives up is told of, and tells', {}, async (context) => {
    const [tab, id, folder] = [await stage.tab('1.5.5'), freshId('receiver'), await newFolder()];
    await tab.open();
    const receiver = command(stage, context, ['receive', folder, '--id', id]);
    await receiver.tells('link');
    await tab.run((id) => {
      const connection = e2e.peer.connect(id, { reliable: true });
      connection.on('open', () => connection.send({ type: 'offer', files: [{ name: 'x', size: 9 }] }));
      connection.on('data', ({ type }) => {
        if (type === 'want') connection.send({ type: 'cancel', reason: 'interrupted', message: 'enough' });
      });
    }, id);
    await receiver.ends(4);
    await receiver.tells('the sender ended the transfer: enough');
  });

  stage.test('a page that talks nonsense is told so, and the receiver waits on', {}, async (context) => {
    const [tab, id, folder] = [await stage.tab('1.5.5'), freshId('receiver'), await newFolder()];
    await tab.open();
    const receiver = command(stage, context, ['receive', folder, '--id', id]);
    await receiver.tells('link');
    for (const [serialization, value] of [
      ['binary', 'hello'],
      ['binary', { type: 'chunk', offset: 0 }],
      ['json', 'hello'],
    ]) {
      const answer = await tab.run(
        (id, serialization, value) =>
          new Promise((resolve) => {
            const connection = e2e.peer.connect(id, { reliable: true, serialization });
            connection.on('open', () => connection.send(value));
            connection.on('data', resolve);
          }),
        ...[id, serialization, value],
      );
      assert.equal(answer.type, 'cancel');
      assert.equal(answer.reason, 'protocol');
    }
    receiver.interrupt();
    await receiver.ends(130);
  });

  for (const client of ['1.5.5', '1.4.7', '0.3.14']) {
    stage.test(`${client}: a page chats with \`peerway chat\``, {}, async (context) => {
      const id = freshId('chat');
      const chat = command(stage, context, ['chat', '--id', id]);
      await chat.tells('link');
      const tab = await stage.tab(client);
      await tab.open();
      await runs(tab, lines('## Chat'), id);
      await chat.tells(`${tab.id}: hello`, 'output');
      chat.say('grüße\n');
      await tab.until('the line', () => window.logged.includes('grüße'));
      chat.interrupt();
      await chat.ends(130);
    });
  }

  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: \`peerway call\` shows a page its test picture and records the page's`, {}, async (context) => {
      const tab = await stage.tab(client);
      await tab.open();
      await tab.run(async () => {
        e2e.peer.removeAllListeners('call');
        window.stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
      });
      await runs(tab, lines('## Calls'));
      const file = join(await newFolder(), 'call.webm');
      const args = ['--test-source', '--record', file, '--duration', '5s', '--json'];
      const call = command(stage, context, ['call', tab.id, ...args]);
      await tab.until('a moving picture', () => window.video.currentTime > 1 && window.video.videoWidth === 640);
      await call.ends();
      const events = call.output.trim().split('\n').map((line) => JSON.parse(line));
      const recorded = events.find(({ event }) => event === 'recorded');
      assert.ok(recorded.seconds > 2, call.output);
    });
  }
});

function command(stage, context, args, options) {
  const command = new Command(stage.server, args, options);
  context.after(() => command.close());
  context.after(() => context.diagnostic(command.story()));
  return command;
}

function sorted(files) {
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}
