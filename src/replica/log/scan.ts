/**
 * What a segment file says, damaged or not: every batch of which a sound header or a sound identity
 * is left, and which of its records are sound. No judgement here; nothing is changed. Bytes that
 * cannot be read count as bytes that are bad.
 */

import type { Disk } from '../../base/disk.js';
import { DiskError } from '../../base/errors.js';
import type { Term } from '../../base/ids.js';
import { readAreaEnd, type AreaEnd } from './area-end.js';
import { BATCH_HEADER, BATCH_MAGIC, decodeBatchHeader, decodeRecordHead, RECORD_HEADER, type BatchContext, type BatchHeader } from './batch-codec.js';
import { findIdentities } from './find-identities.js';
import { isEndMark } from './end-mark.js';
import { identityBytes, type BatchIdentity } from './identity-codec.js';
import {
  align8, APART, areaAt, decodeHeader, encodeHeader, generationSeed, HEADER_BYTES, HEADER_USED, layoutOf, MARKED_USED, MAX_SEGMENT_BYTES,
  middleOf, otherArea, STRIPED, type Area, type AreaIndex, type SegmentHeader, type SegmentLayout,
} from './segment-layout.js';

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
  /** In the order of their sequence numbers. */
  readonly batches: readonly BatchFact[];
  /** By area: the end of the last identity there; where the area begins if there is none. */
  readonly identityEnds: readonly [number, number];
  /** By area: what stands behind all that is known of it. */
  readonly ends: readonly [AreaEnd, AreaEnd];
  /**
   * By area: of the batch whose identity is the last thing there, or was, by the end mark behind
   * it; 0: it is something else.
   */
  readonly lastIdentity: readonly [number, number];
  /** Both areas began with an end mark when the file was made. */
  readonly marked: boolean;
  /** What is wrong with the file as a whole, for people. */
  readonly oddities: readonly string[];
  /** Offsets of the pages that could not be read; they count as zero. */
  readonly unreadable: readonly number[];
  readonly headersGood: boolean;
  readonly sizeGood: boolean;
  /**
   * So little of the file is left that what is missing from it proves nothing: all three copies of
   * its header are gone, or its end is. With one of them left its areas are as they were written,
   * but for damage of less than 1 MiB (R6).
   */
  readonly wrecked: boolean;
}

export async function scanSegment(disk: Disk, path: string, generation: number, usualBytes: number): Promise<SegmentScan> {
  const size = disk.sizeOf(path) ?? 0;
  const oddities: string[] = [];
  const unreadable: number[] = [];
  let bytes = await readAll(disk, path, Math.min(size, MAX_SEGMENT_BYTES), unreadable);
  for (const page of unreadable) oddities.push(`bytes ${page} to ${page + PAGE} cannot be read`);
  const layout = findLayout(bytes, generation, usualBytes);
  const headers = soundHeaders(bytes, generation, layout.bytes);
  const headersGood = headers.length === 2 && headers.every(({ format }) => format === layout.format);
  const copies = middleHeaders(bytes, generation, layout.bytes);
  const wrecked = headers.length + copies.length === 0 || size < layout.identityEnd;
  if (headers.length < 2) oddities.push('a header is damaged');
  if (size !== layout.bytes) {
    oddities.push(`the file has ${size} bytes instead of ${layout.bytes}`);
    bytes = sized(bytes, layout.bytes);
  }
  const { batches, identities, identityEnds } = readAreas(bytes, layout, generation);
  const marked = [...headers, ...copies].some((header) => header.marked === true);
  const { ends, lastIdentity } = endsOfAreas(bytes, { generation, layout, batches, identities, marked, unreadable });
  // A change of an empty segment's format that a crash cut off is no damage.
  if (headers.length === 2 && !headersGood && batches.length > 0) oddities.push('its headers differ');
  return {
    generation, layout, batches, identityEnds, ends, lastIdentity, marked, oddities, unreadable, headersGood, wrecked,
    sizeGood: size === layout.bytes,
  };
}

interface ReadAreas {
  readonly batches: readonly BatchFact[];
  readonly identities: readonly BatchIdentity[];
  readonly identityEnds: readonly [number, number];
}

/** What stands last in an area. */
interface LastOfArea {
  readonly end: number;
  readonly marked: boolean;
  /** The batch of which it is the identity; 0: it is none. */
  readonly identityOf: number;
  /** The sequence number of the batch that it is; 0: it is none. */
  readonly batch: number;
}

