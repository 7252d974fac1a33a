// Placeholder: helper G writes this file.

import { Connection, type ConnectionContext, type ConnectionEvents, type ConnectionInit } from './connection.js';
import type { PeerConnectOption, PeerOptions } from '../options.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions, @typescript-eslint/no-explicit-any
export type DataConnectionEvents = ConnectionEvents & { open: []; data: [data: any] };

export class DataConnection extends Connection<DataConnectionEvents> {
  readonly type = 'data' as const;
  readonly serialization: string;

  // `serializers`: those of the peer's options.
  constructor(
    context: ConnectionContext,
    init: ConnectionInit,
    options: PeerConnectOption = {},
    _serializers: PeerOptions['serializers'] = {},
  ) {
    super(context, 'dc_', init);
    this.serialization = init.offer?.serialization ?? options.serialization ?? 'binary';
  }

  override begin(): void {
    const { connection } = this.createNegotiator();
    if (!this.offer) this.handleChannel(connection.createDataChannel(this.label, { ordered: true }));
    this.negotiate();
  }

  protected override handleChannel(channel: RTCDataChannel): void {
    channel.binaryType = 'arraybuffer';
    channel.addEventListener('open', () => {
      this.markOpen();
      this.emit('open');
      this.markReady();
    });
    channel.addEventListener('close', () => this.end(false));
  }

  protected override offerMembers(): Record<string, unknown> {
    return { metadata: this.metadata, label: this.label, reliable: true, serialization: this.serialization };
  }
}
