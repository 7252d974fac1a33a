// A picture with a name under it; without a picture there is the name alone, and the sound.

import { el } from './dom.js';

export interface Tile {
  element: HTMLElement;
  attach(stream: MediaStream): void;
  detach(): void;
  mark(note: string | undefined): void;
}

export function tile(name: string, { mine = false, small = false } = {}): Tile {
  const video = el('video', { autoplay: true, playsinline: true, 'aria-label': name });
  // The property: the attribute is only where it begins.
  video.muted = mine;
  const note = el('span', { class: 'note' });
  const element = el(
    'figure',
    { class: `tile${small ? ' small' : ''}${mine ? ' mine' : ''}` },
    video,
    el('figcaption', {}, name, note),
  );
  let controller = new AbortController();
  let followed = new Set<MediaStreamTrack>();

  function look(stream: MediaStream): void {
    const seen = stream.getVideoTracks().some((track) => track.readyState === 'live' && !track.muted);
    element.classList.toggle('no-picture', !seen);
  }

  return {
    element,
    // Again for the same stream if tracks of our own have changed, which no event tells.
    attach(stream) {
      const isNew = video.srcObject !== stream;
      if (isNew) {
        controller.abort();
        controller = new AbortController();
        followed = new Set();
      }
      const { signal } = controller;
      const follow = (track: MediaStreamTrack): void => {
        if (followed.has(track)) return;
        followed.add(track);
        for (const event of ['mute', 'unmute', 'ended']) track.addEventListener(event, () => look(stream), { signal });
      };
      stream.getTracks().forEach(follow);
      look(stream);
      if (!isNew) return;
      stream.addEventListener(
        'addtrack',
        ({ track }) => {
          follow(track);
          look(stream);
        },
        { signal },
      );
      stream.addEventListener('removetrack', () => look(stream), { signal });
      video.srcObject = stream;
      video.play().catch(() => {
        // Sound wants a click first; the picture does not.
        video.muted = true;
        video.play().catch(() => {});
        addEventListener('pointerdown', () => (video.muted = mine), { once: true, signal });
      });
    },
    detach() {
      controller.abort();
      video.srcObject = null;
      element.remove();
    },
    mark(text) {
      note.textContent = text ? ` ${text}` : '';
      element.classList.toggle('marked', text !== undefined);
    },
  };
}
