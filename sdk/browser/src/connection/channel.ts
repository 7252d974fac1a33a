// The seam between a connection and what is said on its data channel.

// Both ends of a data connection know what the other reads: from `browser` and `peerway` in OFFER and ANSWER.
export interface Remote {
  // PeerJS up to 1.4.7 and 2.0 beta, and skyway-js (docs/reference/peerjs-data.md, "legacy").
  legacy: boolean;
  // This SDK or the native one: reads all that we write.
  ours: boolean;
  // A page with this SDK: takes new offers for a connection, and further channels.
  renegotiates: boolean;
}

export type ChannelMessage = string | ArrayBufferView<ArrayBuffer>;

export interface MessageSizes {
  // Wise for what is cut and put together again.
  piece: number;
  // The most that the channel takes.
  most: number;
}

// What a serializer makes of one value: messages for the channel, made one after another as there is room.
export interface Outgoing {
  messages: Iterable<ChannelMessage> | AsyncIterable<ChannelMessage>;
  // In bytes, of what is worth counting.
  size?: number;
  // Called when not all of it could go out at once: from now on what the application does to its buffers is not seen.
  detach?(): void;
}

export interface Serializer {
  // As it is called in OFFER.
  readonly name: string;
  // Throws a PeerError where it cannot be done.
  pack(value: unknown, remote: Remote, sizes: MessageSizes): Outgoing;
  // One message of the channel; each complete value goes to `take`, and `close` is called for the remote's goodbye.
  // Throws when it is not what this serializer writes.
  unpack(message: string | ArrayBuffer, take: (value: unknown) => void, close: () => void): void;
  // What tells the remote that no more comes, if the form has a word for it (peerjs-data.md, "Closing").
  goodbye?(remote: Remote): Outgoing | undefined;
  // Whether what was read shows a remote that is older than it said (2.0 beta says nothing of itself).
  readonly sawLegacy?: boolean;
}
