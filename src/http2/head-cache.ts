/**
 * Heads of the requests of one connection by their header blocks. A head found here is what the
 * block would be decoded to: the bytes are equal, and the table is the one of then (a block that
 * changes the table is never kept). So a request like one before costs a look-up and nothing else.
 *
 * Bounded: few places, short blocks. Blocks that never come again drive out others but need no new
 * memory.
 */

import { EMPTY } from '../base/bytes.js';
import type { RequestHead } from './request-head.js';

/** Blocks that are longer hold texts that come seldom twice. */
const MOST_BLOCK_BYTES = 256;
/** Places are tried in sets, of which a block's hash says one. */
const SETS = 8;
const PLACES_PER_SET = 4;

/** Bytes of a place at first; a longer block gets a longer one. */
const FIRST_BYTES = 32;

interface Place {
  hash: number;
  /** The decoder's, when the block was decoded. */
  generation: number;
  block: Uint8Array;
  length: number;
  head: RequestHead | undefined;
}

export class HeadCache {
  /** Set by set; each is made when it is first needed. */
  readonly #places: (Place | undefined)[] = [];
  /** The places are used in turn, whatever set they are in. */
  #turn = 0;

  find(generation: number, block: Uint8Array, from: number, to: number): RequestHead | undefined {
    if (to - from > MOST_BLOCK_BYTES) return undefined;
    const hash = hashOf(block, from, to);
    const first = (hash & (SETS - 1)) * PLACES_PER_SET;
    for (let i = first; i < first + PLACES_PER_SET; i++) {
      const place = this.#places[i];
      if (place?.hash === hash && place.generation === generation && holds(place, block, from, to)) return place.head;
    }
    return undefined;
  }

  /** The block must not have changed the table. It is copied. */
  keep(generation: number, block: Uint8Array, from: number, to: number, head: RequestHead): void {
    const length = to - from;
    if (length > MOST_BLOCK_BYTES) return;
    const hash = hashOf(block, from, to);
    this.#turn = (this.#turn + 1) % PLACES_PER_SET;
    const place = this.#place((hash & (SETS - 1)) * PLACES_PER_SET + this.#turn);
    if (place.block.length < length) place.block = new Uint8Array(Math.max(length, FIRST_BYTES));
    for (let i = 0; i < length; i++) place.block[i] = block[from + i] as number;
    place.hash = hash;
    place.generation = generation;
    place.length = length;
    place.head = head;
  }

  #place(at: number): Place {
    // Without holes, which would make every look-up slower.
    while (this.#places.length <= at) this.#places.push(undefined);
    return (this.#places[at] ??= { hash: 0, generation: -1, block: EMPTY, length: 0, head: undefined });
  }
}

function holds(place: Place, block: Uint8Array, from: number, to: number): boolean {
  if (place.length !== to - from) return false;
  const kept = place.block;
  for (let i = from; i < to; i++) if (kept[i - from] !== block[i]) return false;
  return true;
}

/** A whole number of 32 bits. */
function hashOf(block: Uint8Array, from: number, to: number): number {
  let hash = to - from;
  for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + (block[i] as number)) | 0;
  return hash ^ (hash >>> 15);
}
