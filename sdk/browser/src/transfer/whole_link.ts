// A data connection as the way of one transfer, for remotes that know no channels of transfers: `peerway` on the command
// line, and pages with PeerJS.

import type { FileHost } from '../connection/files.js';
import { PeerError } from '../errors.js';
import type { Link } from './link.js';

const CARRY_BYTES = ['binary', 'binary-utf8', 'MsgPack'];

export class WholeLink implements Link {
  readonly peer: string;
  readonly chunk: number;
  readonly #host: FileHost;
  #take: (message: unknown) => void = () => undefined;
  #ended: () => void = () => undefined;

  constructor(host: FileHost) {
    if (!CARRY_BYTES.includes(host.serialization)) {
      const message = `Files cannot go over a '${host.serialization}' connection; connect with serialization: 'binary'`;
      throw new PeerError('not-supported', message);
    }
    this.#host = host;
    this.peer = host.peer;
    this.chunk = host.chunk;
  }

  send(message: Record<string, unknown>): Promise<void> {
    return this.#host.send(message);
  }

  listen(take: (message: unknown) => void, ended: () => void): void {
    this.#take = take;
    this.#ended = ended;
  }

  // As the protocol has it: with the last file the connection ends.
  close(): void {
    this.#ended = () => undefined;
    this.#host.close();
  }

  receive(value: unknown): void {
    this.#take(value);
  }

  end(): void {
    this.#ended();
  }
}
