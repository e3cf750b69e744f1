/**
 * A batch: the entries of one write, contiguous in the log. What precedes it (index and term), so
 * that the log after it is known from it alone; a sequence number that grows by one per batch, so
 * that of two batches with the same indexes the later wins without doubt; and `synced`, the last
 * batch whose sync had returned when this one was written: a sound batch is proof that all up to
 * there were durable. Headers and records are checksummed apart, so that one bad record does not
 * take its neighbours with it.
 *
 *     header (80 bytes):         magic 4 | crc 4 | count 4 | length 4 | generation 8 | sequence 8 |
 *                                synced 8 | previous index 8 | previous term 8 | commit 8 |
 *                                snapshot through 8 | flags 4 | zero 4
 *     record (28 + data bytes):  crc 4 | data length 4 | index 8 | term 8 | type 4 | data
 *
 * All checksums are seeded with the segment's generation. Batches begin at multiples of 8.
 */

import { assert } from '../../base/assert.js';
import { EMPTY, MiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry, EntryType } from '../../raft/types.js';
import { END_MARK_BYTES, putEndMark } from './end-mark.js';
import { align8 } from './segment-layout.js';

export const BATCH_MAGIC = 0x3142_4c4b; // 'KLB1'
export const BATCH_HEADER = 80;
export const RECORD_HEADER = 28;
/** A batch holds at most this much unless a single entry is larger. */
export const MAX_BATCH_BYTES = 4 * MiB;
/** In the header of a batch; a record begins with its own. */
export const CRC_AT = 4;
export const CRC_BYTES = 4;
/** The log begins anew after the batch's previous index: everything before the batch is gone. */
export const FLAG_RESET = 1;
/** An end mark was written behind it: see `end-mark.ts`. */
export const FLAG_ENDED = 2;
const TWO_32 = 0x1_0000_0000;
const MAX_HIGH = 0x20_0000;

export interface BatchHeader {
  readonly generation: number;
  readonly sequence: number;
  readonly synced: number;
  readonly previousIndex: LogIndex;
  readonly previousTerm: Term;
  readonly commit: LogIndex;
  /** Entries up to here came with a snapshot: their absence proves no damage. */
  readonly snapshotThrough: LogIndex;
  readonly reset: boolean;
  /** An end mark was written behind it. */
  readonly ended: boolean;
  readonly count: number;
  /** Of all records. */
  readonly length: number;
}

/** What the writer says of a batch; count and length follow from the entries. */
export type BatchContext = Omit<BatchHeader, 'count' | 'length'>;

export interface RecordHead {
  readonly index: LogIndex;
  readonly term: Term;
  readonly type: EntryType;
  readonly dataLength: number;
}

export function recordLength(entry: Entry): number {
  return RECORD_HEADER + entry.data.length;
}

/**
 * A reusable buffer that a batch is encoded into: one write, and its record lengths and checksums
 * for the identity.
 */
export class BatchEncoder {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  /** Of the last batch, one per entry. */
  lengths = new Uint32Array(256);
  checksums = new Uint32Array(256);

  /**
   * Encodes `entries[from, to)` behind `front`, whose length is a multiple of 8. The view is valid
   * until the next call.
   */
  encode(context: BatchContext, seed: number, entries: readonly Entry[], from: number, to: number, front: Uint8Array = EMPTY): Uint8Array {
    assert(context.synced < context.sequence, 'R6 a batch is not synced before it is written');
    const start = front.length;
    let total = start + BATCH_HEADER;
    for (let i = from; i < to; i++) total += RECORD_HEADER + (entries[i] as Entry).data.length;
    this.#room(align8(total) + END_MARK_BYTES, to - from);
    const bytes = this.#bytes;
    const view = this.#view;
    bytes.set(front);
    let at = start + BATCH_HEADER;
    for (let i = from; i < to; i++) {
      const entry = entries[i] as Entry;
      const end = at + RECORD_HEADER + entry.data.length;
      this.#putRecordHead(at, entry);
      bytes.set(entry.data, at + RECORD_HEADER);
      const crc = crc32c(bytes, seed, at + 4, end);
      view.setUint32(at, crc, true);
      this.lengths[i - from] = end - at;
      this.checksums[i - from] = crc;
      at = end;
    }
    assert(at === total, 'R3 the records of a batch fill it');
    this.#putHeader(start, context, seed, to - from, total - start - BATCH_HEADER);
    return bytes.subarray(0, total);
  }

