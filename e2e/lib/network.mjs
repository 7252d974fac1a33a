// Three hosts on this machine, none of which sees the network of the machine:
//
//   left 10.77.1.2 ---- 10.77.1.1 middle 10.77.2.1 ---- 10.77.2.2 right
//
// The middle forwards nothing. Each host is a network namespace without a name, so that there is nothing to remove: it
// is gone with the last process in it, and all of them end with the test, whichever way that ends.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const isRoot = process.getuid() === 0;
const porter = fileURLToPath(new URL('porter.mjs', import.meta.url));

export async function network() {
  const [left, middle, right] = [new Host('left'), new Host('middle'), new Host('right')];
  const close = () => [left, middle, right].forEach((host) => host.close());
  try {
    await middle.start();
    await Promise.all([left.start(middle), right.start(middle)]);
    await wire(left, middle, right);
  } catch (error) {
    close();
    throw error;
  }
  return { left, middle, right, close };
}

async function wire(left, middle, right) {
  for (const [host, subnet] of [
    [left, '10.77.1'],
    [right, '10.77.2'],
  ]) {
    await middle.sh(`
      ip link add ${host.name} type veth peer name wire netns ${host.pid}
      ip address add ${subnet}.1/24 dev ${host.name}
      ip link set ${host.name} up`);
    await host.sh(`
      ip address add ${subnet}.2/24 dev wire
      ip link set wire up
      ip route add default via ${subnet}.1`);
    host.address = `${subnet}.2`;
    host.addressOfMiddle = `${subnet}.1`;
  }
  await middle.sh('echo 0 > /proc/sys/net/ipv4/ip_forward');
}

// Why this machine cannot have such a network, as the reason to skip a test.
export async function whyNoNetwork() {
  try {
    (await network()).close();
    return false;
  } catch (error) {
    if (!/not permitted|not supported|ENOENT|not found|Unknown device type/i.test(error.message)) throw error;
    return `this machine allows no network namespaces: ${error.message.trim()}`;
  }
}

// A computer of its own as far as networks go.
export class Host {
  #porter;
  #answers = new Map();
  #asked = 0;
  #doors = [];

  constructor(name) {
    this.name = name;
  }

  // Without root a user namespace lends its powers; the hosts share that of the first.
  async start(neighbour) {
    const makeUser = isRoot ? [] : ['--user', '--map-root-user'];
    const command = neighbour
      ? [...neighbour.#inside('--user'), 'unshare', '--net']
      : ['unshare', ...makeUser, '--net'];
    await this.#hire([...command, process.execPath, porter]);
    await this.sh('ip link set lo up');
  }

  get pid() {
    return this.#porter.pid;
  }

  // What to put before a command so that it runs on this host and no longer than this process.
  get entry() {
    return [...this.#inside('--user', '--net'), 'setpriv', '--pdeathsig', 'KILL', '--'];
  }

  async sh(script) {
    const [command, ...args] = [...this.entry, 'sh', '-ec', script];
    return run(command, args);
  }

  // A listener on this host, to be used here.
  listen() {
    return this.#ask({ listen: true });
  }

  // A connection from this host, to be used here.
  connect(port, address = '127.0.0.1') {
    return this.#ask({ connect: { port, host: address } });
  }

  // What comes of a connection to a port on which nobody listens: word that nobody does, or silence.
  outcomeOfConnecting(address, port = 9) {
    return this.connect(port, address).then(
      () => 'connected',
      ({ code }) => code,
    );
  }

  // Makes a port of the host's loopback interface one of ours.
  async openDoor(port) {
    const door = createServer(async (near) => {
      near.on('error', () => near.destroy());
      const far = await this.connect(port).catch(() => null);
      if (!far) return near.destroy();
      far.on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    });
    this.#doors.push(door.listen(port, '127.0.0.1'));
    await once(door, 'listening');
  }

  close() {
    this.#doors.forEach((door) => door.close());
    this.#porter?.kill('SIGKILL');
  }

  #inside(...namespaces) {
    const kinds = namespaces.filter((kind) => kind !== '--user' || !isRoot);
    if (!kinds.length) return [];
    const credentials = isRoot ? [] : ['--preserve-credentials'];
    return ['nsenter', '--target', `${this.pid}`, ...kinds, ...credentials, '--'];
  }

  async #hire([command, ...args]) {
    this.#porter = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    const complaints = [];
    this.#porter.stderr.on('data', (text) => complaints.push(text));
    const ready = once(this.#porter, 'message');
    const ended = once(this.#porter, 'close').then(() => true);
    if (await Promise.race([ready.then(() => false), ended])) throw new Error(complaints.join(''));

    this.#porter.on('message', ({ id, error }, socket) => {
      const { resolve, reject } = this.#answers.get(id);
      this.#answers.delete(id);
      socket ? resolve(socket) : reject(Object.assign(new Error(error), { code: error }));
    });
  }

  #ask(question) {
    const id = (this.#asked += 1);
    this.#porter.send({ id, ...question });
    return new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
  }
}
