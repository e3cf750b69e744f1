/**
 * How a segment file is divided: two areas, far apart, and a header at both ends. The file's format
 * says what the areas hold.
 *
 *     format 1, apart: entries grow in the first area, their identity records in the second
 *
 *     0         4 KiB                    11 MiB     12 MiB                 16 MiB - 4 KiB  16 MiB
 *     +---------+------------------------+----------+----------------------+---------------+
 *     | header  | batch | batch | ..     | gap: not | id | id | ..         | header (copy) |
 *     |         |  n-1      n            | used     | n-2  n-1 (after its sync)            |
 *     +---------+------------------------+----------+----------------------+---------------+
 *
 *     format 2, striped: both areas hold both; what is synced together goes to one area, and to the
 *     other area than what was synced before it
 *
 *     0         4 KiB                  7.5 MiB    8.5 MiB                  16 MiB - 4 KiB  16 MiB
 *     +---------+------------------------+----------+----------------------+---------------+
 *     | header  | id | batch | id | batch| gap: not | id | batch | ..      | header (copy) |
 *     |         | n-3  n-2    n-1   n    | used     | n-2  n-1             |               |
 *     +---------+------------------------+----------+----------------------+---------------+
 *
 * R6 the identity of a batch lies in the other area than the batch, and no single damaged region of
 * less than 1 MiB reaches from one area into the other: the gap keeps them apart. So none takes a
 * batch and the proof that it existed. The rule of the FAST'18 paper on protocol-aware recovery
 * asks for no more: a record of what was persisted, megabytes away, under the same sync, in either
 * order. In a striped segment that record leaves in front of the next batch in one piece, so that a
 * group commit writes one place of the device and not two. A page that goes bad takes batches n,
 * n-2, n-4, .. and with them the identities of n-1, n-3, ..; those batches are sound themselves,
 * and they, in the other area, have before them the identities of n-2, n-4, ..: only n, the last
 * one, can be without, as in format 1. An idle log writes the identity of its last batch alone.
 *
 * The figures are those of the default 16 MiB; other sizes scale them: small ones of tests, and the
 * larger one of format 1 that is made for an entry which an ordinary segment has no room for. Fixed
 * areas rather than two that grow towards each other, so that recovery knows where to look. In the
 * middle of the gap the header stands a third time: with both ends of the file bad, it still shows
 * that what lies between is what was written there, or nothing (`SegmentScan.wrecked`). A program
 * that does not know of it neither writes it nor looks at it.
 *
 * A file keeps its zero-filled blocks for life: it is recycled under a new name and a new
 * generation, and then in any format. The generation is part of every checksum in the file, so what
 * an earlier life left behind is never taken for a record.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError } from '../../base/errors.js';
import type { ClusterVersion } from '../../base/ids.js';
import { FIRST_VERSION, VERSION_2, type Since } from '../base/protocol.js';

export const DEFAULT_SEGMENT_BYTES = 16 * MiB;
export const HEADER_BYTES = 4096;
/** Three headers' worth of pages and something between them. */
export const MIN_SEGMENT_BYTES = 32 * 1024;
export const MAX_SEGMENT_BYTES = 1024 * MiB;
const HEADER_MAGIC = 0x474c534b; // 'KSLG'
/** What a header says; the rest of it is zero. */
export const HEADER_USED = 28;
const SECTOR_BYTES = 512;
/** Behind what is summed up, with a checksum of its own: older programs read past it. */
const MARKED_MAGIC = 0x314d_4c4b; // 'KLM1'
export const MARKED_USED = HEADER_USED + 8;

export type SegmentFormat = 1 | 2;
export const APART: SegmentFormat = 1;
export const STRIPED: SegmentFormat = 2;

/** From which version of the cluster on a segment of each format is made. */
export const SEGMENT_SINCE: Since<SegmentFormat> = { 1: FIRST_VERSION, 2: VERSION_2 };

/** The one that a cluster of `version` writes: the newest that it allows. */
export function formatOf(version: ClusterVersion): SegmentFormat {
  return SEGMENT_SINCE[STRIPED] <= version ? STRIPED : APART;
}

/** The first or the second. */
export type AreaIndex = 0 | 1;

export interface Area {
  readonly start: number;
  readonly end: number;
}

export interface SegmentLayout {
  readonly format: SegmentFormat;
  readonly bytes: number;
  /** [dataStart, dataEnd) is the first area. */
  readonly dataStart: number;
  readonly dataEnd: number;
  /** [identityStart, identityEnd) is the second area; the copy of the header follows. */
  readonly identityStart: number;
  readonly identityEnd: number;
  /** The same two. */
  readonly areas: readonly [Area, Area];
}

