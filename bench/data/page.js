// A page's side of a measurement, known in the page as `side`: the commands are those of peer/main.rs.

window.side = (() => {
  const PAUSE_MS = 50; // as in peer/main.rs
  const PATIENCE_MS = 10_000;
  const options = { serialization: 'raw', reliable: true };
  let peer;
  let held;
  let transfer;
  let arrival;

  async function open({ server, id }) {
    const { hostname: host, port, pathname: path } = new URL(server);
    peer = new Peer(id, { host, port, path, debug: 0, config: { iceServers: [] } });
    peer.on('connection', (connection) => connection.on('data', (message) => count(message.byteLength)));
    await once(peer, 'open');
  }

  // How long each took to open, in ms.
  async function dial({ peer: remote, count }) {
    const times = [];
    for (let i = 0; i < count; i += 1) {
      const start = performance.now();
      const connection = peer.connect(remote, options);
      await once(connection, 'open');
      times.push(performance.now() - start);
      connection.close();
      await pause(PAUSE_MS);
    }
    return times;
  }

  async function hold({ peer: remote }) {
    held = peer.connect(remote, options);
    await once(held, 'open');
  }

  // Begins to count so many bytes.
  function expect({ bytes }) {
    arrival = new Promise((complete) => {
      transfer = { expected: bytes, bytes: 0, complete };
    });
  }

  // Answers when they have come: what came after the first message, and in which time.
  const receive = () => arrival;

  function count(bytes) {
    if (!transfer) return;
    const { first, expected, complete } = transfer;
    if (!first) transfer.first = { at: performance.now(), bytes };
    transfer.bytes += bytes;
    if (transfer.bytes < expected) return;
    complete({
      bytes: transfer.bytes - transfer.first.bytes,
      seconds: (performance.now() - transfer.first.at) / 1000,
    });
    transfer = undefined;
  }

  // `buffer`: bytes that may wait in the channel; there is more when half of them are gone.
  async function send({ bytes, size, buffer }) {
    const { dataChannel } = held;
    const message = new Uint8Array(size).fill(0x5a);
    dataChannel.bufferedAmountLowThreshold = buffer / 2;
    for (let sent = 0; sent < bytes; sent += size) {
      if (dataChannel.bufferedAmount + size > buffer) {
        await new Promise((resolve) => dataChannel.addEventListener('bufferedamountlow', resolve, { once: true }));
      }
      held.send(message);
    }
  }

  const once = (emitter, event) =>
    new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`no "${event}" within 10 s`)), PATIENCE_MS);
      emitter.once('error', reject);
      emitter.once(event, () => {
        clearTimeout(patience);
        emitter.off('error', reject);
        resolve();
      });
    });

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  const commands = { open, dial, hold, expect, receive, send };
  return { obey: ({ do: name, ...details }) => commands[name](details) };
})();
