// A page's side of a measurement, known in the page as `side`: the commands are those of peer/main.rs.

window.side = (() => {
  const options = { serialization: 'raw', reliable: true };
  const connecting = window.connecting({ options, heard: count, patience: 10 });
  let transfer;
  let arrival;

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
    const held = connecting.held();
    const { dataChannel } = held;
    const message = new Uint8Array(size).fill(0x5a);
    dataChannel.bufferedAmountLowThreshold = buffer / 2;
    for (let sent = 0; sent < bytes; sent += size) {
      if (dataChannel.bufferedAmount + size > buffer) {
        await drained(dataChannel);
      }
      held.send(message);
    }
  }

  const commands = { ...connecting.commands, expect, receive, send };
  return { obey: ({ do: name, ...details }) => commands[name](details) };
})();
