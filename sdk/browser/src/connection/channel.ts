// The seam between a connection and what is said on its data channel.

// Both ends of a data connection know what the other reads: from `browser` and `peerway` in OFFER and ANSWER.
export interface Remote {
  // PeerJS up to 1.4.7 and 2.0 beta, and skyway-js (docs/reference/peerjs-data.md, "legacy").
  legacy: boolean;
  // This SDK: it renegotiates, restarts ICE, and reads all that we write.
  ours: boolean;
}

// What a serializer makes of one value: messages for the channel, made one after another as there is room.
export interface Outgoing {
  messages: Iterable<string | ArrayBufferView<ArrayBuffer>> | AsyncIterable<string | ArrayBufferView<ArrayBuffer>>;
}

export interface Serializer {
  // As it is called in OFFER.
  readonly name: string;
  pack(value: unknown, remote: Remote): Outgoing;
  // One message of the channel; each complete value goes to `take`.
  unpack(message: string | ArrayBuffer, take: (value: unknown) => void): void;
  // What tells the remote that no more comes, if the form has a word for it (peerjs-data.md, "Closing").
  goodbye?(remote: Remote): Outgoing | undefined;
}
