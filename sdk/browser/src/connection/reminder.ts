// Says again what nobody has answered: it was lost on a way to the server that somebody took for open.

const FIRST_MS = 4000;
const LONGEST_MS = 60_000;

export class Reminder {
  #timer: ReturnType<typeof setTimeout> | undefined;

  // Until it is stopped, and ever less often.
  start(say: () => void, delay = FIRST_MS): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.start(say, Math.min(2 * delay, LONGEST_MS));
      say();
    }, delay);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
