// What waits for the server. Bounded: the oldest candidates go first, for there are others.

const MOST_FRAMES = 512;
const MOST_CHARACTERS = 4 * 1024 * 1024;

export class Outbox {
  #waiting: { type: string; text: string }[] = [];
  #characters = 0;

  push(type: string, text: string): void {
    this.#waiting.push({ type, text });
    this.#characters += text.length;
    while (this.#waiting.length > MOST_FRAMES || this.#characters > MOST_CHARACTERS) {
      const candidate = this.#waiting.findIndex((frame) => frame.type === 'CANDIDATE');
      const [dropped] = this.#waiting.splice(Math.max(candidate, 0), 1);
      this.#characters -= dropped?.text.length ?? 0;
    }
  }

  take(): string[] {
    const texts = this.#waiting.map((frame) => frame.text);
    this.clear();
    return texts;
  }

  clear(): void {
    this.#waiting = [];
    this.#characters = 0;
  }
}
