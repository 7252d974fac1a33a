// What is asked of the server over HTTP.

import type { PeerOptions } from '../options.js';
import type { Endpoint } from './endpoint.js';

export class Directory {
  readonly #endpoint: Endpoint;
  readonly #options: PeerOptions;
  readonly #id: string;

  constructor(endpoint: Endpoint, options: PeerOptions, id: string) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#id = id;
  }

  async peers(): Promise<string[]> {
    const answer = await this.#fetch(`${this.#endpoint.http}${this.#key}/peers`);
    if (answer.status === 401) throw new Error('The server does not list its peers: set allow_discovery');
    if (!answer.ok) throw new Error(`The server does not list its peers (${answer.status})`);
    const peers: unknown = await answer.json();
    return Array.isArray(peers) ? peers.filter((peer) => typeof peer === 'string') : [];
  }

  async exists(peer: string): Promise<boolean> {
    const answer = await this.#fetch(
      `${this.#endpoint.root}api/apikeys/${this.#key}/peers/${encodeURIComponent(peer)}/exists`,
    );
    // Servers of PeerJS have only the list.
    if (answer.status === 404) return (await this.peers()).includes(peer);
    if (!answer.ok) throw new Error(`The server does not tell who is there (${answer.status})`);
    return ((await answer.json()) as { exists?: unknown } | null)?.exists === true;
  }

  async ice(signal: AbortSignal): Promise<unknown> {
    const { key = '', token = '' } = this.#options;
    const query = new URLSearchParams({ key, id: this.#id, token });
    const answer = await this.#fetch(`${this.#endpoint.root}v1/ice?${query}`, signal);
    return answer.ok ? answer.json() : undefined;
  }

  get #key(): string {
    return encodeURIComponent(this.#options.key ?? '');
  }

  #fetch(url: string, signal?: AbortSignal): Promise<Response> {
    const { referrerPolicy = '' } = this.#options;
    return fetch(url, { referrerPolicy, ...(signal && { signal }) });
  }
}
