/**
 * Whether it is known where a log ended, whatever went bad.
 *
 * R6 a member that says "I do not have it" of what may have followed its last batch lets a majority
 * cut what was acknowledged. So it is to be known, not guessed, that nothing followed. Where the
 * next batch would stand is known: in a striped segment in the other area than the last batch, for
 * they go by turns; in format 1 behind it; or at the beginning of the next segment, if this one was
 * left. An end mark there (`end-mark.ts`) is the proof that nothing did. Damage there, and be it
 * zeros, means that the end of the log is not known, and that others are asked what followed.
 *
 * A write that never finished is no damage (`area-end.ts`): the beginning of a batch may stand
 * there. If that one had been synced and anything had followed it, its identity or the batch after
 * it would begin behind the last batch, in the area of that one: so an end mark there says that it
 * was at most the last write of all. Of that write alone, the last group commit before a crash, rot
 * can pass for a tear: if it looks like one to the sector, and no identity followed within 50 ms.
 * Both areas can only look torn if one of them is damaged.
 *
 * What stands behind a batch in the other area was written after its sync: it proves the batch, as
 * its identity would. A last batch without proof is torn only if it can be: each bad record of it
 * has a sector that nothing sound shows to have been written. Otherwise it is damaged, and treated
 * as one that may have been acknowledged.
 */

import { SECTOR } from './area-end.js';
import { CRC_AT, CRC_BYTES } from './batch-codec.js';
import type { BatchFact, SegmentScan } from './scan.js';
import { areaAt, otherArea, STRIPED } from './segment-layout.js';

export interface LogEnd {
  /** The last batch was synced, or cannot be shown not to have been. */
  readonly provesLast: boolean;
  /** Something may have followed: where. */
  readonly open: { readonly generation: number; readonly offset: number } | undefined;
}

/** `batches` in order of sequence: the last of them is the last that is known. */
export function findLogEnd(scans: readonly SegmentScan[], batches: readonly BatchFact[]): LogEnd {
  const last = batches.at(-1);
  const at = last === undefined ? -1 : scans.findIndex(({ generation }) => generation === last.generation);
  const scan = scans[at];
  if (last === undefined || scan === undefined) return { provesLast: false, open: openPlace(scans[0], mayFollowIn(scans[0])) };
  const here = scan.layout.format === STRIPED ? ofStriped(scan, last) : ofApart(scan, last, batches.at(-2));
  // Before a segment is left the identities of its batches are durable.
  const next = last.identified || here.proves ? scans[at + 1] : undefined;
  const open = openPlace(scan, here.open) ?? openPlace(next, mayFollowIn(next));
  const provesLast = here.proves || open !== undefined || next?.ends[0] === 'begun' || !mayBeTorn(last);
  return { provesLast, open };
}

interface Here {
  readonly proves: boolean;
  readonly open: boolean;
}

function ofStriped({ layout, ends, lastIdentity }: SegmentScan, last: BatchFact): Here {
  const own = areaAt(layout, last.offset);
  const [before, behind] = [ends[own], ends[otherArea(own)]];
  // It stands there, or did: the last batch was synced, and nothing but that was left behind it.
  const isNamed = lastIdentity[otherArea(own)] === last.sequence;
  switch (behind) {
    case 'unknown':
      return { proves: true, open: true };
    case 'unmarked':
      // The identity of the last batch left alone, and the power went.
      if (!isNamed) return { proves: true, open: true };
      return { proves: true, open: before === 'unknown' || before === 'unmarked' };
    case 'begun':
      return { proves: true, open: before !== 'absent' };
    case 'absent':
      // One append may be several batches, one behind the other.
      return { proves: isNamed, open: before === 'unknown' && !last.identified && !isNamed && !isCutShort(last) };
  }
}

/** Batches in the first area, identities in the second, both under one sync. */
function ofApart({ ends, lastIdentity }: SegmentScan, last: BatchFact, previous: BatchFact | undefined): Here {
  const [batches] = ends;
  // The identity that was on its way is that of the last batch, or of the one before.
  const identities = ends[1] === 'unmarked' && lastIdentity[1] < (previous?.sequence ?? 0) ? 'unknown' : ends[1];
  const proves = last.identified || identities === 'unknown' || (identities === 'begun' && previous?.identified !== false);
  // Damage, but for a last write that never finished: that one may have reached neither its own
  // end nor the mark behind it.
  const isDamaged = batches === 'unknown' ? proves || !isCutShort(last) : batches === 'unmarked' && proves;
  // Of one that follows an identity is known only if what it names was synced.
  const isFollowed = identities === 'unknown' || (identities !== 'absent' && last.identified);
  return { proves, open: isDamaged || (batches !== 'absent' && isFollowed) };
}

/** Its end may not have been written, nor the mark behind it: else that is there with its end. */
function isCutShort({ records }: BatchFact): boolean {
  return records.at(-1)?.good === false;
}

/** The segment was left for the next one, and something may be there. */
function mayFollowIn(next: SegmentScan | undefined): boolean {
  if (next === undefined || next.batches.length > 0) return false;
  const [first, second] = next.ends;
  return first === 'unknown' || (first === 'begun' && second !== 'absent');
}

function openPlace(scan: SegmentScan | undefined, open: boolean): LogEnd['open'] {
  return scan !== undefined && open ? { generation: scan.generation, offset: scan.layout.dataStart } : undefined;
}

/** A power loss may have left of it what there is. */
function mayBeTorn({ offset, records }: BatchFact): boolean {
  const written = new Set<number>();
  const note = (from: number, to: number): void => {
    for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) written.add(sector);
  };
  // Only a checksum shows that its sector was written: the rest of what is sound may have been
  // there before: zeros of a new segment, or the same value as the last time. A batch header that
  // is bad is known by an identity alone, which is proof.
  note(offset + CRC_AT, offset + CRC_AT + CRC_BYTES);
  for (const { offset: at, good } of records) if (good) note(at, at + CRC_BYTES);
  // A record behind one whose length is bad has no place.
  return records.every(({ offset: at, length, good }) => good || length === 0 || hasOther(written, at, at + length));
}

function hasOther(written: ReadonlySet<number>, from: number, to: number): boolean {
  for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) if (!written.has(sector)) return true;
  return false;
}
