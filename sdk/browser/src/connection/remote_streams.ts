// Which streams the other side sends: each is told once, whatever its tracks do.

export interface RemoteStreamsHooks {
  added(stream: MediaStream): void;
  removed(stream: MediaStream): void;
}

export class RemoteStreams {
  readonly #hooks: RemoteStreamsHooks;
  readonly #streams = new Map<string, MediaStream>();
  // For tracks that belong to none.
  #anonymous: MediaStream | undefined;
  #listeners = new AbortController();

  constructor(hooks: RemoteStreamsHooks) {
    this.#hooks = hooks;
  }

  get first(): MediaStream | undefined {
    return this.#streams.values().next().value;
  }

  // The stream that it is part of.
  add(track: MediaStreamTrack, given: MediaStream | undefined): MediaStream {
    const stream = given ?? (this.#anonymous ??= new MediaStream());
    if (!given && !stream.getTracks().includes(track)) stream.addTrack(track);
    if (this.#streams.has(stream.id)) return stream;
    this.#streams.set(stream.id, stream);
    const { signal } = this.#listeners;
    stream.addEventListener('removetrack', () => this.#check(stream), { signal });
    this.#hooks.added(stream);
    return stream;
  }

  clear(): void {
    this.#listeners.abort();
    this.#streams.clear();
  }

  #check(stream: MediaStream): void {
    if (stream.getTracks().length > 0 || this.#streams.get(stream.id) !== stream) return;
    this.#streams.delete(stream.id);
    this.#hooks.removed(stream);
  }
}
