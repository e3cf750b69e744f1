/**
 * Keys and values that tell on themselves: a value names its key and a generation, and the rest of
 * its bytes follow from both, so any reader can verify it without remembering what was written.
 */

const POOL_BYTES = 65536;
const HEAD_BYTES = 24;

function pool(): Buffer {
  const out = Buffer.alloc(POOL_BYTES * 2);
  let x = 0x2545f491;
  for (let i = 0; i < POOL_BYTES; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = out[i + POOL_BYTES] = x & 0xff;
  }
  return out;
}

const POOL = pool();
const POOL_WORDS = wordsOf(POOL);

function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

const hex = (n: number): string => n.toString(16).padStart(8, '0');

/** 16 bytes, scattered over the key space; the same for the same seed and number. */
export function scatteredKey(seed: number, n: number): Buffer {
  return Buffer.from(hex(mix(seed, n)) + hex(n), 'latin1');
}

function startOf(key: Buffer, generation: number): number {
  return mix(key.readUInt32BE(key.length - 4), generation) % POOL_BYTES;
}

export function makeValue(key: Buffer, generation: number, length: number): Buffer {
  const out = Buffer.allocUnsafe(length);
  const start = startOf(key, generation);
  POOL.copy(out, 0, start, start + Math.min(length, POOL_BYTES));
  if (length >= HEAD_BYTES) {
    key.copy(out, 0, 0, 16);
    out.writeUInt32BE(generation, 16);
  }
  return out;
}

/**
 * True if `value` is what some generation of `key` holds. Needs values of at least 24 bytes and
 * keys of at least 16.
 */
export function verifyValue(key: Buffer, value: Buffer, length: number): boolean {
  if (value.length !== length || value.compare(key, 0, 16, 0, 16) !== 0) return false;
  const start = startOf(key, value.readUInt32BE(16));
  return value.compare(POOL, start + 20, start + length, 20, length) === 0;
}

/** What {@link scatteredKey} gives. */
export const KEY_BYTES = 16;

/** Many keys of {@link KEY_BYTES}, one behind the other, so that memory is read in order. */
export class KeyList {
  readonly count: number;
  readonly words: DataView;
  readonly #bytes: Buffer;

  constructor(keys: readonly Buffer[]) {
    this.count = keys.length;
    this.#bytes = Buffer.allocUnsafeSlow(keys.length * KEY_BYTES);
    keys.forEach((key, n) => key.copy(this.#bytes, n * KEY_BYTES));
    this.words = wordsOf(this.#bytes);
  }

  /** A view. */
  key(n: number): Buffer {
    return this.#bytes.subarray(n * KEY_BYTES, (n + 1) * KEY_BYTES);
  }
}

/** Bytes to be compared four at a time, wherever they begin. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Is the key at `at` of the words the n-th of the list? */
export function isKeyAt(keys: KeyList, n: number, words: DataView, at: number): boolean {
  const expected = keys.words;
  const from = n * KEY_BYTES;
  for (let i = 0; i < KEY_BYTES; i += 4) if (words.getInt32(at + i) !== expected.getInt32(from + i)) return false;
  return true;
}

/**
 * {@link verifyValue} on a value of `length` bytes at `at` of the words, under the n-th key of the
 * list. A loop over words: for a range of 100 that costs a tenth of 300 native calls, and a fifth
 * of a loop over bytes.
 */
export function verifyValueAt(keys: KeyList, n: number, words: DataView, at: number, length: number): boolean {
  if (!isKeyAt(keys, n, words, at)) return false;
  const start = mix(keys.words.getUint32(n * KEY_BYTES + KEY_BYTES - 4), words.getUint32(at + KEY_BYTES)) % POOL_BYTES;
  let i = KEY_BYTES + 4;
  for (; i + 4 <= length; i += 4) if (words.getInt32(at + i) !== POOL_WORDS.getInt32(start + i)) return false;
  for (; i < length; i++) if (words.getUint8(at + i) !== POOL_WORDS.getUint8(start + i)) return false;
  return true;
}
