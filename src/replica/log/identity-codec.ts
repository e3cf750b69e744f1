/**
 * The identity record of a batch. R6 it is written only after the batch's sync returned, so finding
 * one is proof that every entry it names was durable here and may have been acknowledged, whatever
 * the entry's own bytes look like now. It names each entry by index and term, for asking peers, and
 * by offset, length and checksum, so that the sound records of a damaged batch are still found.
 *
 *     head (64 bytes):      magic 4 | crc 4 | count 4 | batch offset 4 | generation 8 |
 *                           sequence 8 | previous index 8 | previous term 8 |
 *                           snapshot through 8 | flags 4 | runs 4
 *     per run of one term:  entries 4 | term 8
 *     then per entry:       record length 4 | record checksum 4
 *
 * Records begin at multiples of 8 and never move, so an area of identities alone is read by looking
 * at every such place.
 */

import { assert } from '../../base/assert.js';
import { crc32c } from '../../base/crc32c.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { FLAG_ENDED, FLAG_RESET, getU53, putU53, type BatchContext } from './batch-codec.js';
import { END_MARK_BYTES, putEndMark } from './end-mark.js';
import { align8 } from './segment-layout.js';

export const IDENTITY_MAGIC = 0x3149_4c4b; // 'KLI1'
export const IDENTITY_HEADER = 64;
const RUN_BYTES = 12;
const ENTRY_BYTES = 8;
/** An end mark was written behind what the identity stands in. */
const FLAG_MARKED = 4;

export interface BatchIdentity {
  /** Where the identity itself begins and ends. */
  readonly at: number;
  readonly end: number;
  readonly sequence: number;
  /** Of the batch, in the same segment. */
  readonly offset: number;
  readonly previousIndex: LogIndex;
  readonly previousTerm: Term;
  readonly snapshotThrough: LogIndex;
  readonly reset: boolean;
  /** An end mark was written behind the batch. */
  readonly ended: boolean;
  /** One was written behind the identity, or behind the batch that it left in front of. */
  readonly marked: boolean;
  readonly terms: readonly Term[];
  readonly lengths: readonly number[];
  readonly checksums: readonly number[];
}

/**
 * The most that the identity of a batch of `count` entries takes, whatever their terms; a multiple
 * of 8.
 */
export function identityBound(count: number): number {
  return align8(IDENTITY_HEADER + count * (RUN_BYTES + ENTRY_BYTES));
}

/** What the identity of a batch takes whose entries have these terms; a multiple of 8. */
export function identityBytes(terms: readonly Term[]): number {
  const runs = terms.filter((term, i) => i === 0 || term !== terms[i - 1]).length;
  return align8(IDENTITY_HEADER + runs * RUN_BYTES + terms.length * ENTRY_BYTES);
}

