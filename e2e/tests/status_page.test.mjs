// What a person sees who opens the server's address in a browser.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { unlessPeerServer } from '../lib/server.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';

const shots = fileURLToPath(new URL('../shots/', import.meta.url));

inEveryBrowser((stage) => {
  stage.test(
    'the status page counts the peers and shows how to connect',
    unlessPeerServer('PeerServer has no status page'),
    async () => {
      const page = await stage.tab('1.5.5');
      await page.load(stage.server.url);

      const peers = await page.until(
        'a number in #peers',
        () => document.querySelector('#peers')?.textContent.trim().match(/^\d+$/)?.[0],
      );
      const snippet = await page.run(() => document.querySelector('#snippet')?.textContent);
      await mkdir(shots, { recursive: true });
      await page.page.screenshot({ path: `${shots}status-${stage.browserName}.png` });

      assert.equal(peers, '0');
      assert.match(snippet ?? '', /new Peer\(/);
    },
  );
});
