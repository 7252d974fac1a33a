// A credential in skyway-js's form, and when to tell that it ends.

import type { PeerCredential } from '../options.js';
import { platform } from '../platform.js';

// Seconds before the end, as on the SkyWay dialect.
const WARNINGS = [300, 60];
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Credentials {
  readonly #warn: (seconds: number) => void;
  #credential: PeerCredential | undefined;
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(credential: PeerCredential | undefined, warn: (seconds: number) => void) {
    this.#warn = warn;
    if (credential) this.update(credential);
  }

  // As the server reads it.
  get text(): string | undefined {
    return this.#credential && JSON.stringify(this.#credential);
  }

  update(credential: PeerCredential): void {
    this.stop();
    this.#credential = credential;
    const end = (Number(credential.timestamp) + Number(credential.ttl)) * 1000;
    for (const seconds of WARNINGS) {
      const wait = end - seconds * 1000 - platform.now();
      if (wait > 0 && wait < LONGEST_TIMER_MS) this.#timers.push(setTimeout(() => this.#warn(seconds), wait));
    }
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
  }
}
