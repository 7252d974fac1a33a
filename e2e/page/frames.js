// A member of a room of mode SFU without any SDK: a WebSocket, the frames of docs/reference/room-frames.md, and one
// connection. To the test it looks like one of skyway-js.

(() => {
  async function enterByFrames({ server, key, id, name, mark, kinds }) {
    const stream = kinds.length ? await e2e.media(mark, kinds) : new MediaStream();
    const joinedAt = performance.now();
    const query = new URLSearchParams({ key, id, token: `token of ${id}`, version: '1.5.5' });
    const socket = new WebSocket(`${server.replace('http', 'ws')}/peerjs?${query}`);
    const say = (type, payload) => socket.send(JSON.stringify({ type, room: name, payload }));
    const rtc = new RTCPeerConnection();

    const room = { name, peerConnection: rtc, connections: {}, send: (data) => say('ROOM-DATA', data) };
    const log = { events: [], received: [], streams: [], offers: [], answers: [], seen: [] };
    const record = { room, joinedAt, mark, ...log };
    room.close = () => {
      rtc.close();
      say('ROOM-LEAVE');
      record.events.push(['close', null]);
    };

    rtc.addEventListener('track', ({ streams: [stream] }) => {
      if (record.streams.some(({ id }) => id === stream.id)) return;
      const video = e2e.show(stream);
      const peer = record.offers.at(-1).msids[stream.id];
      record.streams.push({ peer, id: stream.id, video });
      // Until all tracks of this offer are in.
      queueMicrotask(() => record.seen.push(e2e.sight(stream, peer, video)));
    });

    const heard = {
      OPEN: () => say('ROOM-JOIN', { mode: 'sfu' }),
      'ROOM-JOINED': ({ src }) => {
        record.events.push(src === id ? ['open', null] : ['peerJoin', src]);
        if (src === id) say('ROOM-GET-OFFER', {});
      },
      'ROOM-LEFT': ({ src }) => record.events.push(['peerLeave', src]),
      'ROOM-DATA': async ({ src, payload }) => record.received.push({ src, data: await samples.describe(payload) }),
      'ROOM-ERROR': ({ payload }) => record.events.push(['error', payload.type]),
      'ROOM-MEDIA-CLOSED': ({ payload }) => record.events.push(['media closed', payload.msg]),
      'ROOM-OFFER': async ({ payload: { sdp, streams } }) => {
        record.offers.push({ offer: { type: 'offer', sdp }, msids: streams });
        await rtc.setRemoteDescription({ type: 'offer', sdp });
        // The first two lines are for what this side sends.
        for (const transceiver of rtc.getTransceivers().slice(0, 2)) {
          const { sender, receiver } = transceiver;
          const track = stream.getTracks().find(({ kind }) => kind === receiver.track.kind);
          if (track && !sender.track) await sender.replaceTrack(track);
          transceiver.direction = track ? 'sendonly' : 'inactive';
        }
        await rtc.setLocalDescription();
        record.answers.push(rtc.localDescription);
        say('ROOM-ANSWER', { sdp: rtc.localDescription.sdp });
      },
    };
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === 'OPEN' || frame.room === name) heard[frame.type]?.(frame);
    });
    const heartbeat = setInterval(() => socket.send('{"type":"HEARTBEAT"}'), 5000);
    socket.addEventListener('close', () => {
      clearInterval(heartbeat);
      record.events.push(['lost', null]);
    });
    return e2e.rooms.push(record) - 1;
  }

  Object.assign(e2e, { enterByFrames });
})();