/** Holds the identities that wait for the next write; they leave in one piece. */
export class IdentityEncoder {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Valid until the next `add` or `clear`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** As `view`, with an end mark behind it: for `offset` of the segment. */
  viewWithEndMark(seed: number, offset: number): Uint8Array {
    putEndMark(this.#view, this.#length, seed, offset + this.#length);
    return this.#bytes.subarray(0, this.#length + END_MARK_BYTES);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Of the batch of `entries[from, to)` at `offset`. */
  add(
    context: BatchContext, seed: number, offset: number, entries: readonly Pick<Entry, 'term'>[], from: number, to: number,
    lengths: Uint32Array, checksums: Uint32Array,
  ): void {
    const start = this.#length;
    this.#room(start + identityBound(to - from) + END_MARK_BYTES);
    const view = this.#view;
    let at = start + IDENTITY_HEADER;
    let runs = 0;
    for (let i = from; i < to; runs++) {
      const term = (entries[i] as Pick<Entry, 'term'>).term;
      const first = i;
      while (i < to && (entries[i] as Pick<Entry, 'term'>).term === term) i++;
      view.setUint32(at, i - first, true);
      putU53(view, at + 4, term);
      at += RUN_BYTES;
    }
    for (let i = 0; i < to - from; i++) {
      view.setUint32(at, lengths[i] as number, true);
      view.setUint32(at + 4, checksums[i] as number, true);
      at += ENTRY_BYTES;
    }
    view.setUint32(start, IDENTITY_MAGIC, true);
    view.setUint32(start + 8, to - from, true);
    view.setUint32(start + 12, offset, true);
    putU53(view, start + 16, context.generation);
    putU53(view, start + 24, context.sequence);
    putU53(view, start + 32, context.previousIndex);
    putU53(view, start + 40, context.previousTerm);
    putU53(view, start + 48, context.snapshotThrough);
    view.setUint32(start + 56, FLAG_MARKED | (context.reset ? FLAG_RESET : 0) | (context.ended ? FLAG_ENDED : 0), true);
    view.setUint32(start + 60, runs, true);
    view.setUint32(start + 4, crc32c(this.#bytes, seed, start + 8, at), true);
    const end = align8(at);
    assert(end - start <= identityBound(to - from), `R6 the identity of ${to - from} entries has room: ${end - start} bytes`);
    this.#bytes.fill(0, at, end);
    this.#length = end;
  }

  #room(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Every sound identity of this generation in `bytes[start, end)`. */
export function decodeIdentities(bytes: Uint8Array, start: number, end: number, seed: number, generation: number): BatchIdentity[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const identities: BatchIdentity[] = [];
  for (let at = start; at + IDENTITY_HEADER <= end; ) {
    const identity = decodeIdentity(bytes, view, at, end, seed, generation);
    if (identity !== undefined) identities.push(identity);
    at = identity?.end ?? at + 8;
  }
  return identities;
}

/** Undefined unless a sound identity of this generation stands at `at` and ends by `end`. */
export function decodeIdentity(
  bytes: Uint8Array, view: DataView, at: number, end: number, seed: number, generation: number,
): BatchIdentity | undefined {
  if (at + IDENTITY_HEADER > end || view.getUint32(at, true) !== IDENTITY_MAGIC) return undefined;
  const length = soundLength(bytes, view, at, end, seed, generation);
  return length === 0 ? undefined : decodeOne(view, at, align8(at + length));
}

/** 0 unless sound. */
function soundLength(bytes: Uint8Array, view: DataView, at: number, end: number, seed: number, generation: number): number {
  const length = IDENTITY_HEADER + view.getUint32(at + 8, true) * ENTRY_BYTES + view.getUint32(at + 60, true) * RUN_BYTES;
  if (at + length > end || getU53(view, at + 16) !== generation) return 0;
  return view.getUint32(at + 4, true) === crc32c(bytes, seed, at + 8, at + length) ? length : 0;
}

function decodeOne(view: DataView, start: number, end: number): BatchIdentity {
  const count = view.getUint32(start + 8, true);
  const runs = view.getUint32(start + 60, true);
  const terms: Term[] = [];
  const lengths: number[] = [];
  const checksums: number[] = [];
  let at = start + IDENTITY_HEADER;
  for (let run = 0; run < runs; run++, at += RUN_BYTES) {
    const entries = Math.min(view.getUint32(at, true), count - terms.length);
    for (let i = 0; i < entries; i++) terms.push(getU53(view, at + 4));
  }
  for (let i = 0; i < count; i++, at += ENTRY_BYTES) {
    lengths.push(view.getUint32(at, true));
    checksums.push(view.getUint32(at + 4, true));
  }
  return {
    at: start,
    end,
    sequence: getU53(view, start + 24),
    offset: view.getUint32(start + 12, true),
    previousIndex: getU53(view, start + 32),
    previousTerm: getU53(view, start + 40),
    snapshotThrough: getU53(view, start + 48),
    reset: (view.getUint32(start + 56, true) & FLAG_RESET) !== 0,
    ended: (view.getUint32(start + 56, true) & FLAG_ENDED) !== 0,
    marked: (view.getUint32(start + 56, true) & FLAG_MARKED) !== 0,
    terms,
    lengths,
    checksums,
  };
}
