// What our own SDK has beyond the libraries whose API it speaks.

(() => {
  // `kinds`: what it publishes; `busy`: in pictures that cost much.
  async function enter(name, mark, kinds, busy, mode, options) {
    const stream = kinds.length ? await e2e.media(mark, kinds, busy) : undefined;
    const joinedAt = performance.now();
    const room = e2e.peer.joinRoom(name, { mode, stream, ...options });
    const index = e2e.record(room);
    const record = Object.assign(e2e.rooms[index], { joinedAt, offers: [], answers: [], seen: [], mark, errors: [] });
    room.on('error', (error) => record.errors.push(['error', error.type]));
    room.on('stream', (stream) => {
      const { video } = record.streams.find(({ id }) => id === stream.id);
      record.seen.push({ ...e2e.sight(stream, stream.peerId, video), name: stream.streamName });
      tellOfTracks(stream);
    });
    room.on('removeStream', (stream) => record.events.push(['removeStream', stream.peerId]));
    room.on('activeSpeaker', (peer) => record.events.push(['activeSpeaker', peer ?? null]));
    return index;
  }

  // A browser does not tell a script of tracks that a script has added, as the SDK does when a room is back.
  function tellOfTracks(stream) {
    const known = new Set(stream.getTracks());
    const watch = setInterval(() => {
      for (const track of stream.getTracks()) {
        if (known.has(track)) continue;
        known.add(track);
        stream.dispatchEvent(new MediaStreamTrackEvent('addtrack', { track }));
      }
    }, 100);
    addEventListener('pagehide', () => clearInterval(watch));
  }

  const publishAs = async (index, name, kinds) => {
    const { room, mark } = e2e.rooms[index];
    await room.publish(await e2e.media(mark, kinds), { name });
  };

  async function publish(index, kinds) {
    const { room, mark } = e2e.rooms[index];
    room.replaceStream(await e2e.media(mark, kinds));
  }

  const ofSkyway = e2e.views;
  const views = async (index) => {
    const { seen } = e2e.rooms[index];
    return (await ofSkyway(index)).map((view, at) => ({ ...view, name: seen[at].name }));
  };

  const isOnline = () => {
    const last = e2e.events.findLast(([name]) =>
      ['open', 'reconnecting', 'reconnected', 'disconnected'].includes(name),
    );
    return last?.[0] === 'open' || last?.[0] === 'reconnected';
  };

  // A track beside those that a call already has.
  async function addTrack(index, mark, kind) {
    const stream = await e2e.media(mark, [kind]);
    const [track] = stream.getTracks();
    e2e.links[index].added = track;
    await e2e.links[index].connection.addTrack(track, stream);
  }

  // How many pictures of each track that comes in have been decoded.
  async function framesByTrack(index) {
    const rtc = e2e.rtcOf(e2e.links[index].connection);
    const lines = rtc.getTransceivers().filter(({ currentDirection, receiver }) => {
      return /recv/.test(currentDirection) && receiver.track.kind === 'video';
    });
    const counts = lines.map(async ({ mid, receiver }) => {
      const stats = [...(await receiver.getStats()).values()].find(({ type }) => type === 'inbound-rtp');
      return [mid, stats?.framesDecoded ?? 0];
    });
    return Object.fromEntries(await Promise.all(counts));
  }

  const removeTrack = (index) => e2e.links[index].connection.removeTrack(e2e.links[index].added);

  const story = e2e.story;
  e2e.story = () => {
    const lines = e2e.links.map(({ connection }) =>
      (e2e.rtcOf(connection)?.getTransceivers?.() ?? []).map(({ mid, currentDirection, sender, receiver }) =>
        [mid, receiver.track.kind, currentDirection, sender.track?.readyState, receiver.track.muted && 'muted'].join(
          ' ',
        ),
      ),
    );
    return [story(), ...lines.map((line) => line.join(', '))].join('\n');
  };

  Object.assign(e2e, { enter, publish, publishAs, views, isOnline, addTrack, removeTrack, framesByTrack });
})();
