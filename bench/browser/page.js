// A page's side of a measurement, known in the page as `side`. `Peer` is peerway's or PeerJS's; the raw channel needs none.

window.side = (() => {
  const PAUSE_MS = 50;
  const PATIENCE_MS = 150_000;
  const VALUE = 1_000_000;
  const RAW_MESSAGE = 64 * 1024;
  const RAW_BUFFER = 4 * 1024 * 1024;
  let peer;
  let held;
  let raw;
  let arrival;

  async function open({ server, id }) {
    const { hostname: host, port, pathname: path } = new URL(server);
    peer = new Peer(id, { host, port: Number(port), path, debug: 0, config: { iceServers: [] } });
    peer.on('connection', (connection) => connection.on('data', (data) => arrival?.(data.byteLength)));
    await once(peer, 'open');
  }

  // From `connect` to `open`, in ms.
  async function dial({ peer: remote, count }) {
    const times = [];
    for (let i = 0; i < count; i += 1) {
      const start = performance.now();
      const connection = peer.connect(remote, { reliable: true });
      await once(connection, 'open');
      times.push(performance.now() - start);
      connection.close();
      await pause(PAUSE_MS);
    }
    return times;
  }

  async function hold({ peer: remote }) {
    held = peer.connect(remote, { reliable: true });
    await once(held, 'open');
  }

  // Resolves to how long so many bytes took, in seconds, on the clock that all pages share.
  let arrived;
  function expect({ bytes }) {
    let left = bytes;
    arrived = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`${left} bytes are missing after 150 s`)), PATIENCE_MS);
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
    held.send(value);
    return start;
  }

  // Values of 1 MB, with whatever the library has to wait for.
  async function sendValues({ bytes }) {
    const value = new Uint8Array(VALUE).fill(0x5a);
    const channel = held.dataChannel;
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
        await new Promise((resolve) => raw.addEventListener('bufferedamountlow', resolve, { once: true }));
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

  const once = (emitter, event) =>
    new Promise((resolve, reject) => {
      const patience = setTimeout(() => reject(new Error(`no "${event}" within 150 s`)), PATIENCE_MS);
      emitter.once('error', reject);
      emitter.once(event, () => {
        clearTimeout(patience);
        emitter.off('error', reject);
        resolve();
      });
    });

  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  const commands = { open, dial, hold, expect, receive, sendWhole, sendValues, sendRaw, rawOffer, rawAnswer, rawOpen };
  return { obey: ({ do: name, ...details }) => commands[name](details) };
})();
