/**
 * Reads HPACK's Huffman code (RFC 7541, 5.2) four bits a step. No code is shorter than five bits,
 * so that a step ends one symbol at most. The steps are derived from the code's one table; they
 * take 16 KiB and so stay in the processor's first cache, where a byte a step would take 256.
 */

import { must } from '../../base/assert.js';
import { END_OF_STRING, HUFFMAN_CODES } from '../../base/hpack-huffman.js';

/** What a step says beside the symbol in its lowest eight bits. */
const EMITS = 1 << 8;
const STATE_SHIFT = 9;

/** No string goes on so: the code of the end of a string is in it. */
const BROKEN = -1;

/** A place inside of a code: what one more bit, 0 or 1, leads to. */
interface Place {
  readonly state: number;
  readonly next: (Place | number)[];
}

interface Machine {
  /** By state and four bits: the state after them, whether a symbol ended, and which. */
  readonly steps: Int32Array;
  /** By state: whether a string may end there, with what is left of its last byte. */
  readonly mayEnd: Uint8Array;
}

/** All places, that before a code first. A prefix code of n symbols has n - 1 of them. */
function buildPlaces(): Place[] {
  const root: Place = { state: 0, next: [] };
  const places = [root];
  HUFFMAN_CODES.forEach(({ code, bits }, symbol) => {
    let place = root;
    for (let bit = bits - 1; bit > 0; bit--) {
      const direction = (code >>> bit) & 1;
      let next = place.next[direction];
      if (typeof next !== 'object') {
        next = { state: places.length, next: [] };
        places.push(next);
        place.next[direction] = next;
      }
      place = next;
    }
    place.next[code & 1] = symbol;
  });
  return places;
}

function stepFrom(places: readonly Place[], from: Place, fourBits: number): number {
  const root = must(places[0], 'a first place');
  let place = from;
  let ended = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = must(place.next[(fourBits >>> bit) & 1], 'the code is complete');
    if (next === END_OF_STRING) return BROKEN;
    if (typeof next === 'number') {
      ended = EMITS | next;
      place = root;
    } else place = next;
  }
  return (place.state << STATE_SHIFT) | ended;
}

function buildMachine(): Machine {
  const places = buildPlaces();
  const steps = new Int32Array(places.length << 4);
  for (const place of places) for (let bits = 0; bits < 16; bits++) steps[(place.state << 4) | bits] = stepFrom(places, place, bits);
  // Padding is ones, less than a byte of them: seven steps along the ones from the first place.
  const mayEnd = new Uint8Array(places.length);
  let padded: Place | number | undefined = places[0];
  for (let ones = 0; ones <= 7 && typeof padded === 'object'; ones++) {
    mayEnd[padded.state] = 1;
    padded = padded.next[1];
  }
  return { steps, mayEnd };
}

const { steps: STEPS, mayEnd: MAY_END } = buildMachine();

/** Room that so many coded bytes need when they are decoded: five bits are one symbol at least. */
export function decodedRoom(codedBytes: number): number {
  return Math.floor((codedBytes * 8) / 5);
}

/**
 * Decodes the bytes [at, end) of `from` into `to`, which has {@link decodedRoom}, and returns how
 * many there are. -1 for a string that is none: with the end of string in it, or padded with more
 * than seven bits or anything but ones.
 */
export function huffmanDecodeInto(from: Uint8Array, at: number, end: number, to: Uint8Array): number {
  let state = 0;
  let n = 0;
  for (let i = at; i < end; i++) {
    const byte = from[i] as number;
    const high = STEPS[(state << 4) | (byte >> 4)] as number;
    if (high < 0) return -1;
    if ((high & EMITS) !== 0) to[n++] = high;
    const low = STEPS[((high >> STATE_SHIFT) << 4) | (byte & 15)] as number;
    if (low < 0) return -1;
    if ((low & EMITS) !== 0) to[n++] = low;
    state = low >> STATE_SHIFT;
  }
  return MAY_END[state] === 1 ? n : -1;
}
