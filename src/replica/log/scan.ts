/**
 * What a segment file says, damaged or not: every batch of which a sound header or a sound identity
 * is left, and which of its records are sound. No judgement here; nothing is changed. Bytes that
 * cannot be read count as bytes that are bad.
 */

import type { Disk } from '../../base/disk.js';
import { DiskError } from '../../base/errors.js';
import type { Term } from '../../base/ids.js';
import { BATCH_HEADER, BATCH_MAGIC, decodeBatchHeader, decodeRecordHead, RECORD_HEADER, type BatchContext, type BatchHeader } from './batch-codec.js';
import { decodeIdentities, type BatchIdentity } from './identity-codec.js';
import { align8, decodeHeader, generationSeed, HEADER_BYTES, layoutOf, MAX_SEGMENT_BYTES, type SegmentLayout } from './segment-layout.js';

export interface RecordFact {
  /** -1 where it cannot be known. */
  readonly offset: number;
  readonly length: number;
  /** 0 where it cannot be known. */
  readonly term: Term;
  readonly checksum: number;
  readonly good: boolean;
}

/** Of a batch whose header is bad the identity says most; `synced` and `commit` are 0 then. */
export interface BatchFact extends BatchContext {
  readonly offset: number;
  /** An identity vouches for it. */
  readonly identified: boolean;
  readonly records: readonly RecordFact[];
}

export interface SegmentScan {
  readonly generation: number;
  readonly layout: SegmentLayout;
  /** In the order of their offsets. */
  readonly batches: readonly BatchFact[];
  /** The end of the last identity. */
  readonly identityCursor: number;
  /** What is wrong with the file as a whole, for people. */
  readonly oddities: readonly string[];
  /** Offsets of the pages that could not be read; they count as zero. */
  readonly unreadable: readonly number[];
  readonly headersGood: boolean;
  readonly sizeGood: boolean;
  /**
   * So little of the file is left that what is missing from it proves nothing: both headers are
   * gone, or its end is.
   */
  readonly wrecked: boolean;
}

export async function scanSegment(disk: Disk, path: string, generation: number, usualBytes: number): Promise<SegmentScan> {
  const size = disk.sizeOf(path) ?? 0;
  const oddities: string[] = [];
  const unreadable: number[] = [];
  let bytes = await readAll(disk, path, Math.min(size, MAX_SEGMENT_BYTES), unreadable);
  for (const page of unreadable) oddities.push(`bytes ${page} to ${page + PAGE} cannot be read`);
  const layout = layoutOf(segmentBytesOf(bytes, generation, usualBytes));
  const headers = [0, layout.bytes - HEADER_BYTES].filter((at) => decodeHeader(bytes, at)?.generation === generation).length;
  const wrecked = headers === 0 || size < layout.identityEnd;
  if (headers < 2) oddities.push('a header is damaged');
  if (size !== layout.bytes) {
    oddities.push(`the file has ${size} bytes instead of ${layout.bytes}`);
    const whole = new Uint8Array(layout.bytes);
    whole.set(bytes.subarray(0, layout.bytes));
    bytes = whole;
  }
  const seed = generationSeed(generation);
  const { identities, usedTo } = decodeIdentities(bytes, layout.identityStart, layout.identityEnd, seed, generation);
  const batches = scanBatches(bytes, layout, generation, seed, identities);
  const sizeGood = size === layout.bytes;
  return { generation, layout, batches, identityCursor: usedTo, oddities, unreadable, headersGood: headers === 2, sizeGood, wrecked };
}

/** Of the page that a bad sector takes with it. */
export const PAGE = 4096;
const READ_AT_ONCE = 1024 * 1024;

/**
 * Past the caches: after a failed sync they hold bytes that the disk does not. What cannot be read
 * is zero.
 */
async function readAll(disk: Disk, path: string, size: number, unreadable: number[]): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  for (let at = 0; at < size; at += READ_AT_ONCE) {
    const length = Math.min(READ_AT_ONCE, size - at);
    if (await readInto(disk, path, out, at, length)) continue;
    for (let page = at; page < at + length; page += PAGE) {
      if (await readInto(disk, path, out, page, Math.min(PAGE, at + length - page))) continue;
      unreadable.push(page);
    }
  }
  return out;
}

