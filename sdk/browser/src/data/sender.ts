// What goes out over one data channel: values one after another, each in as many messages as it takes, and never more
// in the channel's own buffer than keeps it busy. It waits for `bufferedamountlow` and never asks again and again.

import type { ChannelMessage, Outgoing } from '../connection/channel.js';
import { PeerError } from '../errors.js';

// What the channel itself may hold: as much as PeerJS lets it, for pages that look at its `bufferedAmount` to know when to
// go on. Browsers end a channel that is given 16 MiB and more.
export const HIGH_WATER = 8 << 20;
const LOW_WATER = 2 << 20;

// How many values may wait behind that, and how many bytes of them.
const MAX_WAITING = 100_000;
const MAX_WAITING_BYTES = 512 << 20;

interface Job {
  outgoing: Outgoing;
  messages: Iterator<ChannelMessage> | AsyncIterator<ChannelMessage>;
  // Asked for, and not there yet.
  asked: boolean;
  // Made, and not sent yet.
  next: ChannelMessage | undefined;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Sender {
  readonly #channel: RTCDataChannel;
  readonly #jobs: Job[] = [];
  readonly #idle: (() => void)[] = [];
  #waitingBytes = 0;
  // Why it is over.
  #error: PeerError | undefined;

  constructor(channel: RTCDataChannel) {
    this.#channel = channel;
    channel.bufferedAmountLowThreshold = LOW_WATER;
    channel.addEventListener('bufferedamountlow', this.#pump);
  }

  // Values that are not handed over yet.
  get waiting(): number {
    return this.#jobs.length;
  }

  // Resolves when all of it is the channel's.
  send(outgoing: Outgoing): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    const size = outgoing.size ?? 0;
    if (this.#jobs.length && (this.#jobs.length >= MAX_WAITING || this.#waitingBytes + size > MAX_WAITING_BYTES)) {
      return Promise.reject(
        new PeerError('message-too-big', 'too much waits to be sent; wait for what send() returns'),
      );
    }
    return new Promise<void>((resolve, reject) => {
      const { messages } = outgoing;
      const iterator = Symbol.iterator in messages ? messages[Symbol.iterator]() : messages[Symbol.asyncIterator]();
      this.#waitingBytes += size;
      this.#jobs.push({ outgoing, messages: iterator, asked: false, next: undefined, resolve, reject });
      this.#pump();
      // What could not go at once must not change while it waits.
      if (this.#jobs.length) outgoing.detach?.();
    });
  }

  // Resolves when nothing waits, here or in the channel, or when it is over.
  flushed(): Promise<void> {
    if (this.#error || this.#isFlushed()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#pump();
    });
  }

  // What waits is rejected.
  stop(error: PeerError): void {
    if (this.#error) return;
    this.#error = error;
    this.#channel.removeEventListener('bufferedamountlow', this.#pump);
    for (const job of this.#jobs.splice(0)) {
      job.reject(error);
      // A Blob is not read any further.
      void job.messages.return?.();
    }
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #isFlushed(): boolean {
    return !this.#jobs.length && !this.#channel.bufferedAmount;
  }

  readonly #pump = (): void => {
    const channel = this.#channel;
    for (let job = this.#jobs[0]; job && !this.#error; job = this.#jobs[0]) {
      if (channel.bufferedAmount >= HIGH_WATER) return;
      if (job.asked) return;
      if (job.next === undefined) {
        this.#ask(job);
        if (job.asked || this.#jobs[0] !== job) continue;
      }
      const message = job.next!;
      job.next = undefined;
      try {
        // Overloads of `send`, one for each kind.
        channel.send(message as string);
      } catch (error) {
        return this.#break(job, error);
      }
    }
    if (this.#isFlushed()) for (const resolve of this.#idle.splice(0)) resolve();
    channel.bufferedAmountLowThreshold = this.#idle.length ? 0 : LOW_WATER;
  };

  #ask(job: Job): void {
    try {
      const result = job.messages.next();
      if (!(result instanceof Promise)) return this.#answer(job, result);
      job.asked = true;
      result.then(
        (answer) => {
          job.asked = false;
          if (this.#error) return;
          this.#answer(job, answer);
          this.#pump();
        },
        (error: unknown) => this.#break(job, error),
      );
    } catch (error) {
      this.#break(job, error);
    }
  }

  #answer(job: Job, result: IteratorResult<ChannelMessage>): void {
    if (!result.done) {
      job.next = result.value;
      return;
    }
    this.#jobs.shift();
    this.#waitingBytes -= job.outgoing.size ?? 0;
    job.resolve();
  }

  // Part of a value may be gone already, and the rest would be read wrong: nothing can follow.
  #break(job: Job, error: unknown): void {
    if (this.#error) return;
    this.#jobs.shift();
    const failure = new PeerError('connection-closed', 'a value could not be sent whole', error);
    job.reject(failure);
    this.stop(failure);
    this.#channel.close();
  }
}
