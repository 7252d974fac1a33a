// Rooms of mode SFU: what a page with skyway-js is offered in them and gets.

(() => {
  // `kinds`: what it publishes; `busy`: in pictures that cost much.
  async function enter(name, mark, kinds, busy, mode = 'sfu') {
    const stream = kinds.length ? await e2e.media(mark, kinds, busy) : undefined;
    const joinedAt = performance.now();
    const room = e2e.peer.joinRoom(name, { mode, stream });
    const index = e2e.record(room);
    const record = Object.assign(e2e.rooms[index], { joinedAt, offers: [], answers: [], seen: [], mark });
    room.on('stream', (stream) => {
      const { video } = record.streams.find(({ id }) => id === stream.id);
      record.seen.push(sight(stream, stream.peerId, video));
    });
    const heed = (message) => message.roomName === room.name && record.offers.push(message);
    e2e.peer.socket._io.on('SFU_OFFER', heed);
    room.on('close', () => e2e.peer.socket._io.off('SFU_OFFER', heed));
    room.on('answer', ({ answer }) => record.answers.push(answer));
    return index;
  }

  // A stream that has just been told.
  function sight(stream, peer, video) {
    const kinds = stream.getTracks().map(({ kind }) => kind);
    return { stream, peer, kinds: kinds.sort(), view: e2e.watch(stream, video) };
  }

  // Publishes other things from now on, as applications that know their SDK do it.
  async function publish(index, kinds) {
    const { room, mark } = e2e.rooms[index];
    room.replaceStream(await e2e.media(mark, kinds));
    room.call();
  }

  // The connection to the server, or those to the others of a mesh room.
  function rtcsOf(room) {
    const connections = Object.values(room.connections ?? {}).flat();
    return [room, ...connections].map(e2e.rtcOf).filter((rtc) => rtc);
  }

  // What there is of each stream that has been told and still has tracks that are open to be fed.
  async function views(index) {
    const { room, seen, joinedAt } = e2e.rooms[index];
    const receivers = rtcsOf(room).flatMap((rtc) => rtc.getReceivers());
    return Promise.all(
      seen.map(async ({ stream, peer, kinds, view }) => {
        const { first, last, ...counts } = view;
        const tracks = stream.getTracks().filter(({ readyState, muted }) => readyState === 'live' && !muted);
        const receiver = receivers.find(({ track }) => track.kind === 'audio' && stream.getTracks().includes(track));
        const report = [...((await receiver?.getStats()) ?? new Map()).values()];
        return {
          peer,
          stream: stream.id,
          kinds,
          open: tracks.map(({ kind }) => kind).sort(),
          energy: report.find(({ type }) => type === 'inbound-rtp')?.totalAudioEnergy ?? 0,
          firstAfter: first === null ? null : first - joinedAt,
          sinceLast: last === null ? null : performance.now() - last,
          ...counts,
        };
      }),
    );
  }

  // From now on only the pictures that come from now on count.
  function blink(index) {
    for (const { view } of e2e.rooms[index].seen) {
      Object.assign(view, { pictures: 0, changes: 0, marks: [], longestPause: 0 });
    }
  }

  // What the path in use leads over and to.
  async function sfuPath(index) {
    const report = (await e2e.rtcOf(e2e.rooms[index].room)?.getStats()) ?? new Map();
    const all = [...report.values()];
    const transport = all.find(({ type }) => type === 'transport');
    const pair = all.find((stats) => stats.id === transport?.selectedCandidatePairId || stats.selected);
    if (!pair) return null;
    const { protocol, address, port } = report.get(pair.remoteCandidateId);
    return { protocol, address, port };
  }

  // What is worth telling of a description.
  const gist = (description) =>
    description?.sdp
      .split(/\r?\n/)
      .filter((line) => /^(m=|a=(mid|msid|sendrecv|sendonly|recvonly|inactive|candidate|setup|group|ssrc))/.test(line))
      .map((line) => line.replace(/( SAVPF| UDP\/TLS\/RTP\/SAVPF) .*/, ''))
      .join('\n');

  const story = e2e.story;
  Object.assign(e2e, { enter, sight, publish, views, blink, sfuPath });
  e2e.story = () => {
    const chapters = e2e.rooms
      .filter(({ offers }) => offers)
      .map(({ room, seen, offers, answers }) => {
        const rtc = e2e.rtcOf(room);
        const states = rtc ? `${rtc.iceConnectionState} ${rtc.connectionState} ${rtc.signalingState}` : 'no connection';
        const views = seen.map(({ peer, kinds, view }) => JSON.stringify({ peer, kinds, ...view }));
        const last = offers.at(-1);
        const talk = [JSON.stringify(last?.msids), gist(last?.offer), gist(answers.at(-1))];
        return [`SFU room, ${states}, ${offers.length} offers, ${answers.length} answers`, ...views, ...talk].join('\n');
      });
    return [story(), ...chapters].join('\n');
  };
})();