async function readInto(disk: Disk, path: string, out: Uint8Array, at: number, length: number): Promise<boolean> {
  try {
    out.set((await disk.readDirect(path, at, length)).bytes, at);
    return true;
  } catch (error) {
    if (error instanceof DiskError && error.code === 'READ_FAILED') return false;
    throw error;
  }
}

/**
 * A header says how large the file was made; with both gone it is as large as the others, or was
 * made for a large entry and is as large as it is.
 */
export function segmentBytesOf(bytes: Uint8Array, generation: number, usualBytes: number): number {
  for (const at of [0, bytes.length - HEADER_BYTES, usualBytes - HEADER_BYTES]) {
    const header = decodeHeader(bytes, at);
    if (header?.generation === generation) return header.segmentBytes;
  }
  return bytes.length > usualBytes && bytes.length % HEADER_BYTES === 0 ? bytes.length : usualBytes;
}

function scanBatches(
  bytes: Uint8Array, layout: SegmentLayout, generation: number, seed: number, identities: readonly BatchIdentity[],
): BatchFact[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const byOffset = new Map(identities.map((identity) => [identity.offset, identity]));
  const area = bytes.subarray(0, layout.dataEnd);
  const batches: BatchFact[] = [];
  for (let at = layout.dataStart; at + BATCH_HEADER <= layout.dataEnd; ) {
    const identity = byOffset.get(at);
    const read = view.getUint32(at, true) === BATCH_MAGIC ? decodeBatchHeader(area, view, at, seed, generation) : undefined;
    const fits = read !== undefined && at + BATCH_HEADER + read.length <= layout.dataEnd;
    const header = fits && (identity === undefined || identity.sequence === read.sequence) ? read : undefined;
    if (header === undefined && identity === undefined) {
      at += 8;
      continue;
    }
    const fact = identity === undefined
      ? fromHeader(area, view, at, seed, header as BatchHeader)
      : fromIdentity(area, view, at, seed, generation, identity, header);
    batches.push(fact);
    at = endOf(fact);
  }
  return batches;
}

/** Where the batch after it begins. */
export function endOf(batch: BatchFact): number {
  let length = BATCH_HEADER;
  for (const record of batch.records) length += record.length;
  return align8(batch.offset + length);
}

/**
 * The identity says where each record is and what it must be: a bad header or neighbour costs no
 * sound record.
 */
function fromIdentity(
  area: Uint8Array, view: DataView, offset: number, seed: number, generation: number, identity: BatchIdentity,
  header: BatchHeader | undefined,
): BatchFact {
  let at = offset + BATCH_HEADER;
  const records = identity.lengths.map((length, i): RecordFact => {
    const [start, checksum, term] = [at, identity.checksums[i] as number, identity.terms[i] as Term];
    at += length;
    const head = decodeRecordHead(area, view, start, at, seed);
    const good = head?.index === identity.previousIndex + 1 + i && head.term === term
      && head.dataLength + RECORD_HEADER === length && view.getUint32(start, true) === checksum;
    return { offset: start, length, term, checksum, good };
  });
  const { sequence, previousIndex, previousTerm, snapshotThrough, reset } = identity;
  return {
    generation, offset, sequence, previousIndex, previousTerm, snapshotThrough, reset, records,
    synced: header?.synced ?? 0, commit: header?.commit ?? 0, identified: true,
  };
}

/** Without an identity a record whose length is bad hides the ones behind it in the same batch. */
function fromHeader(area: Uint8Array, view: DataView, offset: number, seed: number, header: BatchHeader): BatchFact {
  const end = offset + BATCH_HEADER + header.length;
  const records: RecordFact[] = [];
  let at = offset + BATCH_HEADER;
  for (let i = 0; i < header.count; i++) {
    const last = i === header.count - 1;
    const head = decodeRecordHead(area, view, at, end, seed);
    const stated = at + RECORD_HEADER <= end ? RECORD_HEADER + view.getUint32(at + 4, true) : 0;
    // The records fill the batch exactly, so that the next batch is where the header says, whatever
    // the lengths say.
    const length = last || stated < RECORD_HEADER || at + stated > end ? end - at : stated;
    const good = head !== undefined && head.index === header.previousIndex + 1 + i && head.dataLength + RECORD_HEADER === length;
    records.push({ offset: at, length, term: head?.term ?? 0, checksum: length >= 4 ? view.getUint32(at, true) : 0, good });
    at += length;
  }
  return { ...header, offset, identified: false, records };
}
