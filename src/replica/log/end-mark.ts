/**
 * The end mark: eight bytes behind whatever was written last to an area of a segment, in the same
 * write. What is written next begins in their place.
 *
 *     magic 4 | crc 4, over the offset, seeded with the segment's generation
 *
 * R6 a sound one proves that nothing written behind it was ever synced: the sync would have put the
 * beginning of that in its place. Nothing else proves it. Zeros may be what is left of a page, a
 * recycled segment holds what an earlier life wrote, and a page that cannot be read may hold
 * anything. At a multiple of eight it lies in one sector, so it is there as a whole or not at all.
 * Where fewer than {@link LEAST_BYTES} are left of an area nothing more goes in, and none is
 * needed.
 */

import { ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Area } from './segment-layout.js';

export const END_MARK_BYTES = 8;
/** Nothing that is written to an area is smaller. */
export const LEAST_BYTES = 64;
const MAGIC = 0x3145_4c4b; // 'KLE1'

/** The mark at `offset` of a segment, at `at` in `view`. */
export function putEndMark(view: DataView, at: number, seed: number, offset: number): void {
  view.setUint32(at, MAGIC, true);
  view.setUint32(at + 4, checksum(seed, offset), true);
}

/** Of the segment that `view` shows from its beginning on. */
export function isEndMark(view: DataView, offset: number, seed: number): boolean {
  return offset + END_MARK_BYTES <= view.byteLength && view.getUint32(offset, true) === MAGIC
    && view.getUint32(offset + 4, true) === checksum(seed, offset);
}

export function encodeEndMark(seed: number, offset: number): Uint8Array {
  const bytes = new Uint8Array(END_MARK_BYTES);
  putEndMark(new DataView(bytes.buffer), 0, seed, offset);
  return bytes;
}

/** What ends at `offset` may have one. */
export function hasRoomForMark({ end }: Area, offset: number): boolean {
  return offset + END_MARK_BYTES <= end;
}

function checksum(seed: number, offset: number): number {
  return crc32c(new ByteWriter(8).u53(offset).view(), seed);
}
