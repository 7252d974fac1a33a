// The published builds of PeerJS and SkyWay, fetched from the npm registry into .cache and read from their verified
// tarballs, and the build of our own SDK, `peerway`.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../.cache/', import.meta.url));
const ownSdk = process.env.E2E_SDK ?? fileURLToPath(new URL('../../sdk/browser/', import.meta.url));

export const OURS = 'peerway';

// `npm pack` and not `npm install`: the dependencies of peerjs 0.3.14 and skyway-js 1.1.20 include a git repository, and
// the builds need none. A bare version is one of PeerJS.
const builds = {
  '0.3.14': {
    script: 'dist/peer.js',
    integrity: 'sha512-mbHuhuyhnq5XO5Z6MZc6sZuQUWK77ZV4mWJCyCPBpICB1xriAPygO4Ts6ZHsPOcDao8RpNb+AOGzhjHnzvQsjg==',
  },
  '1.4.7': {
    script: 'dist/peerjs.js',
    integrity: 'sha512-dWE2HIGvJO0Hm8lYHJiO/5OWl8xYtGcAuU08To1HMIfhh76ULzkCS3NIQO/PZm4noO1RhaGTkQaQ6sbAss6/Tg==',
  },
  '1.5.5': {
    script: 'dist/peerjs.js',
    integrity: 'sha512-viMUCPDL6CSfOu0ZqVcFqbWRXNHIbv2lPqNbrBIjbFYrflebOjItJ4hPfhjnuUCstqciHVu9vVJ7jFqqKi/EuQ==',
  },
  '2.0.0-beta.3': {
    script: 'dist/peerjs.js',
    integrity: 'sha512-crxVb3o2JrBcSFXmtYrWgcxhVm5G36SM2jolnj50SqiADkomiDA9ITaj6VBZ6S9MIx0FSwgPjTSEEK+1HbG4Tw==',
  },
  'skyway-js-1.1.20': {
    script: 'dist/skyway.js',
    integrity: 'sha512-+dpH7PjcIPBdz+1HX5935hPfVAmD4DtvV0wqWrY/VHR/P3FfYy2CGkZ2sQQtTx3VNokGIdMdxeSMpEpomIpa/w==',
  },
  'skyway-js-1.4.0': {
    script: 'dist/skyway.js',
    integrity: 'sha512-EHmV8MX/sdwjhWjVBRMQyRcn0XDJ8OXcc+WXjjvZ8Vt57BnDuqGS8SE0ucY5A9+rR5I/FgQBRj8R9nw/uMvhwQ==',
  },
  'skyway-js-4.4.5': {
    script: 'dist/skyway.js',
    integrity: 'sha512-H/XSAsQA66+KL13w3VxplutnZ543tQzjE3rzMyY7Bgq7N0ZIGhWTq/KFSsUZr5zCEHO9E3ew4rC1Lwy8Sc+v7g==',
  },
};

export const scriptOf = (client) => (client === OURS ? 'dist/peerway.js' : builds[client].script);

export const isSkyway = (client) => client.startsWith('skyway-js-');

export async function readBuild(client, path) {
  if (client === OURS) return readFile(`${ownSdk}/${path}`);
  const tarball = await verifiedTarball(client);
  const { stdout } = await run('tar', ['-xzOf', tarball, `package/${path}`], {
    encoding: 'buffer',
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}

async function verifiedTarball(client) {
  const name = isSkyway(client) ? client : `peerjs-${client}`;
  const tarball = `${cache}${name}.tgz`;
  if (!existsSync(tarball)) await download(name, tarball);
  const digest = createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64');
  if (`sha512-${digest}` !== builds[client].integrity) {
    await rm(tarball);
    throw new Error(`${name} is not the pinned tarball: sha512-${digest}`);
  }
  return tarball;
}

// Whole or not at all: other test files may want it at the same time.
async function download(name, tarball) {
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(cache);
  try {
    const [, packageName, version] = name.match(/^(peerjs|skyway-js)-(.+)$/);
    await run('npm', ['pack', `${packageName}@${version}`, '--ignore-scripts', '--pack-destination', directory]);
    await rename(`${directory}/${name}.tgz`, tarball);
  } finally {
    await rm(directory, { recursive: true });
  }
}
