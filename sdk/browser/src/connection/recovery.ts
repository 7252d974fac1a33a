// When a path that was lost is looked for again, and when it is given up.
//
//   disconnected 2 s, failed, another network  -->  restart, again every 5 s  -->  patience is over: giveUp

import { platform } from '../platform.js';

// A path is often back before this.
const FIRST_RESTART_MS = 2000;
const RESTART_MS = 5000;
// The caller's offer counts, so the callee lets it go first.
const CALLEE_LATER_MS = 1500;

const CHANGE_MS = 300;

export interface RecoveryHooks {
  restart(): void;
  giveUp(): void;
}

export class Recovery {
  readonly #hooks: RecoveryHooks;
  readonly #later: number;
  readonly #patience: number;
  #lostAt: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connected = false;
  #dueAt = 0;
  #changed = false;

  constructor(hooks: RecoveryHooks, { initiator, patience }: { initiator: boolean; patience: number }) {
    this.#hooks = hooks;
    this.#later = initiator ? 0 : CALLEE_LATER_MS;
    this.#patience = patience;
  }

  handleState(state: RTCIceConnectionState): void {
    if (state === 'connected' || state === 'completed') {
      this.stop();
      this.#connected = true;
    } else if (state === 'disconnected') {
      this.#lost(FIRST_RESTART_MS);
    } else if (state === 'failed') {
      this.#lost(0);
    }
  }

  // The old path may look alive for long; what is connected stays so until the new one is there. Such changes are told
  // several times.
  handleNetworkChange(): void {
    if (this.#lostAt === undefined && !this.#connected) return;
    this.#changed = true;
    this.#schedule(CHANGE_MS + this.#later);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lostAt = undefined;
  }

  #lost(delay: number): void {
    const known = this.#lostAt !== undefined;
    this.#lostAt ??= platform.now();
    if (!known || (delay === 0 && !this.#changed)) this.#schedule(delay + this.#later);
  }

  #schedule(delay: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = platform.now() + delay;
    this.#timer = setTimeout(() => this.#tick(), delay);
  }

  // The time in which a page slept, or was held back, does not count.
  #tick(): void {
    const changed = this.#changed;
    this.#changed = false;
    if (this.#lostAt === undefined) {
      if (changed) this.#hooks.restart();
      return;
    }
    const now = platform.now();
    this.#lostAt += Math.max(0, now - this.#dueAt);
    if (now - this.#lostAt >= FIRST_RESTART_MS + this.#patience) {
      this.stop();
      this.#hooks.giveUp();
      return;
    }
    this.#hooks.restart();
    this.#schedule(RESTART_MS);
  }
}
