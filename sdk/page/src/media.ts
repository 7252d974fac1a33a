// Camera, microphone and screen, and plain words for all that can go wrong with them.

import { notice } from './notices.js';
import { texts } from './texts.js';

const VIDEO: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 } };

// What there is, or undefined after it was told why there is nothing.
export async function openCamera(video: boolean): Promise<MediaStream | undefined> {
  if (!navigator.mediaDevices) {
    notice(texts.media.insecure);
    return undefined;
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true, video: video && VIDEO });
  } catch (error) {
    if (nameOf(error) !== 'NotFoundError' || !video) return told(error);
    // One of the two may be there.
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true }).catch(() => undefined);
    if (sound) notice(texts.media.noCamera);
    return sound ?? navigator.mediaDevices.getUserMedia({ video: VIDEO }).catch(told);
  }
}

export async function openTrack(kind: 'audio' | 'video'): Promise<MediaStreamTrack | undefined> {
  if (!navigator.mediaDevices) {
    notice(texts.media.insecure);
    return undefined;
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: kind === 'video' ? VIDEO : true });
    return stream.getTracks()[0];
  } catch (error) {
    told(error);
    return undefined;
  }
}

export async function openScreen(): Promise<MediaStream | undefined> {
  if (!navigator.mediaDevices) {
    notice(texts.media.insecure);
    return undefined;
  }
  if (!navigator.mediaDevices.getDisplayMedia) {
    notice(texts.media.noScreen);
    return undefined;
  }
  try {
    return await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  } catch (error) {
    // Who closes the browser's own dialogue knows why nothing is shared.
    if (nameOf(error) !== 'NotAllowedError') told(error);
    return undefined;
  }
}

export function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

export function wordsFor(error: unknown): string {
  switch (nameOf(error)) {
    case 'NotAllowedError':
    case 'SecurityError':
      return texts.media.denied;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return texts.media.none;
    case 'NotReadableError':
    case 'AbortError':
      return texts.media.busy;
    default:
      return texts.media.other(error instanceof Error ? error.message : String(error));
  }
}

function told(error: unknown): undefined {
  notice(wordsFor(error));
  return undefined;
}

function nameOf(error: unknown): string {
  return (error as { name?: string } | undefined)?.name ?? '';
}
