// The line of one page to the server, which a test can cut, and which may end TLS as a reverse proxy does.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export class Cable {
  #listener;
  #ends = new Set();
  #target;
  #isDown = false;

  // `certificate`: the files of one, for TLS.
  static async to({ port }, certificate) {
    const cable = new Cable();
    cable.#target = port;
    const join = (near) => cable.#join(near);
    cable.#listener = certificate
      ? createTlsServer({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }, join)
      : createServer(join);
    cable.#listener.listen(0, '127.0.0.1');
    await once(cable.#listener, 'listening');
    cable.port = cable.#listener.address().port;
    return cable;
  }

  // Every connection breaks; new ones are taken, unless it stays `down`.
  cut({ down = false } = {}) {
    this.#isDown = down;
    for (const end of this.#ends) end.destroy();
  }

  mend() {
    this.#isDown = false;
  }

  close() {
    this.cut({ down: true });
    this.#listener.close();
  }

  #join(near) {
    if (this.#isDown) return near.destroy();
    const far = connect(this.#target, '127.0.0.1');
    for (const [end, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#ends.add(end);
      end.setNoDelay();
      end.pipe(other);
      end.on('error', () => {});
      end.on('close', () => {
        this.#ends.delete(end);
        other.destroy();
      });
    }
  }
}
