// A stand-in for WebSocket, whose server is the test.

export class FakeSocket {
  static readonly OPEN = 1;
  // All that were made, newest last.
  static made: FakeSocket[] = [];

  readonly url: string;
  readonly sent: Record<string, unknown>[] = [];
  readyState = 0;
  closed = false;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor(url: string) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  static get last(): FakeSocket {
    const last = FakeSocket.made.at(-1);
    if (!last) throw new Error('no socket was made');
    return last;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
    this.readyState = 3;
  }

  // ---- the server ----

  open(payload?: unknown): void {
    this.readyState = FakeSocket.OPEN;
    this.say({ type: 'OPEN', payload });
  }

  say(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  end(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}
