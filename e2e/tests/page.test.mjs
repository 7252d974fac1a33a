// The server's page as people use it: by mouse and by keyboard, at a desk and on a phone.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

import { atThePage } from '../lib/page_stage.mjs';

const shots = fileURLToPath(new URL('../shots/', import.meta.url));
const PHONE = { width: 390, height: 844 };

atThePage((stage) => {
  // Firefox shows what may differ between browsers; the page itself is one.
  const isFull = stage.browserName === 'chromium';

  stage.test('two talk and send a file, and see how they are connected', {}, async () => {
    const [host, guest] = await stage.pairOfVisitors();
    await guest.say('hello <b>there</b>');
    await host.sees('hello <b>there</b>');
    await host.say('and back');
    await guest.sees('and back');

    const folder = await mkdtemp(`${tmpdir()}/page-`);
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
    await writeFile(`${folder}/holiday.bin`, bytes);
    await host.send(`${folder}/holiday.bin`);
    await guest.sees('Do you want it? 3.0 MB');
    await guest.press('Accept');
    await guest.sees('received, 3.0 MB');
    await host.sees('sent, 3.0 MB');
    // The SDK has compared it with what was sent.
    const saved = await guest.run(() => document.querySelector('a[download]').download);
    assert.equal(saved, 'holiday.bin');
    await rm(folder, { recursive: true });

    const way = await guest.until(
      'the way',
      () => document.querySelector('dd.way').textContent.match(/^direct, UDP$/)?.[0],
    );
    assert.equal(way, 'direct, UDP');
    await guest.until('a chart', () => document.querySelector('.chart path').getAttribute('d'));
  });

  stage.test('a call: answered, the camera off and on again, hung up', { timeout: 90_000 }, async () => {
    const [host, guest] = await stage.pairOfVisitors();
    await host.press('Video call');
    await guest.sees(`${host.id} is calling`);
    await guest.press('Answer');
    await guest.watches();
    await host.watches();

    const pictureGone = (gone) =>
      guest.until(
        `the picture ${gone ? 'to go' : 'to come'}`,
        (gone) => document.querySelector('.stage .tile:not(.mine)').classList.contains('no-picture') === gone,
        gone,
      );
    await host.press('Camera');
    await pictureGone(true);
    await host.press('Camera');
    await pictureGone(false);

    if (isFull) {
      // Firefox has no screen for a test.
      await guest.press('Share screen');
      await host.watches(2);
      await guest.press('Stop sharing');
      await host.watches(1);
    }
    await guest.press('Hang up');
    await host.sees('The call has ended.');
    await host.press('Audio call');
    await guest.press('Decline');
    await host.sees('The call was not answered.');
  });

  for (const mode of isFull ? ['mesh', 'sfu'] : ['sfu']) {
    stage.test(`a room of mode ${mode}, the second comes by its link`, { timeout: 90_000 }, async () => {
      const host = await stage.visitor();
      await host.open('room');
      await host.page.click(`input[value=${mode}]`);
      await host.press('Join with camera');
      await host.sees('You are alone here.');
      const url = await host.run(() => document.querySelector('#room-link').value);

      const guest = await stage.visitor({ url });
      await guest.press('Join with camera');
      await guest.sees('2 are here.');
      await guest.watches();
      await host.watches();
      await guest.say('hello room', '#view-room');
      await host.sees('hello room');
      if (isFull) {
        await host.press('Share screen');
        await guest.watches(2);
        await host.press('Stop sharing');
        await guest.watches(1);
      }

      await guest.press('Leave');
      await host.sees('You are alone here.');
      await host.watches(0);
    });
  }

  if (!isFull) return;

  stage.test('the page is loaded again on either side, and the talk goes on', {}, async () => {
    const [host, guest] = await stage.pairOfVisitors();
    const { id } = host;
    await host.reload();
    assert.equal(host.id, id, 'its link stays good');
    await host.sees(`${guest.id} is here`);
    await guest.say('welcome back');
    await host.sees('welcome back');

    await guest.reload();
    await guest.sees(`${id} is here`);
    await host.say('and you');
    await guest.sees('and you');
  });

  stage.test('the lines to paste say hello, from a page of another origin', {}, async () => {
    const visitor = await stage.visitor();
    const lines = await visitor.run(() => document.querySelector('#snippet').textContent);

    const other = await stage.tab('1.5.5');
    await other.run(async (lines) => {
      for (const { src, text } of new DOMParser().parseFromString(lines, 'text/html').scripts) {
        const script = document.createElement('script');
        const loaded = new Promise((resolve) => (src ? (script.onload = resolve) : resolve()));
        if (src) script.src = src;
        else script.textContent = text;
        document.head.append(script);
        await loaded;
      }
    }, lines);

    await visitor.sees('hello');
  });

  stage.test('nobody is there, and one’s own link', {}, async () => {
    const visitor = await stage.visitor({ url: `${stage.server.url}#peer=nobody` });
    await visitor.sees('Nobody is here under the id nobody');
    await visitor.run((link) => (location.href = link), await visitor.link());
    await visitor.sees('This is your own link');
  });

  stage.test(
    'by keyboard alone: connect, talk, call, hang up, join and leave a room',
    { timeout: 90_000 },
    async () => {
      const host = await stage.visitor();
      const guest = await stage.visitor();
      await guest.page.bringToFront();
      await guest.keys('Tab');
      assert.equal(await guest.focus(), 'Skip to the content');
      for (let steps = 0; (await guest.focus()) !== 'other'; steps += 1) {
        assert.ok(steps < 20, 'the field for an id comes by Tab');
        await guest.keys('Tab');
      }
      await guest.page.keyboard.type(host.id);
      await guest.keys('Enter');
      await guest.sees(`${host.id} is here`);
      await host.sees(`${guest.id} is here`);

      await guest.page.focus('.call > .bar .primary');
      await guest.keys('Enter');
      await host.page.bringToFront();
      await host.sees('is calling');
      await host.page.focus('.ring .primary');
      await host.keys('Enter');
      await host.watches();
      assert.equal(await host.focus(), 'Hang up', 'the focus goes where one looks for it');
      await host.keys('Enter');
      await host.until('the focus on a button', () => document.activeElement.tagName === 'BUTTON');

      await host.page.focus('#view-devices-tab');
      await host.keys('ArrowRight');
      assert.equal(await host.focus(), 'Room');
      await host.keys('Tab', 'Tab', 'ArrowDown');
      assert.equal(await host.run(() => document.querySelector('input[name=mode]:checked').value), 'sfu');
      await host.keys('Tab', 'Enter');
      await host.until('Leave to have the focus', () => document.activeElement.textContent === 'Leave');
      await host.keys('Enter');
      assert.equal(await host.focus(), 'room-name');
    },
  );

  for (const scheme of ['light', 'dark']) {
    stage.test(`nothing that axe-core finds serious, ${scheme}`, { timeout: 120_000 }, async () => {
      await mkdir(shots, { recursive: true });
      const [host, guest] = await stage.pairOfVisitors({
        host: { scheme, viewport: { width: 1280, height: 860 } },
        guest: { scheme, viewport: PHONE },
      });
      const look = async (visitor, what) => {
        // Only the colours differ.
        await visitor.assertAccessible(`${what}, ${scheme}`, scheme === 'dark' ? ['color-contrast'] : undefined);
        const size = visitor === host ? 'desktop' : 'phone';
        await visitor.page.screenshot({ path: `${shots}page-${what}-${size}-${scheme}.png`, fullPage: true });
        const wide = await visitor.run(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${what} on a ${size} is ${wide} px too wide`);
      };

      await host.say('hello');
      await host.press('Video call');
      await guest.sees('is calling');
      await look(guest, 'ring');
      await guest.press('Answer');
      await guest.watches();
      for (const visitor of [host, guest]) await look(visitor, 'call');
      await guest.press('Hang up');
      for (const tab of ['room', 'code', 'server']) {
        for (const visitor of [host, guest]) {
          await visitor.open(tab);
          await look(visitor, tab);
        }
      }
      await host.open('room');
      await host.press('Join with camera');
      await host.sees('You are alone here.');
      await look(host, 'stay');
      const alone = await stage.visitor({ scheme, viewport: PHONE });
      await look(alone, 'first');
    });
  }
});
