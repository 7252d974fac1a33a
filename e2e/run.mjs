// Runs test files: two at a time, for most of the time they wait; those that measure it come after, one by one.
//   node run.mjs [FILE..]     all of tests/, unless told

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const MEASURING = ['native_kill', 'native_media', 'sfu_rooms', 'skyway_rooms', 'socketio_clients', 'socketio_pages'];

const here = fileURLToPath(new URL('.', import.meta.url));
const all = readdirSync(`${here}tests`).filter((name) => name.endsWith('.test.mjs'));
const files = process.argv.length > 2 ? process.argv.slice(2) : all.map((name) => `${here}tests/${name}`);
const measures = (file) => MEASURING.includes(basename(file, '.test.mjs'));

await run(2, files.filter((file) => !measures(file)));
await run(1, files.filter(measures));

async function run(concurrency, files) {
  if (!files.length) return;
  const options = ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`];
  const runner = spawn(process.execPath, [...options, ...files], { stdio: 'inherit' });
  const [code] = await once(runner, 'exit');
  if (code !== 0) process.exitCode = 1;
}
