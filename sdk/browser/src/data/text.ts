// UTF-8, and what PeerJS up to 1.4.7 took for it (docs/reference/peerjs-data.md, "BinaryPack").

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// Shorter texts are read faster by hand.
const SHORT = 100;

export const encodeInto = (text: string, target: Uint8Array): number => encoder.encodeInto(text, target).written;

// Legacy clients read characters beyond U+FFFF only as two surrogates of three bytes each.
export function encodeSurrogates(text: string): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const whole = wellFormed(text);
  for (let at = 0; at < whole.length; at++) {
    const unit = whole.charCodeAt(at);
    if (unit < 0x80) out.push(unit);
    else if (unit < 0x800) out.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else out.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return Uint8Array.from(out);
}

// Throws where it is neither UTF-8 nor surrogates written as if they were characters.
export function decodeText(bytes: Uint8Array): string {
  if (bytes.length > SHORT) {
    try {
      return decoder.decode(bytes);
    } catch {
      // By hand, then.
    }
  }
  let text = '';
  let surrogates = false;
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at++]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    let more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    let code = first & (0x3f >> more);
    let valid = first >= 0xc2 && first <= 0xf4 && at + more <= bytes.length;
    for (; valid && more; more--) {
      const next = bytes[at++]!;
      valid = (next & 0xc0) === 0x80;
      code = (code << 6) | (next & 0x3f);
    }
    if (!valid || code > 0x10ffff) throw new RangeError('a text is not UTF-8');
    surrogates ||= code >= 0xd800 && code < 0xe000;
    text += String.fromCodePoint(code);
  }
  return surrogates ? wellFormed(text) : text;
}

// How senders declared the length of a text, over time.
export type Dialect = 'modern' | 'legacy' | 'oldest';

// How many bytes a text takes for which `declared` were announced; `undefined` if it cannot be.
export function extent(bytes: Uint8Array, from: number, declared: number, dialect: Dialect): number | undefined {
  let length: number | undefined = declared;
  if (dialect === 'legacy') length = legacyExtent(bytes, from, declared) ?? declared;
  else if (dialect === 'oldest') length = walk(bytes, from, declared, 1, 2);
  return length !== undefined && from + length <= bytes.length ? length : undefined;
}

// Legacy senders of texts of up to 600 UTF-16 units declare six bytes for a character of four.
function legacyExtent(bytes: Uint8Array, from: number, declared: number): number | undefined {
  const length = walk(bytes, from, declared, 0, 6);
  if (length === undefined || length === declared || from + length > bytes.length) return undefined;
  let units = 0;
  for (let at = from; at < from + length; at++) {
    const byte = bytes[at]!;
    if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units <= 600 ? length : undefined;
}

// `small` is how much characters of up to three bytes count (0: their bytes), `astral` how much those of four.
function walk(bytes: Uint8Array, from: number, declared: number, small: number, astral: number): number | undefined {
  let at = from;
  let counted = 0;
  while (counted < declared) {
    const first = bytes[at];
    if (first === undefined) return undefined;
    const length = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    at += length;
    counted += length === 4 ? astral : small || length;
  }
  return counted === declared ? at - from : undefined;
}

// With U+FFFD in place of each surrogate whose other half is missing.
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
