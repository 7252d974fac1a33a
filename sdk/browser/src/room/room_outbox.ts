// What is said to a room and is not on its way yet: bounded, and in the order in which it was said, however long it takes to
// read the Blobs in it.

import { PeerError } from '../errors.js';
import { packRoomData, type RoomMessage } from './room_data.js';

const LONGEST = 256;
const LARGEST_MESSAGE = 256 * 1024;
// Of a frame, beside its payload and attachments.
const FRAME = 512;

interface Entry {
  // Once it is read.
  message?: RoomMessage;
}

export class RoomOutbox {
  readonly #largest: number;
  // There may be something to take.
  readonly #ready: () => void;
  readonly #fault: (error: unknown) => void;
  #entries: Entry[] = [];

  constructor(largest = LARGEST_MESSAGE, ready: () => void, fault: (error: unknown) => void) {
    this.#largest = largest;
    this.#ready = ready;
    this.#fault = fault;
  }

  // Throws what can be known at once; the rest is an error later.
  add(data: unknown): void {
    if (this.#entries.length >= LONGEST) {
      throw new PeerError('room_data', `${LONGEST} messages wait for the server already: send less, or later`);
    }
    let packed: RoomMessage | Promise<RoomMessage>;
    try {
      packed = packRoomData(data);
    } catch (error) {
      throw new PeerError('room_data', 'this cannot be said as JSON', error);
    }
    if (!(packed instanceof Promise)) {
      this.#entries.push({ message: this.#checked(packed) });
      return this.#ready();
    }
    const entry: Entry = {};
    this.#entries.push(entry);
    packed
      .then((message) => {
        entry.message = this.#checked(message);
      })
      .catch((error: unknown) => {
        this.#entries = this.#entries.filter((it) => it !== entry);
        this.#fault(error);
      })
      .finally(this.#ready);
  }

  // The oldest, if it is read.
  take(): RoomMessage | undefined {
    const message = this.#entries[0]?.message;
    if (message) this.#entries.shift();
    return message;
  }

  clear(): void {
    this.#entries = [];
  }

  #checked(message: RoomMessage): RoomMessage {
    const json = new TextEncoder().encode(JSON.stringify(message.payload)).length;
    const size = message.attachments.reduce((sum, part) => sum + part.length + 3, json + FRAME);
    if (size <= this.#largest) return message;
    const text = `${size} bytes are more than a room takes at once, ${this.#largest}: send a file to each member`;
    throw new PeerError('room_data', text);
  }
}
