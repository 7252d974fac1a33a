// Rooms of mode SFU with members on the command line and pages with skyway-js.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { Command } from '../lib/command.mjs';
import { BOTH } from '../lib/sfu.mjs';
import { allGetAll, inRooms } from '../lib/sfu_stage.mjs';
import { KEY } from '../lib/skyway.mjs';
import { freshId } from '../lib/tab.mjs';

inRooms((stage) => {
  stage.test('a command publishes and records, pages see and hear it', { timeout: 120_000 }, async (context) => {
    const name = freshId('room');
    const pages = await stage.enter(name, await stage.crowd(2));
    const folder = temporary(context);

    const [command, native] = join(context, name, ['--publish-test-source', '--size', '320x240@10', '--record', folder]);

    const views = await pages[0].gets([native, pages[1]]);
    await pages[1].gets([native, pages[0]]);
    const { number } = views.find(({ peer }) => peer === native.id);
    await pages[0].tab.until(
      'later numbers of the test picture',
      async (index, id, number) => (await e2e.views(index)).some((view) => view.peer === id && view.number > number + 20),
      pages[0].index,
      native.id,
      number,
    );

    const recorded = await leaves(command);
    assert.deepEqual(await pages[0].sees('peerLeave'), [native.id]);
    await allGetAll(pages);
    assert.deepEqual(recorded, pages.map(({ id }) => id).sort());
  });

  stage.test('a command comes first, says something, listens and records', { timeout: 90_000 }, async (context) => {
    const name = freshId('room');
    const [command, native] = join(context, name, ['--record', temporary(context)]);
    await command.tells('"joined"', 'output');

    const pages = await stage.enter(name, await stage.crowd(2), { kinds: ['video'] });

    await allGetAll(pages);
    // The command gets the same, and is to record more than a moment of it.
    for (const { tab, index } of pages) {
      const long = async (index) => (await e2e.views(index)).every(({ pictures }) => pictures > 25);
      await tab.until('pictures for a while', long, index);
    }
    assert.deepEqual(await pages[0].told(), [[pages[1].id, 'video']]);
    const text = await pages[0].send('text');
    await command.tells(JSON.stringify(text), 'output');
    const recorded = await leaves(command);
    assert.deepEqual(recorded, pages.map(({ id }) => id).sort());
    assert.deepEqual(await pages[1].sees('peerLeave'), [native.id]);
  });

  function join(context, name, options) {
    const id = freshId('native');
    const command = new Command(stage.server, ['room', 'join', name, '--json', '--key', KEY, '--id', id, ...options]);
    context.after(() => command.close());
    context.after(() => context.diagnostic(command.story()));
    return [command, { id, mark: 0, kinds: BOTH }];
  }
});

// Ends a command and resolves to whom it has recorded for a while.
async function leaves(command) {
  command.interrupt();
  await command.ends();
  const events = command.output.trim().split('\n').map((line) => JSON.parse(line));
  const recordings = events.filter(({ event, seconds }) => event === 'recorded' && seconds > 0.5);
  return recordings.map(({ peer }) => peer).sort();
}

function temporary(context) {
  const folder = mkdtempSync(`${tmpdir()}/peerway-e2e-`);
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
