// How far a transfer has come, and how fast, told ten times a second at most.

import { platform } from '../platform.js';
import type { FileEntry } from './messages.js';

export interface TransferProgress {
  // The file that is on its way, and how much of it is there.
  file: FileEntry;
  fileBytes: number;
  // Of all files; `size` is undefined if that of one is.
  bytes: number;
  size: number | undefined;
  // Bytes per second, lately.
  rate: number;
}

const PAUSE_MS = 100;
// The rate is that of the last so many ms.
const SPAN_MS = 3000;

export class Meter {
  #marks: { at: number; moved: number }[] = [{ at: platform.now(), moved: 0 }];
  #moved = 0;
  #told = 0;

  // Whether it is time to tell.
  move(bytes: number): boolean {
    this.#moved += bytes;
    const at = platform.now();
    if (at - this.#told < PAUSE_MS) return false;
    this.#told = at;
    this.#marks.push({ at, moved: this.#moved });
    while (this.#marks.length > 2 && at - this.#marks[0]!.at > SPAN_MS) this.#marks.shift();
    return true;
  }

  get rate(): number {
    const first = this.#marks[0]!;
    const seconds = (platform.now() - first.at) / 1000;
    return seconds > 0 ? (this.#moved - first.moved) / seconds : 0;
  }
}

export function sizeOf(files: readonly FileEntry[]): number | undefined {
  let size = 0;
  for (const file of files) {
    if (file.size === undefined) return undefined;
    size += file.size;
  }
  return size;
}
