// A server in front of a Socket.IO server that passes everything on and writes down what goes by, as it is on the wire:
// bodies of requests and answers, WebSocket messages. It can also cut the line.

import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';

import { WebSocket, WebSocketServer } from 'ws';

const MAX_PAYLOAD = 32 * 1024 * 1024;
const told = [
  'content-type',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-headers',
];

export class Tap {
  #http = createServer((request, response) => this.#pass(request, response));
  #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_PAYLOAD });
  #open = new Set();
  #lines;
  #who;
  #target;

  // `lines`: where to write to, shared by the taps of a scene. `who`: whose line this is.
  static async start({ who, target, lines }) {
    const tap = new Tap();
    tap.#who = who;
    tap.#target = target;
    tap.#lines = lines;
    tap.#http.on('upgrade', (...upgrade) => tap.#upgrade(...upgrade));
    tap.#http.listen(0, '127.0.0.1');
    await once(tap.#http, 'listening');
    tap.port = tap.#http.address().port;
    return tap;
  }

  // Every connection is gone at once; new ones are taken.
  cut() {
    this.#write({ line: 'cut' });
    for (const socket of this.#open) socket.terminate();
    this.#http.closeAllConnections();
  }

  stop() {
    for (const socket of this.#open) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  #write(line) {
    this.#lines.push({ who: this.#who, ...line });
  }

  async #pass(request, response) {
    const { method, url, headers } = request;
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const exchange = this.#number();
    const type = headers['content-type'];
    this.#write({ exchange, ask: method, url, ...(type && { type }), ...(body.length && content(body)) });

    const onward = ask({ host: '127.0.0.1', port: this.#target, method, path: url, headers }, async (answer) => {
      const chunks = [];
      for await (const chunk of answer) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      const headers = Object.fromEntries(
        told.flatMap((name) => (answer.headers[name] ? [[name, answer.headers[name]]] : [])),
      );
      this.#write({ exchange, answer: answer.statusCode, headers, ...content(body) });
      response.writeHead(answer.statusCode, answer.headers).end(body);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    onward.end(body);
  }

  #upgrade(request, socket, head) {
    const exchange = this.#number();
    this.#sockets.handleUpgrade(request, socket, head, (near) => {
      const { url, headers } = request;
      this.#write({ exchange, socket: 'open', url });
      const far = new WebSocket(`ws://127.0.0.1:${this.#target}${url}`, {
        headers: { origin: headers.origin },
        perMessageDeflate: false,
        maxPayload: MAX_PAYLOAD,
      });
      const opened = once(far, 'open');
      near.on('message', async (data, binary) => {
        this.#write({ exchange, to: 'server', ...(binary ? hex(data) : { text: String(data) }) });
        await opened;
        far.send(data, { binary });
      });
      far.on('message', (data, binary) => {
        this.#write({ exchange, to: 'client', ...(binary ? hex(data) : { text: String(data) }) });
        near.send(data, { binary });
      });
      this.#open.add(near).add(far);
      for (const [one, other, end] of [
        [near, far, 'client'],
        [far, near, 'server'],
      ]) {
        one.on('error', () => {});
        one.on('close', (code) => {
          if (this.#open.delete(one) && this.#open.has(other))
            this.#write({ exchange, socket: 'closed', by: end, code });
          other.terminate();
        });
      }
    });
  }

  // Requests and sockets of a scene are numbered in the order in which they began.
  #number() {
    this.#lines.exchanges = (this.#lines.exchanges ?? 0) + 1;
    return this.#lines.exchanges;
  }
}

// Text if it is text.
function content(body) {
  const text = body.toString();
  const isText = Buffer.from(text).equals(body) && !/[\0\x01]/.test(text);
  return isText ? { text } : hex(body);
}

const hex = (body) => ({ hex: body.toString('hex') });
