// What the tests send, in pages and outside of them, and how two ends compare what they have.

globalThis.samples = (() => {
  const megabyte = 1024 * 1024;

  const values = {
    nested: { list: [1, [2, { three: 3 }]], yes: true, no: false, nothing: null, deep: { er: { still: 'here' } } },
    numbers: [0, 1, -1, 127, 128, -32, -33, 300, -300, 70000, -70000, 5e9, 1.5, -0.25],
    'big integers': [2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 31) - 1, 1 - 2 ** 53],
    constants: [true, false, '', 'a', [], {}, 0.1],
    text: 'Grüße, 日本語, שלום',
    emoji: 'outside the BMP: 😀🎉',
    'long text': 'Grüße, 日本語. '.repeat(20_000),
    'long emoji': '😀🎉'.repeat(10_000),
    dates: { begin: new Date(0), now: new Date(1_795_277_398_000), before: [new Date(-1000)] },
    bytes: noise(1000),
    megabyte: noise(megabyte),
    'megabyte view': new Uint8Array(noise(megabyte)),
    'typed arrays': {
      bytes: Uint8Array.of(1, 2, 255),
      words: Uint16Array.of(1, 65535),
      floats: [Float32Array.of(0.5, -1), Float64Array.of(Math.PI)],
    },
    'no bytes': [new Uint8Array(0)],
    buffers: { first: noise(3), list: [noise(2), 'é'] },
    '200 kB': noise(200_000),
    file: new File([noise(200_000)], 'ein Name.bin', { type: 'application/x-noise' }),
    'part of a buffer': new Uint8Array(noise(1000)).subarray(10, 90),
    // PeerJS 1.5 packs by recursion: some thousand entries are too much for it.
    'long list': Array.from({ length: 1000 }, (_, index) => ({ index, name: `entry ${index}` })),
  };

  // A value that survives the way to the test: bytes become their length and digest, whatever their class, and a date
  // its milliseconds, also as the text that most serializations make of it.
  async function describe(value) {
    if (value instanceof File) {
      const { name, type } = value;
      return { name, type, ...(await describe(await value.arrayBuffer())) };
    }
    if (value instanceof Blob) return describe(await value.arrayBuffer());
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', value));
      return { bytes: value.byteLength, sha256: hex(digest) };
    }
    if (value instanceof Date || isWrittenDate(value)) return { date: new Date(value).getTime() };
    if (Array.isArray(value)) return Promise.all(value.map(describe));
    if (value === null || typeof value !== 'object') return value;
    const members = Object.entries(value).map(async ([name, member]) => [name, await describe(member)]);
    return Object.fromEntries(await Promise.all(members));
  }

  const isWrittenDate = (value) =>
    typeof value === 'string' && /^(\d{4}-\d\d-\d\dT[\d:.]{12}Z|\w{3} \w{3} \d\d \d{4} [\d:]{8} GMT.*)$/.test(value);

  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

  function noise(length) {
    const bytes = new Uint8Array(length);
    let state = 1;
    for (let index = 0; index < length; index += 1) {
      state = (state * 48271) % 2147483647;
      bytes[index] = state & 255;
    }
    return bytes.buffer;
  }

  return { values, describe, noise, hex };
})();
