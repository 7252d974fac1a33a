// Builds what is published and what the server hosts: dist/peerway.mjs (module), dist/peerway.js (script with the global
// `Peer`), dist/peerway-files.{mjs,js} (file transfers, to be loaded beside either) and dist/types. With --check nothing is written, and it fails where dist is not what the sources make.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

// Peer with rooms, as a page loads it.
const BUDGET_BYTES = 25 * 1000;

const root = new URL('.', import.meta.url).pathname;
const check = process.argv.includes('--check');

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: 'es2022',
  legalComments: 'none',
  write: !check,
};
const results = await Promise.all([
  build({ ...common, entryPoints: ['src/index.ts'], format: 'esm', outfile: 'dist/peerway.mjs' }),
  build({
    ...common,
    entryPoints: ['src/global.ts'],
    format: 'iife',
    outfile: 'dist/peerway.js',
    // A script knows where it came from by document.currentScript.
    define: { 'import.meta.url': 'undefined' },
  }),
  build({ ...common, entryPoints: ['src/transfer/index.ts'], format: 'esm', outfile: 'dist/peerway-files.mjs' }),
  build({ ...common, entryPoints: ['src/transfer/index.ts'], format: 'iife', outfile: 'dist/peerway-files.js' }),
]);

let failed = false;
for (const file of results.flatMap((result) => result.outputFiles ?? [])) {
  const committed = await readFile(file.path, 'utf8').catch(() => '');
  if (committed !== file.text) {
    console.error(`${file.path} is stale: run "npm run build --prefix sdk/browser" and commit it`);
    failed = true;
  }
}
const size = gzipSync(await readFile(new URL('dist/peerway.js', import.meta.url)), { level: 9 }).length;
console.log(`dist/peerway.js: ${size} bytes gzipped, of ${BUDGET_BYTES}`);
if (size >= BUDGET_BYTES) failed = true;
if (!check) execFileSync('npx', ['tsc', '-p', 'tsconfig.types.json'], { cwd: root, stdio: 'inherit' });
process.exitCode = failed ? 1 : 0;
