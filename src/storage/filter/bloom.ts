/**
 * A Bloom filter over user keys: "no" is certain, "maybe" is wrong about once in a hundred at ten
 * bits per key. The hash is plain 32-bit arithmetic, so its bits are the same on every runtime.
 *
 *   payload: probes u8 | zero u8 x 3 | bits, rounded up to 8 bytes
 *   empty:   no filter, everything is a maybe
 */

import { assert, must } from '../../base/assert.js';
import { CodecError } from '../../base/errors.js';

const HEAD_BYTES = 4;
const MAX_PROBES = 30;
/** Whose bits are set between two pauses. */
const SLICE_KEYS = 4096;

/**
 * Two independent 32-bit hashes, in `hashA` and `hashB`: returned through the module so that
 * nothing is allocated.
 */
let hashA = 0;
let hashB = 0;

function finalize(state: number): number {
  let h = state;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

function hash(key: Uint8Array, length: number): void {
  let a = 0x9e3779b9 ^ length;
  let b = 0x85ebca6b ^ length;
  for (let i = 0; i < length; i++) {
    const byte = key[i] as number;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul((b << 5) ^ (b >>> 27) ^ byte, 0x9e3779b1);
  }
  hashA = finalize(a);
  // Odd, so that probes do not repeat.
  hashB = (finalize(b) | 1) >>> 0;
}

export class BloomBuilder {
  readonly #bitsPerKey: number;
  #hashes = new Uint32Array(2048);
  #count = 0;
  /** Made by {@link prepare}. */
  #payload: Uint8Array | undefined;

  /** 0 bits: no filter. */
  constructor(bitsPerKey: number) {
    this.#bitsPerKey = bitsPerKey;
  }

  /** Of the payload if it were finished now. */
  get bytes(): number {
    return this.#bitsPerKey === 0 ? 0 : HEAD_BYTES + this.#bitBytes;
  }

  get #bitBytes(): number {
    return Math.ceil(Math.max(64, this.#count * this.#bitsPerKey) / 64) * 8;
  }

  /** The first `length` bytes of `key`. */
  add(key: Uint8Array, length: number): void {
    if (this.#bitsPerKey === 0) return;
    assert(this.#payload === undefined, 'nothing is added to a filter that is made');
    if (2 * this.#count === this.#hashes.length) {
      const grown = new Uint32Array(2 * this.#hashes.length);
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    hash(key, length);
    this.#hashes[2 * this.#count] = hashA;
    this.#hashes[2 * this.#count + 1] = hashB;
    this.#count++;
  }

  /** Sets the bits, a few thousand keys at a time. Nothing may be added afterwards. */
  *prepare(): Generator<void, void> {
    if (this.#bitsPerKey === 0 || this.#payload !== undefined) return;
    const payload = new Uint8Array(HEAD_BYTES + this.#bitBytes);
    const probes = Math.min(MAX_PROBES, Math.max(1, Math.round(this.#bitsPerKey * Math.LN2)));
    payload[0] = probes;
    assert(probes >= 1 && this.#bitBytes % 8 === 0, 'a filter reads back: it has probes, and bits in whole words');
    for (let from = 0; from < this.#count; from += SLICE_KEYS) {
      if (from > 0) yield;
      this.#setBits(payload, probes, from, Math.min(this.#count, from + SLICE_KEYS));
    }
    this.#payload = payload;
  }

  #setBits(payload: Uint8Array, probes: number, from: number, to: number): void {
    // Said to be unsigned 32 bits, so that the remainder is one of integers.
    const bits = (this.#bitBytes * 8) >>> 0;
    const hashes = this.#hashes;
    for (let n = from; n < to; n++) {
      let h = (hashes[2 * n] as number) >>> 0;
      const step = (hashes[2 * n + 1] as number) >>> 0;
      for (let probe = 0; probe < probes; probe++) {
        const bit = (h % bits) >>> 0;
        const at = HEAD_BYTES + (bit >>> 3);
        payload[at] = (payload[at] as number) | (1 << (bit & 7));
        h = (h + step) >>> 0;
      }
    }
  }

  /** At once, unless it was {@link prepare}d. */
  finish(): Uint8Array {
    if (this.#bitsPerKey === 0) return new Uint8Array(0);
    for (const work = this.prepare(); work.next().done !== true; );
    return must(this.#payload, 'a filter is made before it is given out');
  }
}

export class BloomFilter {
  readonly #payload: Uint8Array;
  readonly #probes: number;
  readonly #bits: number;

  constructor(payload: Uint8Array) {
    this.#payload = payload;
    this.#probes = payload[0] ?? 0;
    this.#bits = Math.max(0, payload.length - HEAD_BYTES) * 8;
    const whole = payload.length === 0 || (this.#bits > 0 && this.#probes >= 1 && this.#probes <= MAX_PROBES);
    if (!whole) throw new CodecError(`filter of ${payload.length} bytes with ${this.#probes} probes`);
  }

  mayContain(key: Uint8Array): boolean {
    if (this.#bits === 0) return true;
    hash(key, key.length);
    // Said to be unsigned 32 bits, so that the remainder is one of integers.
    const bits = this.#bits >>> 0;
    const payload = this.#payload;
    let h = hashA >>> 0;
    const step = hashB >>> 0;
    for (let probe = 0; probe < this.#probes; probe++) {
      const bit = (h % bits) >>> 0;
      if (((payload[HEAD_BYTES + (bit >>> 3)] as number) & (1 << (bit & 7))) === 0) return false;
      h = (h + step) >>> 0;
    }
    return true;
  }
}