  /**
   * What was encoded last, of `length` bytes, with an end mark behind it: for `offset` of the
   * segment. Valid until the next call of `encode`.
   */
  withEndMark(length: number, seed: number, offset: number): Uint8Array {
    const at = align8(length);
    this.#bytes.fill(0, length, at);
    putEndMark(this.#view, at, seed, offset + at);
    return this.#bytes.subarray(0, at + END_MARK_BYTES);
  }

  /** The checksum of a record so far that its data comes next: {@link crc32c} goes on from it. */
  crcBeforeData(seed: number, entry: Entry): number {
    this.#putRecordHead(BATCH_HEADER, entry);
    return crc32c(this.#bytes, seed, BATCH_HEADER + 4, BATCH_HEADER + RECORD_HEADER);
  }

  /**
   * The head of a batch of one entry, whose data goes behind it as it is; `crc` is the checksum of
   * its record. The view is valid until the next call.
   */
  encodeHead(context: BatchContext, seed: number, entry: Entry, crc: number): Uint8Array {
    assert(context.synced < context.sequence, 'R6 a batch is not synced before it is written');
    const end = BATCH_HEADER + RECORD_HEADER;
    this.#putRecordHead(BATCH_HEADER, entry);
    this.#view.setUint32(BATCH_HEADER, crc, true);
    this.lengths[0] = recordLength(entry);
    this.checksums[0] = crc;
    this.#putHeader(0, context, seed, 1, recordLength(entry));
    return this.#bytes.subarray(0, end);
  }

  #putRecordHead(at: number, entry: Entry): void {
    const view = this.#view;
    view.setUint32(at + 4, entry.data.length, true);
    putU53(view, at + 8, entry.index);
    putU53(view, at + 16, entry.term);
    view.setUint32(at + 24, entry.type === 'normal' ? 0 : 1, true);
  }

  #putHeader(at: number, context: BatchContext, seed: number, count: number, length: number): void {
    const view = this.#view;
    view.setUint32(at, BATCH_MAGIC, true);
    view.setUint32(at + 8, count, true);
    view.setUint32(at + 12, length, true);
    putU53(view, at + 16, context.generation);
    putU53(view, at + 24, context.sequence);
    putU53(view, at + 32, context.synced);
    putU53(view, at + 40, context.previousIndex);
    putU53(view, at + 48, context.previousTerm);
    putU53(view, at + 56, context.commit);
    putU53(view, at + 64, context.snapshotThrough);
    view.setUint32(at + 72, (context.reset ? FLAG_RESET : 0) | (context.ended ? FLAG_ENDED : 0), true);
    view.setUint32(at + 76, 0, true);
    view.setUint32(at + 4, crc32c(this.#bytes, seed, at + 8, at + BATCH_HEADER), true);
  }

  #room(bytes: number, entries: number): void {
    if (bytes > this.#bytes.length) {
      this.#bytes = new Uint8Array(Math.max(bytes, this.#bytes.length * 2));
      this.#view = new DataView(this.#bytes.buffer);
    }
    if (entries > this.lengths.length) {
      this.lengths = new Uint32Array(Math.max(entries, this.lengths.length * 2));
      this.checksums = new Uint32Array(this.lengths.length);
    }
  }
}

/** Undefined unless a sound header of this generation stands at `at`. */
export function decodeBatchHeader(
  bytes: Uint8Array, view: DataView, at: number, seed: number, generation: number,
): BatchHeader | undefined {
  if (at + BATCH_HEADER > bytes.length || view.getUint32(at, true) !== BATCH_MAGIC) return undefined;
  if (view.getUint32(at + 4, true) !== crc32c(bytes, seed, at + 8, at + BATCH_HEADER)) return undefined;
  if (getU53(view, at + 16) !== generation) return undefined;
  const header: BatchHeader = {
    generation,
    sequence: getU53(view, at + 24),
    synced: getU53(view, at + 32),
    previousIndex: getU53(view, at + 40),
    previousTerm: getU53(view, at + 48),
    commit: getU53(view, at + 56),
    snapshotThrough: getU53(view, at + 64),
    reset: (view.getUint32(at + 72, true) & FLAG_RESET) !== 0,
    ended: (view.getUint32(at + 72, true) & FLAG_ENDED) !== 0,
    count: view.getUint32(at + 8, true),
    length: view.getUint32(at + 12, true),
  };
  // Numbers above 2^53 read as -1: no writer of this program made them.
  const { sequence, synced, previousIndex, previousTerm, commit, snapshotThrough } = header;
  const sound = Math.min(sequence, synced, previousIndex, previousTerm, commit, snapshotThrough) >= 0;
  return sound && header.count * RECORD_HEADER <= header.length && header.synced < header.sequence ? header : undefined;
}

/** Undefined unless a sound record stands at `at` and ends by `end`. */
export function decodeRecordHead(bytes: Uint8Array, view: DataView, at: number, end: number, seed: number): RecordHead | undefined {
  if (at + RECORD_HEADER > end) return undefined;
  const dataLength = view.getUint32(at + 4, true);
  const recordEnd = at + RECORD_HEADER + dataLength;
  if (recordEnd > end || view.getUint32(at, true) !== crc32c(bytes, seed, at + 4, recordEnd)) return undefined;
  const index = getU53(view, at + 8);
  const term = getU53(view, at + 16);
  const type = view.getUint32(at + 24, true);
  if (index < 0 || term < 0 || type > 1) return undefined;
  return { index, term, type: type === 0 ? 'normal' : 'confChange', dataLength };
}

/** A whole number below 2^53 in eight bytes. */
export function putU53(view: DataView, at: number, n: number): void {
  assert(n >= 0 && n <= Number.MAX_SAFE_INTEGER, 'numbers in the log are 0 to 2^53-1');
  view.setUint32(at, n >>> 0, true);
  view.setUint32(at + 4, (n / TWO_32) | 0, true);
}

/** -1 for a number above 2^53. */
export function getU53(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high >= MAX_HIGH ? -1 : high * TWO_32 + view.getUint32(at, true);
}
