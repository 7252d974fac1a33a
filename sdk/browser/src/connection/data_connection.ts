// A data connection: one RTCDataChannel that carries values.

import { SERIALIZATIONS, serializerOf } from '../data/serializers.js';
import { MTU, PIECE } from '../data/pieces.js';
import { Sender } from '../data/sender.js';
import type { PeerConnectOption, PeerOptions } from '../options.js';
import type { FileReceiving } from '../transfer/receiving.js';
import type { FileSending, SendFileOptions } from '../transfer/sending.js';
import type { MessageSizes, Serializer } from './channel.js';
import { fileTransfers, type FileHost, type Sendable } from './files.js';
import { Connection, type ConnectionContext, type ConnectionEvents, type ConnectionInit } from './connection.js';

// eslint-disable-next-line @typescript-eslint/consistent-type-definitions
export type DataConnectionEvents = ConnectionEvents & {
  open: [];
  // Whatever the other side sent.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  data: [data: any];
  // The other side offers files: accept() or refuse() them.
  file: [files: FileReceiving];
};

// What is said of a piece of a file in its message.
const ENVELOPE = 300;

// Where the browser does not tell.
const LEAST_MAXIMUM = 64 << 10;

export class DataConnection extends Connection<DataConnectionEvents> {
  static readonly SERIALIZATIONS = SERIALIZATIONS;

  readonly type = 'data' as const;
  readonly serialization: string;
  readonly reliable: boolean;
  readonly dcInit: RTCDataChannelInit;
  readonly #announced: string;
  readonly #serializer: Serializer | undefined;
  #channel: RTCDataChannel | undefined;
  #sender: Sender | undefined;
  readonly #host = this.#hostOf();

  // `serializers`: those of the peer's options.
  constructor(
    context: ConnectionContext,
    init: ConnectionInit,
    options: PeerConnectOption = {},
    serializers: PeerOptions['serializers'] = {},
  ) {
    super(context, 'dc_', init);
    this.serialization = init.offer?.serialization ?? options.serialization ?? 'binary';
    this.reliable = init.offer?.reliable ?? options.reliable ?? false;
    this.dcInit = channelInit(options);
    const own = serializers[this.serialization]?.();
    this.#serializer = own ?? serializerOf(this.serialization);
    this.#announced = own ? this.serialization : (this.#serializer?.name ?? '');
  }

  // The channel itself, once there is one: PeerJS's type knows no other time.
  get dataChannel(): RTCDataChannel {
    return this.#channel as RTCDataChannel;
  }

  // Values that wait for room in the channel.
  get bufferSize(): number {
    return this.#sender?.waiting ?? 0;
  }

  // Resolves when all of the value has been handed to the browser: who sends much waits for it. What goes wrong is also
  // told by `error`, for code that does not wait. `chunked` of PeerJS is not needed.
  send(data: unknown, _chunked?: boolean): Promise<void> {
    const sent = this.#send(data);
    sent.catch(() => undefined);
    return sent;
  }

