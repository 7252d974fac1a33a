// Lives on a host of network.mjs and makes sockets for the test. A socket belongs to the network it was made in,
// whoever holds it.

import { connect, createServer } from 'node:net';

const PATIENCE_MS = 2000;

process.on('message', (question) => {
  // A listener that is handed over would still accept connections here.
  const answer = (error, socket) => process.send({ id: question.id, error }, socket, () => socket?.close?.());
  question.listen ? listen(answer) : dial(question.connect, answer);
});
process.send('ready');

function listen(answer) {
  const server = createServer().listen(0, () => answer(undefined, server));
}

function dial(to, answer) {
  const socket = connect(to).pause();
  const late = setTimeout(() => socket.destroy(Object.assign(new Error(), { code: 'ETIMEDOUT' })), PATIENCE_MS);
  socket.once('error', ({ code }) => {
    clearTimeout(late);
    answer(code);
  });
  socket.once('connect', () => {
    clearTimeout(late);
    answer(undefined, socket);
  });
}