/**
 * The identity of the last batch, left alone and damaged: nothing else goes behind the batch before
 * in the other area, it is as long as that batch says, and what follows it is an end mark, behind
 * which nothing was ever synced.
 */
function lostIdentity(
  view: DataView, layout: SegmentLayout, last: BatchFact | undefined, lasts: readonly [LastOfArea, LastOfArea], seed: number,
): { readonly area: AreaIndex; readonly last: LastOfArea } | undefined {
  if (layout.format !== STRIPED || last === undefined || last.identified || last.records.some(({ good }) => !good)) return undefined;
  const area = otherArea(areaAt(layout, last.offset));
  const { end: place, batch, identityOf } = lasts[area];
  const follows = batch > 0 ? batch === last.sequence - 1 : identityOf === 0 && last.offset === layout.dataStart;
  const end = place + identityBytes(last.records.map(({ term }) => term));
  if (!follows || isEndMark(view, place, seed) || !isEndMark(view, end, seed)) return undefined;
  return { area, last: { end, marked: true, identityOf: last.sequence, batch: 0 } };
}

function endsOfAreas(
  bytes: Uint8Array,
  { generation, layout, batches, identities, marked, unreadable }: Omit<ReadAreas, 'identityEnds'> & Pick<SegmentScan, 'generation' | 'layout' | 'marked' | 'unreadable'>,
): Pick<SegmentScan, 'ends' | 'lastIdentity'> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lasts: [LastOfArea, LastOfArea] = [
    { end: layout.areas[0].start, marked, identityOf: 0, batch: 0 }, { end: layout.areas[1].start, marked, identityOf: 0, batch: 0 },
  ];
  const sees = (at: number, end: number, isMarked: boolean, of: Pick<LastOfArea, 'identityOf' | 'batch'>): void => {
    const area = areaAt(layout, at);
    if (end > lasts[area].end) lasts[area] = { end, marked: isMarked, ...of };
  };
  for (const { at, end, marked: isMarked, sequence } of identities) sees(at, end, isMarked, { identityOf: sequence, batch: 0 });
  for (const batch of batches) sees(batch.offset, endOf(batch), batch.ended, { identityOf: 0, batch: batch.sequence });
  const seed = generationSeed(generation);
  const lost = lostIdentity(view, layout, batches.at(-1), lasts, seed);
  if (lost !== undefined) lasts[lost.area] = lost.last;
  const [first, second] = layout.areas.map((area, i): AreaEnd => {
    const { end: offset, marked: isMarked } = lasts[i] as LastOfArea;
    const isUnreadable = unreadable.some((page) => page <= offset && offset < page + PAGE);
    return readAreaEnd(view, area, { generation, seed, offset, marked: isMarked, unreadable: isUnreadable });
  });
  return { ends: [first as AreaEnd, second as AreaEnd], lastIdentity: [lasts[0].identityOf, lasts[1].identityOf] };
}

/**
 * By area: where the next record goes behind the batches that are `kept` and all identities. What
 * lies behind is free.
 */
