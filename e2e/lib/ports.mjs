// Ports of the loopback interface that nobody uses yet.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below those that Linux gives to whoever asks for any port: it could give one away before the test uses it. Above those
// that browsers refuse.
const FIRST = 20_000;
const END = 32_768;

export async function freeTcpPort() {
  for (;;) {
    const port = randomInt(FIRST, END);
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').catch(() => null);
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
