// What skyway-js has beyond PeerJS: rooms, and a record of what happened in them.

(() => {
  const rooms = []; // in order of joining: { room, events, received, streams, logs }

  async function join(name, { receiveOnly = false, mode = 'mesh' } = {}) {
    const stream = receiveOnly ? undefined : await e2e.camera({ width: 160, height: 120, frameRate: 10 });
    return record(e2e.peer.joinRoom(name, { mode, stream }));
  }

  function record(room) {
    const record = { room, events: [], received: [], streams: [], logs: [] };
    for (const event of ['open', 'close', 'peerJoin', 'peerLeave', 'error']) {
      room.on(event, (detail) => record.events.push([event, detail ?? null]));
    }
    room.on('stream', (stream) => record.streams.push({ peer: stream.peerId, id: stream.id, video: e2e.show(stream) }));
    room.on('data', async ({ src, data }) => record.received.push({ src, data: await samples.describe(data) }));
    room.on('log', (log) => record.logs.push(log));
    return rooms.push(record) - 1;
  }

  function say(index, sample) {
    const value = typeof sample === 'number' ? samples.noise(sample) : samples.values[sample];
    rooms[index].room.send(value);
    return samples.describe(value);
  }

  // Of whom so many pictures have been decoded. Those in the background of a browser are not presented.
  async function shown(index, pictures) {
    const { room, streams } = rooms[index];
    const peers = [];
    for (const { peer } of streams) {
      // The last one, because those to a peer that left and came back may still be there.
      const connection = room.connections[peer]?.at(-1);
      const { framesDecoded } = connection ? await e2e.inbound(e2e.rtcOf(connection), 'video') : {};
      if (framesDecoded >= pictures) peers.push(peer);
    }
    return peers;
  }

  const story = e2e.story;
  Object.assign(e2e, { rooms, join, record, say, shown });
  e2e.story = () => {
    const chapters = rooms.map(({ room, events, received, streams }) =>
      JSON.stringify({ room: room.name, events, received, streams: streams.map(({ peer, id }) => [peer, id]) }),
    );
    return [story(), ...chapters].join('\n');
  };
})();
