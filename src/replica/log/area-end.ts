/**
 * What stands where the next write to an area would begin, behind all of it that is known.
 *
 * What a write that never finished looks like: each write begins at that place and goes on from
 * there in one piece, and between two syncs writes go to one area alone (in a segment of format 1,
 * to both). A power loss leaves of it any sectors, each whole: so either its first sector is there,
 * and with it the beginning of an identity or of a batch, or what stood there before, which is an
 * end mark. Whatever cannot be such a rest of a write is damage, and damage may have taken what was
 * synced.
 */

import { BATCH_HEADER, BATCH_MAGIC, getU53 } from './batch-codec.js';
import { isEndMark, LEAST_BYTES } from './end-mark.js';
import { IDENTITY_HEADER, IDENTITY_MAGIC } from './identity-codec.js';
import type { Area } from './segment-layout.js';

/** The least that a disk writes as a whole. */
export const SECTOR = 512;

/**
 *   absent    nothing was ever synced there
 *   begun     the beginning of a write is there that may never have finished
 *   unmarked  as much as was written last is there, and not its end mark: it may not have finished
 *   unknown   it cannot be: something may have been there, and have been acknowledged
 */
export type AreaEnd = 'absent' | 'begun' | 'unmarked' | 'unknown';

export interface EndPlace {
  readonly generation: number;
  readonly seed: number;
  /** Where the next write begins. */
  readonly offset: number;
  /** An end mark was written there, with what is known before. */
  readonly marked: boolean;
  /** The page cannot be read. */
  readonly unreadable: boolean;
}

/** `view`: of the segment, from its beginning on. */
export function readAreaEnd(view: DataView, { start, end }: Area, place: EndPlace): AreaEnd {
  const { offset, marked, seed, unreadable } = place;
  if (offset + LEAST_BYTES > end) return 'absent';
  if (unreadable) return 'unknown';
  // An older program wrote none: what stands there says nothing.
  if (!marked || isEndMark(view, offset, seed)) return 'absent';
  if (isBegun(view, place)) return 'begun';
  // What it follows ends with a sector, and the next one was not written.
  return offset % SECTOR === 0 && offset > start ? 'unmarked' : 'unknown';
}

/** As much as the first sector holds of a head is right, and the rest of the head was not there. */
function isBegun(view: DataView, { offset, generation }: EndPlace): boolean {
  const rest = SECTOR - (offset % SECTOR);
  const magic = view.getUint32(offset, true);
  if (magic !== BATCH_MAGIC && magic !== IDENTITY_MAGIC) return false;
  if (rest >= 24 && getU53(view, offset + 16) !== generation) return false;
  return rest < headBytes(view, offset, magic, rest);
}

function headBytes(view: DataView, offset: number, magic: number, rest: number): number {
  if (magic === BATCH_MAGIC) return BATCH_HEADER;
  if (rest < IDENTITY_HEADER) return IDENTITY_HEADER;
  return IDENTITY_HEADER + view.getUint32(offset + 8, true) * 8 + view.getUint32(offset + 60, true) * 12;
}
