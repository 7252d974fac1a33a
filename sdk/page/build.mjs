// Builds the page into dist/, from where the server takes it. With --check nothing is written, and it fails where dist is
// not what the sources make.

import { copyFile, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const check = process.argv.includes('--check');

// The SDK is the file that the server hosts beside the page: the page shows that it works.
const hostedSdk = {
  name: 'hosted-sdk',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^peerway$/ }, () => ({ path: './peerway.mjs', external: true }));
    onResolve({ filter: /^peerway\/files$/ }, () => ({ path: './peerway-files.mjs', external: true }));
  },
};

// The licence of what is bundled goes with it.
const notice = await readFile(new URL('src/notice.txt', import.meta.url), 'utf8');

const { outputFiles = [] } = await build({
  absWorkingDir: root,
  entryPoints: { page: 'src/main.ts' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  banner: { js: `/*\n${notice.trim()}\n*/` },
  plugins: [hostedSdk],
  write: !check,
});
const style = await build({
  absWorkingDir: root,
  entryPoints: { page: 'src/page.css' },
  outdir: 'dist',
  minify: true,
  target: 'es2022',
  write: !check,
});
const stale = [];
for (const file of [...outputFiles, ...(style.outputFiles ?? [])]) {
  if ((await readFile(file.path, 'utf8').catch(() => '')) !== file.text) stale.push(file.path);
}
for (const name of ['index.html', 'icon.svg']) {
  const [from, to] = ['src', 'dist'].map((folder) => new URL(`${folder}/${name}`, import.meta.url));
  if (!check) await copyFile(from, to);
  else if ((await readFile(from, 'utf8')) !== (await readFile(to, 'utf8').catch(() => ''))) stale.push(to.pathname);
}
for (const path of stale) console.error(`${path} is stale: run "npm run build --prefix sdk/page" and commit it`);
process.exitCode = stale.length ? 1 : 0;
