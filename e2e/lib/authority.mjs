// A certificate authority of one test, which the browsers are made to trust the way a person would: nothing is ignored.

import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Authority {
  // What it signs is for this machine by these names and addresses.
  static async found(addresses = ['127.0.0.1'], hosts = ['localhost']) {
    const authority = new Authority();
    authority.directory = await mkdtemp(`${tmpdir()}/peerway-e2e-`);
    process.once('exit', () => rmSync(authority.directory, { recursive: true, force: true }));
    await authority.#sign('authority', ['-addext', 'keyUsage=critical,keyCertSign']);
    const names = [...hosts.map((host) => `DNS:${host}`), ...addresses.map((address) => `IP:${address}`)];
    await authority.#sign('server', [
      ...['-CA', authority.#file('authority.pem'), '-CAkey', authority.#file('authority.key')],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-addext', `subjectAltName=${names}`],
    ]);
    await Promise.all([authority.#enter(authority.nssOfHome), authority.#enter(authority.firefoxProfile)]);
    return authority;
  }

  // What has to be trusted.
  get own() {
    return this.#file('authority.pem');
  }

  // What a TLS server on this machine shows.
  get certificate() {
    return { cert: this.#file('server.pem'), key: this.#file('server.key') };
  }

  // Chromium trusts what is in the database of its user.
  get home() {
    return this.directory;
  }

  get nssOfHome() {
    return this.#file('.pki/nssdb');
  }

  get firefoxProfile() {
    return this.#file('firefox');
  }

  async close() {
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #file(name) {
    return `${this.directory}/${name}`;
  }

  async #sign(name, options) {
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=peerway test ${name}`, '-keyout', this.#file(`${name}.key`), '-out', this.#file(`${name}.pem`)],
      ...options,
    ]);
  }

  async #enter(database) {
    await mkdir(database, { recursive: true });
    await run('certutil', ['-d', `sql:${database}`, '-N', '--empty-password']);
    await run('certutil', [
      '-d',
      `sql:${database}`,
      '-A',
      '-n',
      'peerway',
      '-t',
      'C,,',
      '-i',
      this.#file('authority.pem'),
    ]);
  }
}
