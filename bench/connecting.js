// What a page with a `Peer`, peerway's or PeerJS's, does whatever is measured, known in the page as `connecting`.

// `options`: of each connection. `heard`: told how many bytes came. `patience`: seconds for anything to happen.
window.connecting = ({ options, heard, patience }) => {
  const PAUSE_MS = 50; // as in data/peer/main.rs
  let peer;
  let held;

  async function open({ server, id }) {
    const { hostname: host, port, pathname: path } = new URL(server);
    peer = new Peer(id, { host, port: Number(port), path, debug: 0, config: { iceServers: [] } });
    peer.on('connection', (connection) => connection.on('data', (data) => heard(data.byteLength)));
    await once(peer, 'open');
  }

  // How long each took from `connect` to `open`, in ms.
  async function dial({ peer: remote, count }) {
    const times = [];
    for (let i = 0; i < count; i += 1) {
      const start = performance.now();
      const connection = peer.connect(remote, options);
      await once(connection, 'open');
      times.push(performance.now() - start);
      connection.close();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return times;
  }

  // One that stays, to be sent on.
  async function hold({ peer: remote }) {
    held = peer.connect(remote, options);
    await once(held, 'open');
  }

  const once = (emitter, event) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no "${event}" within ${patience} s`)), patience * 1000);
      emitter.once('error', reject);
      emitter.once(event, () => {
        clearTimeout(late);
        emitter.off('error', reject);
        resolve();
      });
    });

  return { commands: { open, dial, hold }, held: () => held };
};

// Until the channel holds less than its `bufferedAmountLowThreshold`.
window.drained = (channel) =>
  new Promise((resolve) => channel.addEventListener('bufferedamountlow', resolve, { once: true }));
