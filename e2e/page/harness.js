// The page's half of a test: one peer, and a record of everything that happened to it and its connections.

window.e2e = (() => {
  const events = []; // of the peer: [name, detail]
  const links = []; // data connections and calls in order of appearance: { connection, events, received }

  function start(id, { serializers, ...options }) {
    if (serializers) options.serializers = Object.fromEntries(serializers.map((name) => [name, window[name]]));
    const peer = id === null ? new Peer(options) : new Peer(id, options);
    api.peer = peer;
    for (const name of ['open', 'disconnected', 'close', 'expiresin', 'reconnecting', 'reconnected']) {
      peer.on(name, (detail) => events.push([name, detail ?? null]));
    }
    peer.on('error', (error) => events.push(['error', error.type, error.message]));
    peer.on('connection', (connection) => follow(connection));
    peer.on('call', async (call) => {
      follow(call);
      call.answer(await camera());
    });
  }

  const connect = (remote, options) => follow(api.peer.connect(remote, options));

  // Without a stream only the other end is to be seen, which PeerJS cannot do.
  const call = async (remote, { receiveOnly = false, ...options } = {}) =>
    follow(api.peer.call(remote, receiveOnly ? undefined : await camera(), options));

  function follow(connection) {
    const link = { connection, events: [], received: [] };
    for (const name of ['open', 'close', 'track', 'removeStream']) {
      connection.on(name, () => link.events.push([name]));
    }
    connection.on('error', (error) => link.events.push(['error', String(error.type ?? error)]));
    connection.on('iceStateChanged', (state) => link.events.push([`ice ${state}`]));
    connection.on('data', async (value) => link.received.push(await samples.describe(value)));
    connection.on('stream', (stream) => {
      link.events.push(['stream']);
      link.video = show(stream);
    });
    return links.push(link) - 1;
  }

  // By its name, or so many bytes of noise.
  function send(index, sample) {
    const value = typeof sample === 'number' ? samples.noise(sample) : samples.values[sample];
    links[index].connection.send(value);
    return samples.describe(value);
  }

  const camera = (video = true) => navigator.mediaDevices.getUserMedia({ audio: true, video });

  function show(stream) {
    const video = document.body.appendChild(document.createElement('video'));
    Object.assign(video, { srcObject: stream, autoplay: true, presented: 0 });
    const count = () => {
      video.presented += 1;
      video.requestVideoFrameCallback(count);
    };
    video.requestVideoFrameCallback(count);
    return video;
  }

  async function framesDecoded(index) {
    const { framesDecoded } = await inbound(rtcOf(links[index].connection), 'video');
    return framesDecoded ?? 0;
  }

  // What the statistics say of a track that comes in.
  async function inbound(rtc, kind) {
    const report = (await rtc?.getStats()) ?? new Map();
    return [...report.values()].find((stats) => stats.type === 'inbound-rtp' && stats.kind === kind) ?? {};
  }

  // How far a call is to be seen and heard.
  async function reception(index) {
    const { connection, video } = links[index];
    const audio = await inbound(rtcOf(connection), 'audio');
    return {
      decoded: await framesDecoded(index),
      presented: video.presented,
      size: [video.videoWidth, video.videoHeight],
      number: frameNumber(video),
      audioPackets: audio.packetsReceived ?? 0,
      audioEnergy: audio.totalAudioEnergy ?? 0,
    };
  }

  // The number of the test picture of Rust programs (crates/client/src/media/test_source), null where there is none.
  function frameNumber(video) {
    if (!video.videoWidth) return null;
    const context = new OffscreenCanvas(128, 96).getContext('2d');
    context.drawImage(video, 0, 0);
    return numberIn(context.getImageData(0, 0, 128, 96).data);
  }

  // The same of 128 by 96 pixels.
  function numberIn(pixels) {
    const white = (x, y) => pixels[((y * 16 + 8) * 128 + x * 16 + 8) * 4] > 127;
    const row = (y) => [...Array(8).keys()].reduce((byte, x) => byte * 2 + white(x, y), 0);
    const bytes = [1, 2, 3, 4].map(row);
    const sum = bytes.reduce((sum, byte) => sum ^ byte, 0b01011010);
    if (row(0) !== 0b10100101 || row(5) !== sum) return null;
    return bytes.reduce((number, byte) => number * 256 + byte, 0);
  }

  // What the path in use leads from and to, null while there is none. Firefox has no stats of transports.
  async function path(index) {
    const report = await rtcOf(links[index].connection).getStats();
    const all = [...report.values()];
    const transport = all.find((stats) => stats.type === 'transport');
    const pair = all.find((stats) => stats.id === transport?.selectedCandidatePairId || stats.selected);
    if (!pair) return null;
    const [local, remote] = [report.get(pair.localCandidateId), report.get(pair.remoteCandidateId)];
    return { local: local.candidateType, remote: remote.candidateType, relayProtocol: local.relayProtocol };
  }

  // The relay candidates that these servers give.
  async function relayCandidates(iceServers) {
    const connection = new RTCPeerConnection({ iceTransportPolicy: 'relay', iceServers });
    const candidates = [];
    connection.addEventListener('icecandidate', ({ candidate }) => candidates.push(candidate?.candidate));
    const gathered = new Promise((resolve) => {
      connection.addEventListener('icegatheringstatechange', () => {
        if (connection.iceGatheringState === 'complete') resolve();
      });
    });
    connection.createDataChannel('any');
    await connection.setLocalDescription();
    await gathered;
    connection.close();
    return candidates.filter((candidate) => candidate?.includes(' typ relay '));
  }

  const detailsOf = (events, name) => events.filter((event) => event[0] === name).map((event) => event[1]);

  // PeerJS, skyway-js since 1.4, skyway-js before.
  const rtcOf = (connection) =>
    connection.peerConnection ?? connection.getPeerConnection?.() ?? connection._negotiator?._pc;

  // PeerJS 0.3 and skyway-js say `id`, PeerJS 1.x says `connectionId`.
  const idOf = ({ connection }) => connection.connectionId ?? connection.id;

  function story() {
    const chapters = links.map((link) => `${idOf(link)}: ${JSON.stringify(link.events)}`);
    return [JSON.stringify(events), ...chapters].join('\n');
  }

  const inspection = { inbound, framesDecoded, numberIn, reception, path, relayCandidates, detailsOf, idOf, rtcOf, story };
  const api = { events, links, start, connect, call, send, camera, show, ...inspection };
  return api;
})();
