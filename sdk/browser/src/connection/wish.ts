// What the callee of two pages of ours says instead of an offer, so that no two offers ever meet: "make one, and with so
// many lines more, for what I want to send". Its tracks then take the lines that the caller adds (RFC 9429, 5.10).

export type Lines = Record<'audio' | 'video', number>;

export interface Wish {
  // As it was received, whatever it is.
  lines: Partial<Record<keyof Lines, unknown>>;
  // The caller's last offer that the callee has seen: one that has crossed the wish may already be what it wants.
  round: number;
}

// Of a caller that is asked for nonsense.
const MOST_LINES = 32;

// What no offer has had yet.
export function linesWithoutOffer(connection: RTCPeerConnection): Lines {
  const lines = { audio: 0, video: 0 };
  for (const { mid, direction, receiver } of connection.getTransceivers()) {
    if (mid === null && direction !== 'stopped') lines[receiver.track.kind as keyof Lines] += 1;
  }
  return lines;
}

// Those that the caller itself is about to offer serve both.
export function addLines(connection: RTCPeerConnection, wanted: Wish['lines']): void {
  const own = linesWithoutOffer(connection);
  for (const kind of ['audio', 'video'] as const) {
    for (let count = own[kind]; count < Math.min(Number(wanted[kind]), MOST_LINES); count += 1) {
      connection.addTransceiver(kind, { direction: 'recvonly' });
    }
  }
}
