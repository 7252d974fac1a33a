// Typed events with the methods that pages know from Node, EventEmitter3 and skyway-js.

export type EventMap = Record<string, unknown[]>;
// `any`: a listener may take fewer arguments, or narrower ones in code written for other libraries.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Listener = (...values: any[]) => void;

interface Entry {
  listener: Listener;
  once: boolean;
}

// A listener that throws does not keep the others from hearing: its error is reported like any uncaught one.
export class Emitter<Events extends { [Event in keyof Events]: unknown[] }> {
  readonly #entries = new Map<keyof Events, Entry[]>();

  on<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => void): this {
    return this.#add(event, { listener, once: false });
  }

  once<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => void): this {
    return this.#add(event, { listener, once: true });
  }

  off<Event extends keyof Events>(event: Event, listener?: (...values: Events[Event]) => void): this {
    if (!listener) {
      this.#entries.delete(event);
      return this;
    }
    const entries = this.#entries.get(event) ?? [];
    this.#entries.set(
      event,
      entries.filter((entry) => entry.listener !== listener),
    );
    return this;
  }

  addListener<Event extends keyof Events>(event: Event, listener: (...values: Events[Event]) => void): this {
    return this.on(event, listener);
  }

  removeListener<Event extends keyof Events>(event: Event, listener?: (...values: Events[Event]) => void): this {
    return this.off(event, listener);
  }

  removeAllListeners<Event extends keyof Events>(event?: Event): this {
    if (event === undefined) this.#entries.clear();
    else this.#entries.delete(event);
    return this;
  }

  listeners<Event extends keyof Events>(event: Event): Listener[] {
    return (this.#entries.get(event) ?? []).map((entry) => entry.listener);
  }

  listenerCount<Event extends keyof Events>(event: Event): number {
    return this.#entries.get(event)?.length ?? 0;
  }

  // Whether anybody listened.
  emit<Event extends keyof Events>(event: Event, ...values: Events[Event]): boolean {
    const entries = this.#entries.get(event);
    if (!entries?.length) return false;
    for (const entry of [...entries]) {
      if (entry.once) this.off(event, entry.listener);
      try {
        entry.listener(...values);
      } catch (error) {
        reportError(error);
      }
    }
    return true;
  }

  #add(event: keyof Events, entry: Entry): this {
    const entries = this.#entries.get(event);
    if (entries) this.#entries.set(event, [...entries, entry]);
    else this.#entries.set(event, [entry]);
    return this;
  }
}
