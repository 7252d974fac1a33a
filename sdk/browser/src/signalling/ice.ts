// The ICE servers that the server gives: with OPEN, and asked for again before they expire.

import { membersOf } from '../members.js';
import { platform } from '../platform.js';

const ASK_MS = 4000;
// Of their life.
const FRESH = 0.75;

export interface IceOptions {
  config: RTCConfiguration;
  turn: boolean;
  // Asks the server.
  ask(signal: AbortSignal): Promise<unknown>;
}

export class IceServers {
  readonly #options: IceOptions;
  #servers: RTCIceServer[] = [];
  // A server that tells nothing in OPEN is not asked either: it is PeerServer.
  #freshUntil = Number.POSITIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: IceOptions) {
    this.#options = options;
  }

  get configuration(): RTCConfiguration {
    const { config, turn } = this.#options;
    const own = Array.isArray(config.iceServers) ? config.iceServers : [];
    const given = turn ? this.#servers : this.#servers.map(withoutTurn).filter((server) => server.urls.length > 0);
    return { ...config, iceServers: [...own, ...given] };
  }

  // What came with OPEN. False if that had none.
  take(payload: unknown): boolean {
    const { iceServers, ttl } = membersOf(payload);
    if (!Array.isArray(iceServers)) return false;
    this.#servers = iceServers.filter(isServer);
    const life = typeof ttl === 'number' && ttl > 0 ? ttl : Number.POSITIVE_INFINITY;
    this.#freshUntil = platform.now() + life * 1000 * FRESH;
    return true;
  }

  // The server may give no such thing: then there are those of the application.
  async fresh(): Promise<RTCConfiguration> {
    if (platform.now() >= this.#freshUntil) {
      this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
      await this.#asking;
    }
    return this.configuration;
  }

  async #ask(): Promise<void> {
    const answer = await this.#options.ask(AbortSignal.timeout(ASK_MS)).catch(() => undefined);
    // Not asked again for a minute.
    if (!this.take(answer)) this.#freshUntil = platform.now() + 60_000;
  }
}

function isServer(value: unknown): value is RTCIceServer {
  const urls = (value as RTCIceServer | null)?.urls;
  return typeof urls === 'string' || (Array.isArray(urls) && urls.every((url) => typeof url === 'string'));
}

function withoutTurn(server: RTCIceServer): RTCIceServer & { urls: string[] } {
  return { ...server, urls: [server.urls].flat().filter((url) => !/^turns?:/i.test(url)) };
}
