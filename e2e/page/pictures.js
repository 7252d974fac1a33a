// Sound and pictures that tell whose they are, and eyes for what comes. All of it works in the background too, where
// a page presents no pictures: Chromium lets a page make and read the frames of a track. Firefox does not; a page
// there has its camera, and sees while it is in front.

(() => {
  const PICTURES_PER_SECOND = 10;
  // Where one looks at them.
  const [COLUMNS, ROWS] = [128, 96];

  // What a page publishes. `mark`: 1 to 255, the first byte of the number of every picture. `busy`: pictures that cost
  // more than a megabit per second if they may.
  async function media(mark, kinds, busy = false) {
    if (!window.MediaStreamTrackGenerator) {
      const wanted = { audio: kinds.includes('audio'), video: kinds.includes('video') };
      return navigator.mediaDevices.getUserMedia(wanted);
    }
    return new MediaStream(kinds.map((kind) => (kind === 'video' ? pictures(mark, busy) : tone(mark))));
  }

  // Pictures of 8 by 6 squares that spell a number, like the corner of those of Rust programs: see e2e.numberIn.
  function pictures(mark, busy) {
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    const side = busy ? 80 : 40;
    const canvas = new OffscreenCanvas(8 * side, 6 * side);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    let number = mark * 2 ** 24;
    const clock = setInterval(() => {
      if (track.readyState === 'ended') return clearInterval(clock);
      paint(context, side, (number += 1));
      if (busy) crackle(context, canvas);
      writer.write(new VideoFrame(canvas, { timestamp: performance.now() * 1000 })).catch(() => clearInterval(clock));
    }, 1000 / PICTURES_PER_SECOND);
    return track;
  }

  function paint(context, side, number) {
    const bytes = [3, 2, 1, 0].map((place) => Math.floor(number / 256 ** place) % 256);
    const sum = bytes.reduce((sum, byte) => sum ^ byte, 0b01011010);
    [0b10100101, ...bytes, sum].forEach((byte, y) => {
      for (let x = 0; x < 8; x += 1) {
        context.fillStyle = (byte >> (7 - x)) & 1 ? 'white' : 'black';
        context.fillRect(x * side, y * side, side, side);
      }
    });
  }

  // Noise that leaves the squares what they are.
  function crackle(context, { width, height }) {
    const image = context.getImageData(0, 0, width, height);
    for (let at = 0; at < image.data.length; at += 4) {
      const value = Math.abs(image.data[at] - Math.random() * 80);
      image.data.fill(value, at, at + 3);
    }
    context.putImageData(image, 0, 0);
  }

  function tone(mark) {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: 200 + 10 * mark });
    const end = new MediaStreamAudioDestinationNode(context);
    oscillator.connect(end);
    oscillator.start();
    return end.stream.getAudioTracks()[0];
  }

  // Looks at a stream and takes down what is to be seen: how many pictures, how many that differ from the one before,
  // by whose marks, the last number, the longest pause, and when the first one came.
  function watch(stream, video) {
    const seen = { pictures: 0, changes: 0, marks: [], number: null, longestPause: 0, first: null, last: null };
    const context = new OffscreenCanvas(COLUMNS, ROWS).getContext('2d', { willReadFrequently: true });
    let before;
    const look = (image) => {
      const now = performance.now();
      context.drawImage(image, 0, 0, COLUMNS, ROWS);
      const pixels = context.getImageData(0, 0, COLUMNS, ROWS).data;
      if (seen.last !== null) seen.longestPause = Math.max(seen.longestPause, now - seen.last);
      seen.first ??= now;
      seen.last = now;
      seen.pictures += 1;
      const digest = pixels.reduce((digest, byte) => (digest * 31 + byte) | 0, 0);
      if (before !== undefined && digest !== before) seen.changes += 1;
      before = digest;
      // Our pictures may have been scaled on their way; those of Rust programs have it in a corner.
      seen.number = e2e.numberIn(pixels) ?? e2e.numberIn(corner(context, image));
      const mark = seen.number === null ? 0 : Math.floor(seen.number / 2 ** 24);
      if (!seen.marks.includes(mark)) seen.marks.push(mark);
    };
    if (window.MediaStreamTrackProcessor) {
      stream.getVideoTracks().forEach((track) => lookAtFrames(stream, track, look));
      stream.addEventListener('addtrack', ({ track }) => track.kind === 'video' && lookAtFrames(stream, track, look));
    } else {
      lookAtScreen(video, look);
    }
    return seen;
  }

  function corner(context, image) {
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, COLUMNS, ROWS).data;
  }

  async function lookAtFrames(stream, track, look) {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable.getReader();
    for (;;) {
      const { done, value: frame } = await reader.read();
      // A line that is used again brings another peer's stream with the same track.
      const isOurs = !done && stream.getTracks().includes(track);
      if (isOurs) look(frame);
      frame?.close();
      if (!isOurs) return reader.cancel().catch(() => {});
    }
  }

  function lookAtScreen(video, look) {
    video.requestVideoFrameCallback(() => {
      look(video);
      lookAtScreen(video, look);
    });
  }

  Object.assign(e2e, { media, watch });
})();
