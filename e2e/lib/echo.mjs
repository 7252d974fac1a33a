// A server whose Socket.IO clients hear what they say: crates/server/examples/socketio_echo, on the server's own
// transport.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class EchoServer {
  #process;

  // `ping`: how often clients shall ping, in milliseconds.
  static async start({ ping } = {}) {
    const server = new EchoServer();
    const args = ping === undefined ? [] : [String(ping)];
    server.#process = spawn(program(), args, { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', () => server.#process.kill('SIGKILL'));
    const failed = once(server.#process, 'exit').then(() => Promise.reject(new Error(`${program()} did not start`)));
    const [line] = await Promise.race([once(createInterface(server.#process.stdout), 'line'), failed]);
    failed.catch(() => {});
    server.port = Number(line);
    return server;
  }

  stop() {
    this.#process.kill('SIGKILL');
  }
}

function program() {
  const built = ['release', 'debug'].map((profile) =>
    fileURLToPath(new URL(`../../target/${profile}/examples/socketio_echo`, import.meta.url)),
  );
  return process.env.E2E_SOCKETIO_ECHO ?? built.find(existsSync) ?? built[0];
}
