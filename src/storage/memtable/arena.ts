/**
 * The memory of a memtable: chunks of words that are given out one after the other and never given
 * back, so that a write costs no object, and what is counted is what is held. Each chunk is there
 * as words and as bytes. An address counts words from 1 (0 stands for nothing) up to 2^32: its low
 * bits lie within its chunk. What was handed out does not move.
 */

import { assert } from '../../base/assert.js';

const WORD_BYTES = 4;
const CHUNK_BITS = 14;
const CHUNK_WORDS = 1 << CHUNK_BITS;
const IN_CHUNK = CHUNK_WORDS - 1;
/** The first chunk; each further one has twice the words, up to {@link CHUNK_WORDS}. */
const FIRST_CHUNK_WORDS = 512;
/** Longer pieces get a chunk of their own, of their length, so that no chunk's end is wasted. */
const SHARED_WORDS_MAX = CHUNK_WORDS >>> 3;
const CHUNKS_MAX = 2 ** (32 - CHUNK_BITS);

export class Arena {
  readonly #words: Uint32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  /** The chunk that pieces are taken from, and how much of it is taken. */
  #chunk: number;
  #chunkWords = FIRST_CHUNK_WORDS;
  /** Address 0 stands for nothing. */
  #used = 1;
  #total = 0;

  constructor() {
    this.#chunk = this.#add(this.#chunkWords);
  }

  /** Handed out, ends of chunks that were too short included. */
  get bytes(): number {
    return this.#total * WORD_BYTES;
  }

  /** The address of so many bytes, zero, beginning at a word. */
  allocate(bytes: number): number {
    const words = (bytes + WORD_BYTES - 1) >>> 2;
    this.#total += words;
    if (words > SHARED_WORDS_MAX) return this.#add(words) * CHUNK_WORDS;
    if (this.#used + words > this.#chunkWords) this.#nextChunk(words);
    const at = this.#used;
    this.#used = at + words;
    return this.#chunk * CHUNK_WORDS + at;
  }

  #nextChunk(words: number): void {
    this.#total += this.#chunkWords - this.#used;
    this.#chunkWords = Math.min(CHUNK_WORDS, 2 * Math.max(this.#chunkWords, words));
    this.#chunk = this.#add(this.#chunkWords);
    this.#used = 0;
  }

  #add(words: number): number {
    const chunk = this.#words.length;
    assert(chunk < CHUNKS_MAX, 'an address of a memtable has 32 bits');
    const added = new Uint32Array(words);
    this.#words.push(added);
    this.#bytes.push(new Uint8Array(added.buffer));
    return chunk;
  }

  /** The words among which those of `address` begin at {@link wordOf}. */
  words(address: number): Uint32Array {
    return this.#words[address >>> CHUNK_BITS] as Uint32Array;
  }

  /** The bytes among which those of `address` begin at {@link byteOf}. */
  bytesAt(address: number): Uint8Array {
    return this.#bytes[address >>> CHUNK_BITS] as Uint8Array;
  }
}

export function wordOf(address: number): number {
  return address & IN_CHUNK;
}

export function byteOf(address: number): number {
  return (address & IN_CHUNK) << 2;
}
