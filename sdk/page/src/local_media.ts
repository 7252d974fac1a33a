// Our camera and microphone during a call or in a room.

import { openCamera, openTrack, stop } from './media.js';

export interface Change {
  added?: MediaStreamTrack;
  removed?: MediaStreamTrack;
}

export class LocalMedia {
  #stream: MediaStream | undefined;
  readonly #changed: (change: Change) => void | Promise<void>;

  constructor(changed: (change: Change) => void | Promise<void>) {
    this.#changed = changed;
  }

  // Always the same one, with the tracks of the moment.
  get stream(): MediaStream {
    this.#stream ??= new MediaStream();
    return this.#stream;
  }

  async start(video: boolean): Promise<boolean> {
    const opened = await openCamera(video);
    if (!opened) return false;
    this.#stream = opened;
    for (const track of opened.getTracks()) this.#follow(track);
    return true;
  }

  isOn(kind: 'audio' | 'video'): boolean {
    return this.#track(kind)?.enabled === true;
  }

  // A microphone is muted; a camera is closed, so that its lamp goes out.
  async toggle(kind: 'audio' | 'video'): Promise<void> {
    const track = this.#track(kind);
    if (!track) {
      const added = await openTrack(kind);
      if (!added) return;
      this.stream.addTrack(added);
      this.#follow(added);
      await this.#changed({ added });
    } else if (kind === 'audio') {
      track.enabled = !track.enabled;
      await this.#changed({});
    } else {
      track.stop();
      await this.#remove(track);
    }
  }

  stop(): void {
    stop(this.#stream);
    this.#stream = undefined;
  }

  #track(kind: string): MediaStreamTrack | undefined {
    return this.#stream?.getTracks().find((track) => track.kind === kind);
  }

  // Pulled out, or taken away by the browser.
  #follow(track: MediaStreamTrack): void {
    track.addEventListener('ended', () => void this.#remove(track));
  }

  async #remove(removed: MediaStreamTrack): Promise<void> {
    if (!this.#stream?.getTracks().includes(removed)) return;
    this.#stream.removeTrack(removed);
    await this.#changed({ removed });
  }
}