export function freeFrom({ generation, layout, identityEnds }: SegmentScan, kept: readonly BatchFact[]): [number, number] {
  const free: [number, number] = [...identityEnds];
  for (const batch of kept) {
    if (batch.generation !== generation) continue;
    const area = areaAt(layout, batch.offset);
    free[area] = Math.max(free[area], endOf(batch));
  }
  return free;
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
 * A header says how the file was made. With both gone, or where they differ because a change of an
 * empty segment's format did not reach the medium whole, it is of the format in which more of it
 * can be read.
 */
export function findLayout(bytes: Uint8Array, generation: number, usualBytes: number): SegmentLayout {
  const segmentBytes = segmentBytesOf(bytes, generation, usualBytes);
  const headers = soundHeaders(bytes, generation, segmentBytes);
  const [one, two = one] = headers;
  if (one !== undefined && one.format === two?.format) return layoutOf(segmentBytes, one.format);
  const whole = sized(bytes, segmentBytes);
  const readable = (layout: SegmentLayout): number => {
    const { batches } = readAreas(whole, layout, generation);
    return batches.reduce((sum, { identified, records }) => sum + 1 + (identified ? 1 : 0) + records.filter(({ good }) => good).length, 0);
  };
  const [apart, striped] = [layoutOf(segmentBytes, APART), layoutOf(segmentBytes, STRIPED)];
  const more = readable(striped) - readable(apart);
  return more > 0 || (more === 0 && headers.length === 2) ? striped : apart;
}

/**
 * A header says how large the file was made; with both gone it is as large as the others, or was
 * made for a large entry and is as large as it is.
 */
function segmentBytesOf(bytes: Uint8Array, generation: number, usualBytes: number): number {
  for (const at of [0, bytes.length - HEADER_BYTES, usualBytes - HEADER_BYTES]) {
    const header = decodeHeader(bytes, at);
    if (header?.generation === generation) return header.segmentBytes;
  }
  return bytes.length > usualBytes && bytes.length % HEADER_BYTES === 0 ? bytes.length : usualBytes;
}

function soundHeaders(bytes: Uint8Array, generation: number, segmentBytes: number): SegmentHeader[] {
  const headers = [0, segmentBytes - HEADER_BYTES].map((at) => decodeHeader(bytes, at));
  return headers.filter((header) => header?.generation === generation) as SegmentHeader[];
}

/**
 * In whichever format the file was made: one that was changed may still have that of the other.
 * What stands there may be a client's, and is compared, not read.
 */
export function middleHeaders(bytes: Uint8Array, generation: number, segmentBytes: number): SegmentHeader[] {
  return [APART, STRIPED].flatMap((format) => {
    const said = encodeHeader({ format, generation, segmentBytes, marked: true });
    const at = middleOf(layoutOf(segmentBytes, format));
    const isThere = (from: number, to: number): boolean => said.subarray(from, to).every((byte, i) => bytes[at + from + i] === byte);
    return isThere(0, HEADER_USED) ? [{ format, generation, segmentBytes, marked: isThere(HEADER_USED, MARKED_USED) }] : [];
  });
}

function sized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  const whole = new Uint8Array(size);
  whole.set(bytes.subarray(0, size));
  return whole;
}

function readAreas(bytes: Uint8Array, layout: SegmentLayout, generation: number): ReadAreas {
  const seed = generationSeed(generation);
  const identities = findIdentities(bytes, layout, seed, generation).filter((identity) => isOf(layout, identity));
  const identityEnds: [number, number] = [layout.dataStart, layout.identityStart];
  for (const { at, end } of identities) identityEnds[areaAt(layout, at)] = end;
  const holdBatches = layout.format === STRIPED ? layout.areas : [layout.areas[0]];
  const batches = holdBatches.flatMap((area) => scanBatches(bytes, area, generation, seed, identities));
  return { batches: batches.sort((a, b) => a.sequence - b.sequence), identities, identityEnds };
}

/** What it vouches for lies in one area. If not, the segment was written in another format. */
function isOf(layout: SegmentLayout, { offset, lengths }: BatchIdentity): boolean {
  const end = lengths.reduce((sum, length) => sum + length, offset + BATCH_HEADER);
  return offset >= layout.dataStart && end <= layout.areas[areaAt(layout, offset)].end;
}

function scanBatches(
  bytes: Uint8Array, { start, end }: Area, generation: number, seed: number, identities: readonly BatchIdentity[],
): BatchFact[] {
  const byOffset = new Map(identities.map((identity) => [identity.offset, identity]));
  const endByPlace = new Map(identities.map((identity) => [identity.at, identity.end]));
  const area = bytes.subarray(0, end);
  const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
  const batches: BatchFact[] = [];
  for (let at = start; at + BATCH_HEADER <= end; ) {
    const identity = byOffset.get(at);
    const read = view.getUint32(at, true) === BATCH_MAGIC ? decodeBatchHeader(area, view, at, seed, generation) : undefined;
    const fits = read !== undefined && at + BATCH_HEADER + read.length <= end;
    const header = fits && (identity === undefined || identity.sequence === read.sequence) ? read : undefined;
    if (header === undefined && identity === undefined) {
      at = endByPlace.get(at) ?? at + 8;
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
  const { sequence, previousIndex, previousTerm, snapshotThrough, reset, ended } = identity;
  return {
    generation, offset, sequence, previousIndex, previousTerm, snapshotThrough, reset, ended, records,
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
