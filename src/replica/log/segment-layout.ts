/**
 * How a segment file is divided. Entries grow in the data area, their identity records in an area
 * of its own:
 *
 *     0         4 KiB                    11 MiB     12 MiB                 16 MiB - 4 KiB  16 MiB
 *     +---------+------------------------+----------+----------------------+---------------+
 *     | header  | data: batch | batch .. | gap: not | identities: id | ..  | header (copy) |
 *     |         |   n-1         n        | used     |  n-1 (after its sync)|               |
 *     +---------+------------------------+----------+----------------------+---------------+
 *
 * R6 no single damaged region of less than 1 MiB takes a batch and the proof that it existed: the
 * gap keeps them apart. The figures are those of the default 16 MiB; other sizes scale them: small
 * ones of tests, and the larger one that is made for an entry which an ordinary one has no room
 * for. Fixed areas rather than two that grow towards each other, so that recovery knows where to
 * look with both headers gone.
 *
 * A file keeps its zero-filled blocks for life: it is recycled under a new name and a new
 * generation, never reused. The generation is part of every checksum in the file, so what an
 * earlier life left behind is never taken for a record.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError } from '../../base/errors.js';

export const DEFAULT_SEGMENT_BYTES = 16 * MiB;
export const HEADER_BYTES = 4096;
/** Three headers' worth of pages and something between them. */
export const MIN_SEGMENT_BYTES = 32 * 1024;
export const MAX_SEGMENT_BYTES = 1024 * MiB;
const HEADER_MAGIC = 0x474c534b; // 'KSLG'
const FORMAT_VERSION = 1;
const HEADER_USED = 28;

export interface SegmentLayout {
  readonly bytes: number;
  /** [dataStart, dataEnd) holds batches. */
  readonly dataStart: number;
  readonly dataEnd: number;
  /** [identityStart, identityEnd) holds identity records; the copy of the header follows. */
  readonly identityStart: number;
  readonly identityEnd: number;
}

export function layoutOf(segmentBytes: number): SegmentLayout {
  assert(
    segmentBytes % HEADER_BYTES === 0 && segmentBytes >= MIN_SEGMENT_BYTES && segmentBytes <= MAX_SEGMENT_BYTES,
    `a log segment takes 32 KiB to 1 GiB in whole pages, got ${segmentBytes}`,
  );
  const identityBytes = segmentBytes / 4;
  const gap = segmentBytes / 16;
  const layout: SegmentLayout = {
    bytes: segmentBytes,
    dataStart: HEADER_BYTES,
    dataEnd: align8(segmentBytes - identityBytes - gap),
    identityStart: align8(segmentBytes - identityBytes),
    identityEnd: segmentBytes - HEADER_BYTES,
  };
  assert(
    segmentBytes < DEFAULT_SEGMENT_BYTES || layout.identityStart - layout.dataEnd >= MiB,
    'R6 identities are at least 1 MiB away from the entries they vouch for',
  );
  return layout;
}

/** Bytes of the smallest segment whose data area has room for one batch of `batchBytes`. */
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
  readonly generation: number;
  readonly segmentBytes: number;
}

/** One page. Written twice, at both ends of the file. */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const out = new ByteWriter(HEADER_BYTES).u32(HEADER_MAGIC).u32(0).u32(FORMAT_VERSION).u53(header.generation).u53(header.segmentBytes);
  out.patchU32(4, crc32c(out.view(), 0, 8, HEADER_USED));
  return out.zeros(HEADER_BYTES - HEADER_USED).finish();
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
  if (version !== FORMAT_VERSION) throw new CodecError(`log segment of format ${version} is not supported`, { version });
  return { generation: input.u53(), segmentBytes: input.u53() };
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
