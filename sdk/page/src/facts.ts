// What is known of a connection, as figures and as small charts of the last minute.

import { StatsReader, type ConnectionStats } from 'peerway';

import { chart } from './chart.js';
import { el, isSeen } from './dom.js';
import { bitrate } from './numbers.js';
import { texts } from './texts.js';

const INTERVAL_MS = 1000;

export interface Facts {
  element: HTMLElement;
  stop(): void;
}

// `toServer`: the other end is the server's forwarding unit.
export function facts(source: () => RTCPeerConnection[], toServer = false): Facts {
  const readers = new WeakMap<RTCPeerConnection, StatsReader>();
  const names = ['way', 'rtt', 'sent', 'received', 'loss', 'picture'] as const;
  const cells = Object.fromEntries(names.map((name) => [name, el('dd', { class: name }, texts.facts.unknown)]));
  const rates = chart(texts.facts.bitrateChart, [texts.facts.sent, texts.facts.received], bitrate, 100_000);
  const times = chart(texts.facts.rttChart, [texts.facts.rtt], texts.facts.ms, 10);
  const figures = el(
    'dl',
    { class: 'figures' },
    ...names.map((name) => el('div', {}, el('dt', {}, texts.facts[name]), cells[name])),
  );
  const element = el(
    'section',
    { class: 'card facts', 'aria-label': texts.facts.heading },
    el('h2', {}, texts.facts.heading),
    figures,
    rates.element,
    times.element,
  );

  async function look(): Promise<void> {
    // Not seen: nothing to count for.
    if (!isSeen(element)) return;
    const connections = source().filter(({ connectionState }) => connectionState !== 'closed');
    const read = await Promise.all(
      connections.map((connection) =>
        readerOf(connection)
          .read(connection)
          .catch(() => undefined),
      ),
    );
    const now = summary(read.filter((stats) => stats !== undefined));
    const unknown = texts.facts.unknown;
    const say = (name: (typeof names)[number], text: string | undefined): void => {
      if (cells[name]) cells[name].textContent = text ?? unknown;
    };
    say('way', now && wayOf(now, toServer));
    say('rtt', now?.rtt === undefined ? undefined : texts.facts.ms(now.rtt));
    say('sent', now && bitrate(now.bitrateOut));
    say('received', now && bitrate(now.bitrateIn));
    say('loss', now && texts.facts.percent(now.loss * 100));
    say('picture', now?.picture);
    rates.add([now?.bitrateOut, now?.bitrateIn]);
    times.add([now?.rtt]);
  }

  function readerOf(connection: RTCPeerConnection): StatsReader {
    const reader = readers.get(connection) ?? new StatsReader();
    readers.set(connection, reader);
    return reader;
  }

  const timer = setInterval(look, INTERVAL_MS);
  return { element, stop: () => clearInterval(timer) };
}

export interface Summary {
  relayed: boolean | undefined;
  protocol: string | undefined;
  rtt: number | undefined;
  bitrateIn: number;
  bitrateOut: number;
  // 0 to 1, of what we receive.
  loss: number;
  picture: string | undefined;
}

// Of several connections with the same other side: sums, the slowest way, the largest picture.
export function summary(all: ConnectionStats[]): Summary | undefined {
  const ways = all.filter(({ relayed }) => relayed !== undefined);
  if (ways.length === 0) return undefined;
  const times = ways.flatMap(({ rtt }) => rtt ?? []);
  const streams = all.flatMap(({ audioIn, videoIn }) => [...audioIn, ...videoIn]);
  const packets = streams.reduce((total, stream) => total + stream.packets, 0);
  const lost = streams.reduce(
    (total, { loss, packets: count }) => total + (loss < 1 ? (count * loss) / (1 - loss) : 0),
    0,
  );
  const pictures = all.flatMap(({ videoIn, videoOut }) => (videoIn.some(({ width }) => width) ? videoIn : videoOut));
  const largest = pictures.filter(({ width }) => width).sort((one, other) => (other.width ?? 0) - (one.width ?? 0))[0];
  return {
    relayed: ways.some(({ relayed }) => relayed),
    protocol: ways[0]?.protocol,
    rtt: times.length ? Math.max(...times) : undefined,
    bitrateIn: all.reduce((total, stats) => total + stats.bitrateIn, 0),
    bitrateOut: all.reduce((total, stats) => total + stats.bitrateOut, 0),
    loss: packets + lost > 0 ? lost / (packets + lost) : 0,
    picture: largest && `${largest.width} × ${largest.height}, ${Math.round(largest.framesPerSecond ?? 0)}/s`,
  };
}

function wayOf({ relayed, protocol }: Summary, toServer: boolean): string {
  const name = (protocol ?? '').toUpperCase();
  if (toServer) return texts.facts.server(name);
  return relayed ? texts.facts.relayed(name) : texts.facts.direct(name);
}
