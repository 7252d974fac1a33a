// What this member sends: one stream without a name, and a few that have one.

import { PeerError } from '../errors.js';
import type { PublishOptions } from './types.js';

export const MOST_NAMED = 3;
export const LONGEST_NAME = 64;

export interface Publication {
  readonly name: string;
  stream: MediaStream;
  options: PublishOptions;
}

export class Publications {
  readonly #all = new Map<string, Publication>();

  // The one without a name is called ''.
  find(name = ''): Publication | undefined {
    return this.#all.get(name);
  }

  named(): Publication[] {
    return [...this.#all.values()].filter(({ name }) => name);
  }

  set(stream: MediaStream, options: PublishOptions): Publication {
    const name = options.name ?? '';
    const known = this.#all.get(name);
    if (name.length > LONGEST_NAME) {
      throw new PeerError('media', `the name of a stream has at most ${LONGEST_NAME} characters`);
    }
    if (!known && name && this.named().length >= MOST_NAMED) {
      throw new PeerError('media', `at most ${MOST_NAMED} streams have names: unpublish one first`);
    }
    const publication = known ?? { name, stream, options };
    Object.assign(publication, { stream, options });
    this.#all.set(name, publication);
    return publication;
  }

  delete(name = ''): boolean {
    return this.#all.delete(name);
  }
}
