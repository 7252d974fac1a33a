// What this browser can do, under the names that pages know from PeerJS and skyway-js.

import { randomToken } from './platform.js';

export interface UtilSupportsObj {
  browser: boolean;
  webRTC: boolean;
  audioVideo: boolean;
  data: boolean;
  binaryBlob: boolean;
  reliable: boolean;
}

const ID = /^[A-Za-z0-9]+(?:[ _-][A-Za-z0-9]+)*$/;

export const util = {
  browser: browserName(),
  browserVersion: Number(/(?:Chrome|Firefox|Version)\/(\d+)/.exec(agent())?.[1] ?? 0),
  supports: supports(),
  noop(): void {},
  // Whether PeerJS would take it for an id.
  validateId: (id: string): boolean => !id || ID.test(id),
  randomToken: (): string => randomToken(),
  isSecure: (): boolean => globalThis.location?.protocol === 'https:',
};

function supports(): UtilSupportsObj {
  const webRTC = typeof RTCPeerConnection === 'function';
  const data = webRTC && 'createDataChannel' in RTCPeerConnection.prototype;
  return {
    browser: webRTC,
    webRTC,
    audioVideo: webRTC && 'addTrack' in RTCPeerConnection.prototype,
    data,
    binaryBlob: data,
    reliable: data,
  };
}

function browserName(): string {
  const text = agent();
  if (!text) return 'Not a browser.';
  if (/Firefox\//.test(text)) return 'firefox';
  if (/Edge\//.test(text)) return 'edge';
  if (/Chrom(e|ium)\//.test(text)) return 'chrome';
  if (/Safari\//.test(text)) return 'safari';
  return 'Not a supported browser.';
}

function agent(): string {
  return globalThis.navigator?.userAgent ?? '';
}
