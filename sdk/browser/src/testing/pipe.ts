// Two ends of a data channel: what is sent waits until the test lets it through.

export class PipeChannel extends EventTarget {
  readyState: RTCDataChannelState = 'open';
  binaryType = 'blob';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  // The most that ever waited.
  mostBuffered = 0;
  readonly label: string;
  readonly protocol: string;
  other: PipeChannel | undefined;
  #waiting: (string | Uint8Array)[] = [];

  constructor(label = 'pipe', protocol = '') {
    super();
    this.label = label;
    this.protocol = protocol;
  }

  static pair(label?: string, protocol?: string): [PipeChannel, PipeChannel] {
    const [one, other] = [new PipeChannel(label, protocol), new PipeChannel(label, protocol)];
    one.other = other;
    other.other = one;
    return [one, other];
  }

  send(message: string | ArrayBufferView): void {
    if (this.readyState !== 'open') throw new DOMException('it is not open', 'InvalidStateError');
    const copy =
      typeof message === 'string'
        ? message
        : new Uint8Array(message.buffer, message.byteOffset, message.byteLength).slice();
    this.#waiting.push(copy);
    this.bufferedAmount += copy.length;
    this.mostBuffered = Math.max(this.mostBuffered, this.bufferedAmount);
  }

  // Lets so many messages through, and says how many there were.
  flow(most = Infinity): number {
    let count = 0;
    for (; count < most && this.#waiting.length; count++) {
      const message = this.#waiting.shift()!;
      const before = this.bufferedAmount;
      this.bufferedAmount -= message.length;
      const data = typeof message === 'string' ? message : message.buffer;
      this.other?.dispatchEvent(Object.assign(new Event('message'), { data }));
      const threshold = this.bufferedAmountLowThreshold;
      if (before > threshold && this.bufferedAmount <= threshold) this.dispatchEvent(new Event('bufferedamountlow'));
    }
    return count;
  }

  open(): void {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  close(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
    this.other?.close();
  }

  asChannel(): RTCDataChannel {
    return this as unknown as RTCDataChannel;
  }
}

// Until nothing moves any more, in either direction.
export async function settle(...channels: PipeChannel[]): Promise<void> {
  for (let quiet = 0; quiet < 5;) {
    await new Promise((resolve) => setTimeout(resolve));
    const moved = channels.reduce((sum, channel) => sum + channel.flow(), 0);
    quiet = moved ? 0 : quiet + 1;
  }
}