export function layoutOf(segmentBytes: number, format: SegmentFormat = APART): SegmentLayout {
  assert(
    segmentBytes % HEADER_BYTES === 0 && segmentBytes >= MIN_SEGMENT_BYTES && segmentBytes <= MAX_SEGMENT_BYTES,
    `a log segment takes 32 KiB to 1 GiB in whole pages, got ${segmentBytes}`,
  );
  const gap = segmentBytes / 16;
  const secondBytes = format === APART ? segmentBytes / 4 : (segmentBytes - gap) / 2;
  const dataStart = HEADER_BYTES;
  const dataEnd = align8(segmentBytes - secondBytes - gap);
  const identityStart = align8(segmentBytes - secondBytes);
  const identityEnd = segmentBytes - HEADER_BYTES;
  assert(
    segmentBytes < DEFAULT_SEGMENT_BYTES || identityStart - dataEnd >= MiB,
    'R6 identities are at least 1 MiB away from the entries they vouch for',
  );
  const areas = [{ start: dataStart, end: dataEnd }, { start: identityStart, end: identityEnd }] as const;
  return { format, bytes: segmentBytes, dataStart, dataEnd, identityStart, identityEnd, areas };
}

/** Where the header's third copy stands: only the sector of it that says something. */
export function middleOf({ dataEnd, identityStart }: SegmentLayout): number {
  const at = Math.floor((dataEnd + identityStart) / 2 / SECTOR_BYTES) * SECTOR_BYTES;
  assert(at >= dataEnd && at + SECTOR_BYTES <= identityStart, `R6 nothing is written into the gap but at ${at}`);
  return at;
}

/** In which area `offset` lies; what lies before the second one counts as the first. */
export function areaAt(layout: SegmentLayout, offset: number): AreaIndex {
  return offset < layout.identityStart ? 0 : 1;
}

export function otherArea(area: AreaIndex): AreaIndex {
  return area === 0 ? 1 : 0;
}

/**
 * Bytes of the smallest segment of format 1 whose first area has room for one batch of so many
 * bytes.
 */
export function segmentBytesFor(batchBytes: number): number {
  const pages = Math.ceil(((HEADER_BYTES + batchBytes) * (16 / 11)) / HEADER_BYTES);
  const bytes = Math.max(MIN_SEGMENT_BYTES, pages * HEADER_BYTES);
  const { dataStart, dataEnd } = layoutOf(bytes);
  assert(dataEnd - dataStart >= batchBytes, `a segment of ${bytes} bytes has room for a batch of ${batchBytes}`);
  return bytes;
}

export function align8(n: number): number {
  return (n + 7) & ~7;
}

/** The seed of every checksum in a segment. */
export function generationSeed(generation: number): number {
  return crc32c(new ByteWriter(8).u53(generation).view());
}

export interface SegmentHeader {
  readonly format: SegmentFormat;
  readonly generation: number;
  readonly segmentBytes: number;
  /** Both areas began with an end mark when it was made: see `end-mark.ts`. */
  readonly marked?: boolean;
}

/** One page. Written at both ends of the file; its first sector also in the middle. */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const out = new ByteWriter(HEADER_BYTES).u32(HEADER_MAGIC).u32(0).u32(header.format).u53(header.generation).u53(header.segmentBytes);
  out.patchU32(4, crc32c(out.view(), 0, 8, HEADER_USED));
  if (header.marked === true) {
    out.u32(MARKED_MAGIC).u32(crc32c(new ByteWriter(4).u32(MARKED_MAGIC).view(), generationSeed(header.generation)));
  }
  return out.zeros(HEADER_BYTES - out.view().length).finish();
}

export function middleCopy(header: Uint8Array): Uint8Array {
  return header.subarray(0, SECTOR_BYTES);
}

/**
 * Undefined if damaged. Throws CodecError for a sound header of a version that this program does
 * not know.
 */
export function decodeHeader(bytes: Uint8Array, at: number): SegmentHeader | undefined {
  if (at < 0 || bytes.length < at + HEADER_USED) return undefined;
  const input = new ByteReader(bytes.subarray(at, at + HEADER_USED), 'log segment header');
  if (input.u32() !== HEADER_MAGIC || input.u32() !== crc32c(bytes, 0, at + 8, at + HEADER_USED)) return undefined;
  const version = input.u32();
  if (version !== APART && version !== STRIPED) {
    throw new CodecError(`log segment of format ${version} is not supported: a newer program wrote it, start this member with that one`, { version });
  }
  const [generation, segmentBytes] = [input.u53(), input.u53()];
  return { format: version, generation, segmentBytes, marked: isMarked(bytes, at + HEADER_USED, generation) };
}

function isMarked(bytes: Uint8Array, at: number, generation: number): boolean {
  if (bytes.length < at + MARKED_USED - HEADER_USED) return false;
  const input = new ByteReader(bytes.subarray(at, at + MARKED_USED - HEADER_USED), 'log segment header');
  return input.u32() === MARKED_MAGIC && input.u32() === crc32c(bytes, generationSeed(generation), at, at + 4);
}

export function segmentName(dir: string, generation: number): string {
  return `${dir}/${generation.toString(16).padStart(16, '0')}.seg`;
}

/** Undefined for a name that is not a segment's. */
export function generationOf(name: string): number | undefined {
  if (!/^[0-9a-f]{16}\.seg$/.test(name)) return undefined;
  const generation = Number.parseInt(name.slice(0, 16), 16);
  return generation > 0 && Number.isSafeInteger(generation) ? generation : undefined;
}
