// SHA-256 of what comes piece by piece, which `crypto.subtle` cannot do; and it is missing on insecure origins.

const K = new Int32Array(64);
const START = new Int32Array(8);
{
  // The first bits of the roots of the first primes.
  const bits = (root: number): number => (root - Math.floor(root)) * 2 ** 32;
  for (let candidate = 2, found = 0; found < 64; candidate++) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate && prime; divisor++) prime = candidate % divisor !== 0;
    if (!prime) continue;
    if (found < 8) START[found] = bits(Math.sqrt(candidate));
    K[found++] = bits(Math.cbrt(candidate));
  }
}

const w = new Int32Array(64);

export class Sha256 {
  #state = START.slice();
  #block = new Uint8Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  update(bytes: Uint8Array): this {
    let at = 0;
    const begun = this.#length % 64;
    this.#length += bytes.length;
    if (begun) {
      at = Math.min(64 - begun, bytes.length);
      this.#block.set(bytes.subarray(0, at), begun);
      if (begun + at < 64) return this;
      this.#round(this.#block, 0);
    }
    for (; at + 64 <= bytes.length; at += 64) this.#round(bytes, at);
    this.#block.set(bytes.subarray(at));
    return this;
  }

  // Of what came so far; more may follow.
  hex(): string {
    const last = new Sha256();
    last.#state = this.#state.slice();
    last.#block = this.#block.slice();
    last.#length = this.#length;
    const begun = this.#length % 64;
    const padding = new Uint8Array((begun < 56 ? 64 : 128) - begun);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(padding.length - 4, (this.#length * 8) >>> 0);
    last.update(padding);
    return Array.from(last.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #round(bytes: Uint8Array, from: number): void {
    for (let i = 0; i < 16; i++, from += 4) {
      w[i] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    const state = this.#state;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}
