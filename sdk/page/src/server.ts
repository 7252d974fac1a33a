// The fourth tab: how the server does.

import { el, isSeen, show } from './dom.js';
import { duration } from './numbers.js';
import { texts } from './texts.js';

const INTERVAL_MS = 2000;

// What `status.json` says. It is our own server's, but the page may be older or newer.
export interface Status {
  version: string;
  uptime_seconds: number;
  peers: number;
  sessions: number;
  messages: number;
  mail: number;
  // null: TURN is off.
  allocations: number | null;
  path: string;
  key: string;
  addresses?: string[];
}

export async function readStatus(): Promise<Status> {
  const answer = await fetch('status.json', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`status.json: ${answer.status}`);
  return (await answer.json()) as Status;
}

const COUNTS = ['peers', 'sessions', 'messages', 'mail', 'allocations'] as const;

export class ServerTab {
  readonly panel: HTMLElement;
  readonly #cells = Object.fromEntries(COUNTS.map((name) => [name, el('dd', { id: name }, texts.facts.unknown)]));
  readonly #up = el('p', { class: 'soft' });
  readonly #ice = el('ul', { class: 'ice' });
  #iceAsked = false;

  constructor() {
    const { server } = texts;
    const counts = COUNTS.map((name) => el('div', {}, el('dt', {}, server[name]), this.#cells[name]));
    this.panel = el(
      'section',
      { class: 'card' },
      el('h2', {}, server.heading),
      this.#up,
      el('dl', { class: 'figures' }, ...counts),
      el('h3', {}, server.ice),
      this.#ice,
      el('h3', {}, server.links),
      el(
        'ul',
        {},
        el('li', {}, el('a', { href: '/healthz' }, server.health)),
        el('li', {}, el('a', { href: '/metrics' }, server.metrics)),
      ),
    );
    setInterval(() => void this.#look(), INTERVAL_MS);
  }

  draw(status: Status): void {
    for (const name of COUNTS) {
      const cell = this.#cells[name];
      if (cell) cell.textContent = status[name]?.toLocaleString('en') ?? texts.server.off;
    }
    this.#up.textContent = `${texts.title} ${status.version}, ${texts.server.up(duration(status.uptime_seconds))}`;
    void this.#askIce(status.key);
  }

  async #look(): Promise<void> {
    if (!isSeen(this.panel)) return;
    try {
      this.draw(await readStatus());
    } catch {
      this.#up.textContent = texts.server.lost;
    }
  }

  // Once, and only for who looks at it: each answer has a fresh credential.
  async #askIce(key: string): Promise<void> {
    if (this.#iceAsked || !isSeen(this.panel)) return;
    this.#iceAsked = true;
    let urls: string[] = [];
    try {
      const answer = await fetch(`/v1/ice?key=${encodeURIComponent(key)}`);
      const { iceServers } = (await answer.json()) as { iceServers: { urls: string[] }[] };
      urls = iceServers.flatMap((server) => server.urls);
    } catch {
      // Refused, or off: it says so below.
    }
    this.#ice.replaceChildren(
      ...(urls.length ? urls : [texts.server.noIce]).map((url) => el('li', {}, el('code', {}, url))),
    );
    show(this.#ice, true);
  }
}
