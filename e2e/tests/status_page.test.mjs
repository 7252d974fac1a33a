// What a person sees who opens the server's address in a browser.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { unlessPeerServer } from '../lib/server.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';

const shots = fileURLToPath(new URL('../shots/', import.meta.url));

inEveryBrowser((stage) => {
  stage.test(
    'the page counts the peers, itself among them, and shows how to connect',
    unlessPeerServer('PeerServer has no page'),
    async () => {
      const page = await stage.tab('1.5.5');
      await page.load(stage.server.url);

      await page.until('the page to be online', () =>
        document.querySelector('#state')?.textContent.startsWith('online as'),
      );
      const link = await page.run(() => document.querySelector('#link')?.value);
      await page.run(() => document.querySelector('#view-server-tab').click());
      const peers = await page.until('itself in #peers', () => {
        const text = document.querySelector('#peers')?.textContent.trim() ?? '';
        return text !== '0' && text.match(/^\d+$/)?.[0];
      });
      const snippet = await page.run(() => document.querySelector('#snippet')?.textContent);
      await mkdir(shots, { recursive: true });
      await page.page.screenshot({ path: `${shots}status-${stage.browserName}.png` });

      assert.match(link ?? '', /#peer=[a-z2-9]{4}-[a-z2-9]{4}$/);
      assert.equal(peers, '1');
      assert.match(snippet ?? '', /new Peer\(/);
      const script = await fetch(snippet.match(/src="([^"]+)"/)[1]);
      assert.equal(script.status, 200);
      assert.match(script.headers.get('content-type'), /^text\/javascript/);
    },
  );
});