  // Offers files to the other side, which may be `peerway receive` as well. Needs `peerway/files`. Given one that was
  // lost, goes on with it.
  sendFile(files: Sendable | FileSending, options?: SendFileOptions): FileSending {
    if (!this.open) throw this.error('not-open-yet', "Wait for 'open' before sending files");
    const transfers = fileTransfers();
    if (!transfers) throw this.error('not-supported', "Load 'peerway/files' to send files");
    return transfers.send(this.#host, files, options);
  }

  // With `flush`, what was sent before arrives first.
  override close(options?: boolean | { flush?: boolean }): void {
    const flush = typeof options === 'object' && options.flush;
    if (flush && this.open) void this.#closeAfterAll();
    else super.close();
  }

  override begin(): void {
    if (!this.#serializer) {
      const name = JSON.stringify(this.serialization);
      const message = `Nobody here knows the serialization ${name}; add it to the peer's option 'serializers'`;
      // Before that nobody can listen.
      queueMicrotask(() => this.fail(this.error('not-supported', message)));
      return;
    }
    const { connection } = this.createNegotiator();
    if (!this.offer) this.handleChannel(connection.createDataChannel(this.label, this.dcInit));
    this.negotiate();
  }

  protected override handleChannel(channel: RTCDataChannel): void {
    if (this.#channel) {
      const transfers = fileTransfers();
      return transfers ? transfers.handleChannel(this.#host, channel) : channel.close();
    }
    this.#channel = channel;
    channel.binaryType = 'arraybuffer';
    this.#sender = new Sender(channel);
    channel.addEventListener('message', this.#handleMessage);
    channel.addEventListener('close', this.#handleEnd);
    channel.addEventListener('open', this.#handleOpen);
    if (channel.readyState === 'open') this.#handleOpen();
  }

  protected override offerMembers(): Record<string, unknown> {
    const { metadata, label, reliable } = this;
    return { metadata, label, reliable, serialization: this.#announced };
  }

  protected override onClosing(): void {
    this.#sender?.stop(this.error('connection-closed', 'The connection was closed'));
    this.#channel?.removeEventListener('message', this.#handleMessage);
    this.#channel?.removeEventListener('close', this.#handleEnd);
    this.#channel?.removeEventListener('open', this.#handleOpen);
    fileTransfers()?.handleClosed(this.#host);
  }

  readonly #handleOpen = (): void => {
    if (this.open || this.closed) return;
    this.markOpen();
    this.emit('open');
    this.markReady();
    fileTransfers()?.handleOpen(this.#host);
  };

  readonly #handleEnd = (): void => this.end(false);

  readonly #handleMessage = ({ data }: MessageEvent<string | ArrayBuffer>): void => {
    try {
      this.#serializer!.unpack(data, this.#take, () => this.close());
    } catch (error) {
      const message = `A message is not what '${this.serialization}' sends, and was left out`;
      this.emit('error', this.error('not-supported', message, error));
    }
  };

  readonly #take = (value: unknown): void => {
    if (!fileTransfers()?.handleValue(this.#host, value)) this.emit('data', value);
  };

  async #send(data: unknown): Promise<void> {
    try {
      if (!this.open || !this.#sender) {
        const when = this.closed
          ? ['connection-closed', 'The connection is closed']
          : ['not-open-yet', "Wait for 'open' before sending"];
        throw this.error(when[0] as 'not-open-yet', when[1]!);
      }
      await this.#sender.send(this.#serializer!.pack(data, this.remote, this.#sizes()));
    } catch (error) {
      if (!(this.closed && this.#sender)) this.emit('error', error as ReturnType<typeof this.error>);
      throw error;
    }
  }

  #hostOf(): FileHost {
    const connection = this;
    return {
      peer: this.peer,
      context: this.context,
      get serialization() {
        return connection.serialization;
      },
      get open() {
        return connection.open;
      },
      get listens() {
        return connection.listenerCount('file') > 0;
      },
      get hasChannels() {
        return connection.remote.renegotiates;
      },
      get chunk() {
        return (connection.remote.ours ? PIECE : MTU) - ENVELOPE;
      },
      channel: (label, init) => this.peerConnection.createDataChannel(label, init),
      sender: (channel) => new Sender(channel),
      serializer: () => serializerOf('binary')!,
      send: (value) => this.send(value),
      close: () => this.close({ flush: true }),
      offer: (files) => this.emit('file', files),
    };
  }

  #sizes(): MessageSizes {
    const most = this.peerConnection.sctp?.maxMessageSize || LEAST_MAXIMUM;
    return { most, piece: Math.min(most, PIECE) };
  }

  // The channel closes behind what is in it, and takes the connection with it.
  async #closeAfterAll(): Promise<void> {
    const goodbye = this.#serializer?.goodbye?.(this.remote);
    if (goodbye) this.#sender?.send(goodbye).catch(() => undefined);
    await this.#sender?.flushed();
    this.#channel?.close();
  }
}

// Ordered unless it is said otherwise, which every receiver can cope with.
function channelInit({ ordered, dcInit }: PeerConnectOption): RTCDataChannelInit {
  return { ordered: ordered ?? true, ...dcInit };
}
