// What getStats tells, in the few numbers that people look at.

export interface StreamStats {
  // bit/s since the last question; 0 at the first.
  bitrate: number;
  packets: number;
  // Of those that should have come, since the beginning: 0 to 1. For what we send: as the other side tells.
  loss: number;
  // Video.
  width?: number;
  height?: number;
  framesPerSecond?: number;
  frames?: number;
}

export interface ConnectionStats {
  // By way of a TURN server. Undefined until there is a way.
  relayed: boolean | undefined;
  // `udp` or `tcp`, between us and the TURN server if there is one.
  protocol: string | undefined;
  // Milliseconds there and back.
  rtt: number | undefined;
  // bit/s of all that goes over the connection, since the last question.
  bitrateIn: number;
  bitrateOut: number;
  bytesIn: number;
  bytesOut: number;
  audioIn: StreamStats[];
  audioOut: StreamStats[];
  videoIn: StreamStats[];
  videoOut: StreamStats[];
}

// A member of an RTCStatsReport.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Entry = Record<string, any> & { id: string; type: string; timestamp: number };

// Keeps what it read, for the rates.
export class StatsReader {
  #last = new Map<string, { bytes: number; timestamp: number }>();

  async read(connection: RTCPeerConnection): Promise<ConnectionStats> {
    const report = new Map<string, Entry>();
    (await connection.getStats()).forEach((entry: Entry) => report.set(entry.id, entry));
    const seen = new Map<string, { bytes: number; timestamp: number }>();
    const rate = (name: string, bytes: number, timestamp: number): number => {
      const last = this.#last.get(name);
      seen.set(name, { bytes, timestamp });
      const seconds = last ? (timestamp - last.timestamp) / 1000 : 0;
      // Counters begin anew when the browser makes its streams anew.
      const fresh = last && bytes >= last.bytes ? bytes - last.bytes : bytes;
      return seconds > 0 ? Math.round((fresh * 8) / seconds) : 0;
    };
    const transport = [...report.values()].find((entry) => entry.type === 'transport');
    const pair = selectedPair(report, transport);
    const local = report.get(pair?.localCandidateId);
    const remote = report.get(pair?.remoteCandidateId);
    // All pairs together; Firefox has it only by pair.
    const total = transport?.bytesReceived === undefined ? pair : transport;
    const { bytesReceived: bytesIn = 0, bytesSent: bytesOut = 0, timestamp = 0 } = total ?? ({} as Partial<Entry>);
    const stats: ConnectionStats = {
      relayed: local && remote && [local, remote].some((candidate) => candidate.candidateType === 'relay'),
      protocol: local?.relayProtocol ?? local?.protocol,
      rtt: roundTrip(report, pair),
      bitrateIn: rate('in', bytesIn, timestamp),
      bitrateOut: rate('out', bytesOut, timestamp),
      bytesIn,
      bytesOut,
      audioIn: [],
      audioOut: [],
      videoIn: [],
      videoOut: [],
    };
    for (const entry of report.values()) {
      const kind: unknown = entry.kind ?? entry.mediaType;
      if (kind !== 'audio' && kind !== 'video') continue;
      if (entry.type === 'inbound-rtp') {
        const { packetsReceived: packets = 0, packetsLost: lost = 0, framesDecoded } = entry;
        const bitrate = rate(entry.id, entry.bytesReceived ?? 0, entry.timestamp);
        stats[`${kind}In`].push({ bitrate, packets, loss: share(lost, packets), ...picture(entry, framesDecoded) });
      } else if (entry.type === 'outbound-rtp') {
        const bitrate = rate(entry.id, entry.bytesSent ?? 0, entry.timestamp);
        const loss: number = report.get(entry.remoteId)?.fractionLost ?? 0;
        stats[`${kind}Out`].push({
          bitrate,
          packets: entry.packetsSent ?? 0,
          loss,
          ...picture(entry, entry.framesSent),
        });
      }
    }
    this.#last = seen;
    return stats;
  }
}

function selectedPair(report: Map<string, Entry>, transport: Entry | undefined): Entry | undefined {
  if (transport?.selectedCandidatePairId) return report.get(transport.selectedCandidatePairId);
  // Firefox marks the pair itself.
  const isUsed = (entry: Entry): boolean => entry.selected || (entry.nominated && entry.state === 'succeeded');
  return [...report.values()].find((entry) => entry.type === 'candidate-pair' && isUsed(entry));
}

// Firefox has it only of media, as the other side reports it.
function roundTrip(report: Map<string, Entry>, pair: Entry | undefined): number | undefined {
  const reported = (): Entry | undefined => [...report.values()].find((entry) => entry.roundTripTime !== undefined);
  const seconds: unknown = pair?.currentRoundTripTime ?? reported()?.roundTripTime;
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

function share(lost: number, received: number): number {
  const expected = Math.max(lost, 0) + received;
  return expected > 0 ? Math.max(lost, 0) / expected : 0;
}

function picture(entry: Entry, frames: number | undefined): Partial<StreamStats> {
  if (entry.frameWidth === undefined) return frames === undefined ? {} : { frames };
  const { frameWidth: width, frameHeight: height, framesPerSecond = 0 } = entry;
  return { width, height, framesPerSecond, frames: frames ?? 0 };
}
