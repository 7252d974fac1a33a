// One connection with the forwarding unit: fed with offers, gives answers, and tells how it is. The first two lines are ours.

import { iceUser, incomingLines, type Line, type RoomOffer } from './sfu_lines.js';
import type { PublishOptions } from './types.js';

const OWN_LINES = 2;
// After so long without any packet the path is given up, before the browser does (about 30 s).
const DISCONNECTED_MS = 5_000;
// A canvas or a screen may not know its size before its first pictures.
const MEASURE_MS = 1_500;
// Of the largest of several sizes: without a limit Chromium gives all that it may send to the middle one.
const FULL_SIZE_BITRATE = 1_700_000;
// Of so many pixels Chromium makes three sizes, or two. Of fewer it would leave out the largest ones.
const THREE_SIZES = 960 * 540;
const TWO_SIZES = 480 * 270;

export interface Received {
  line: Line;
  track: MediaStreamTrack;
}

// What is sent: at most one track of each kind.
export interface Outgoing {
  stream?: MediaStream | undefined;
  options?: PublishOptions | undefined;
}

export class SfuLink {
  readonly iceUser: string;
  readonly peerConnection: RTCPeerConnection;
  received: Received[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #measure: ReturnType<typeof setTimeout> | undefined;
  #outgoing: Outgoing = {};
  #ended = false;

  constructor(offer: RoomOffer, configuration: RTCConfiguration, told: { open(): void; lost(): void }) {
    this.iceUser = iceUser(offer.sdp);
    const rtc = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
    this.peerConnection = rtc;
    rtc.onconnectionstatechange = () => {
      clearTimeout(this.#timer);
      const state = rtc.connectionState;
      if (this.#ended) return;
      if (state === 'connected') {
        this.#measureSoon();
        told.open();
      }
      if (state === 'failed' || state === 'closed') told.lost();
      if (state === 'disconnected') this.#timer = setTimeout(told.lost, DISCONNECTED_MS);
    };
  }

  get isOpen(): boolean {
    return this.peerConnection.connectionState === 'connected';
  }

  // Resolves to the answer.
  async accept(offer: RoomOffer, outgoing: Outgoing): Promise<string> {
    const rtc = this.peerConnection;
    this.#outgoing = outgoing;
    await rtc.setRemoteDescription({ type: 'offer', sdp: offer.sdp });
    for (const transceiver of this.#own()) await send(transceiver, trackOf(outgoing, kindOf(transceiver)), outgoing);
    await rtc.setLocalDescription();
    const transceivers = new Map(rtc.getTransceivers().map((it) => [it.mid, it]));
    this.received = incomingLines(offer.sdp).flatMap((line) => {
      const track = transceivers.get(line.mid)?.receiver.track;
      return track ? [{ line, track }] : [];
    });
    return rtc.localDescription?.sdp ?? '';
  }

  // Sends other tracks from now on. Whether an offer is needed for it.
  async replace(outgoing: Outgoing): Promise<boolean> {
    this.#outgoing = outgoing;
    let isNeeded = this.#own().length < OWN_LINES;
    for (const transceiver of this.#own()) {
      const track = trackOf(outgoing, kindOf(transceiver));
      const sends = transceiver.currentDirection === 'sendonly';
      if (sends === (track !== undefined)) await send(transceiver, track, outgoing);
      else isNeeded = true;
    }
    this.#measureSoon();
    return isNeeded;
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#measure);
    this.peerConnection.close();
  }

  // Which sizes a picture is sent in depends on its own.
  #measureSoon(): void {
    clearTimeout(this.#measure);
    if (!this.#outgoing.options?.simulcast) return;
    this.#measure = setTimeout(() => {
      const [, video] = this.#own();
      const track = trackOf(this.#outgoing, 'video');
      // Another change may come between; it chooses then.
      if (track && video?.sender.track === track) send(video, track, this.#outgoing).catch(() => {});
    }, MEASURE_MS);
  }

  #own(): RTCRtpTransceiver[] {
    return this.peerConnection.getTransceivers().slice(0, OWN_LINES);
  }
}

function kindOf(transceiver: RTCRtpTransceiver): string {
  return transceiver.receiver.track.kind;
}

function trackOf({ stream }: Outgoing, kind: string): MediaStreamTrack | undefined {
  return stream?.getTracks().find((track) => track.kind === kind);
}

async function send(
  transceiver: RTCRtpTransceiver,
  track: MediaStreamTrack | undefined,
  { options }: Outgoing,
): Promise<void> {
  const { sender } = transceiver;
  transceiver.direction = track ? 'sendonly' : 'inactive';
  if (sender.track !== (track ?? null)) await sender.replaceTrack(track ?? null);
  if (track?.kind !== 'video') return;
  const parameters = sender.getParameters();
  const { encodings } = parameters;
  const isSimulcast = encodings?.length > 1;
  const { width = Infinity, height = 1 } = track.getSettings();
  const sizes = width * height >= THREE_SIZES ? 3 : width * height >= TWO_SIZES ? 2 : 1;
  encodings?.forEach((encoding, index) => {
    // The smallest come first, and the last ones of three are the ones that rest.
    const halvings = Math.max(0, Math.min(sizes, encodings.length) - 1 - index);
    const most = options?.maxBitrate ?? (isSimulcast ? FULL_SIZE_BITRATE : undefined);
    if (isSimulcast) Object.assign(encoding, { active: index < sizes, scaleResolutionDownBy: 2 ** halvings });
    if (most) encoding.maxBitrate = Math.round(most / 4 ** halvings);
    else delete encoding.maxBitrate;
  });
  if (encodings?.length) await sender.setParameters(parameters);
}
