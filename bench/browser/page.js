// A page's side of a measurement, known in the page as `side`. `Peer` is peerway's or PeerJS's; the raw channel needs none.

window.side = (() => {
  const PATIENCE = 150;
  const VALUE = 1_000_000;
  const RAW_MESSAGE = 64 * 1024;
  const RAW_BUFFER = 4 * 1024 * 1024;
  const connecting = window.connecting({
    options: { reliable: true },
    heard: (bytes) => arrival?.(bytes),
    patience: PATIENCE,
  });
  let raw;
  let arrival;

  // Resolves to how long so many bytes took, in seconds, on the clock that all pages share.
  let arrived;
  function expect({ bytes }) {
    let left = bytes;
    arrived = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`${left} bytes are missing after ${PATIENCE} s`)), PATIENCE * 1000);
      arrival = (length) => {
        left -= length;
        if (left <= 0) resolve(performance.timeOrigin + performance.now());
      };
    });
  }
  const receive = () => arrived;

  // One value of all, as an application that knows nothing of channels would send it.
  async function sendWhole({ bytes }) {
    const value = new Uint8Array(bytes).fill(0x5a);
    const start = performance.timeOrigin + performance.now();
    connecting.held().send(value);
    return start;
  }

  // Values of 1 MB, with whatever the library has to wait for.
  async function sendValues({ bytes }) {
    const value = new Uint8Array(VALUE).fill(0x5a);
    const held = connecting.held();
    const start = performance.timeOrigin + performance.now();
    for (let sent = 0; sent < bytes; sent += VALUE) {
      const result = held.send(value);
      if (side.waits) await result;
      // PeerJS: its own buffer, asked again and again, is all there is.
      else while (held.bufferSize > 100) await pause(1);
    }
    return start;
  }

  async function sendRaw({ bytes, size = RAW_MESSAGE }) {
    const message = new Uint8Array(size).fill(0x5a);
    const start = performance.timeOrigin + performance.now();
    raw.bufferedAmountLowThreshold = RAW_BUFFER / 4;
    for (let sent = 0; sent < bytes; sent += size) {
      if (raw.bufferedAmount + size > RAW_BUFFER) {
        await drained(raw);
      }
      raw.send(message);
    }
    return start;
  }

  // ---- the raw channel, described in one piece each way ----

  let connection;
  async function rawOffer() {
    connection = new RTCPeerConnection();
    listen(connection.createDataChannel('raw'));
    await connection.setLocalDescription();
    return described();
  }

  async function rawAnswer({ sdp }) {
    connection = new RTCPeerConnection();
    connection.addEventListener('datachannel', ({ channel }) => listen(channel));
    await connection.setRemoteDescription({ type: 'offer', sdp });
    await connection.setLocalDescription();
    return described();
  }

  async function rawOpen({ sdp }) {
    await connection.setRemoteDescription({ type: 'answer', sdp });
    if (raw.readyState !== 'open') await new Promise((resolve) => raw.addEventListener('open', resolve));
  }

  function listen(channel) {
    raw = channel;
    raw.binaryType = 'arraybuffer';
    raw.addEventListener('message', ({ data }) => arrival?.(data.byteLength));
  }

  async function described() {
    while (connection.iceGatheringState !== 'complete') {
      await new Promise((resolve) => connection.addEventListener('icegatheringstatechange', resolve, { once: true }));
    }
    return connection.localDescription.sdp;
  }

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  const commands = {
    ...connecting.commands,
    expect,
    receive,
    sendWhole,
    sendValues,
    sendRaw,
    rawOffer,
    rawAnswer,
    rawOpen,
  };
  return { obey: ({ do: name, ...details }) => commands[name](details) };
})();
