// The way between the two ends of a transfer, as one end sees it.

export interface Link {
  // The other peer's id.
  readonly peer: string;
  // How many bytes of a file are wise in one message.
  readonly chunk: number;
  // Resolves when it is handed over; rejects when the link has ended.
  send(message: Record<string, unknown>): Promise<void>;
  // What comes, from now on. `ended` is called once, unless we close it.
  listen(take: (message: unknown) => void, ended: () => void): void;
  // Behind what was sent.
  close(): void;
}
