/**
 * Faults on the way from the medium to a reader: reads that fail, once or until the page is written
 * again, and bits that flip.
 */

import { DiskError } from '../../base/errors.js';
import type { ArmedFault } from './armed-faults.js';
import type { DiskState } from './disk-state.js';
import { PAGE, SECTOR, type Inode } from './inode.js';

/**
 * Throws DiskError READ_FAILED if this read fails. `direct`: past the cache, which else answers for
 * the pages it holds.
 */
export function checkRead(state: DiskState, inode: Inode, offset: number, length: number, direct: boolean): void {
  if (!state.faults.none) {
    if (state.strike('read-error', inode.path, offset, length) !== undefined) throw readFailed(inode.path, offset);
    const sticky = state.faults.take('sticky-read-error', inode.path, offset, length);
    if (sticky !== undefined) {
      const sector = sectorToSpoil(state, sticky, inode.path, offset, length);
      state.report(sticky, inode.path, sector, SECTOR);
      inode.spoil(sector);
      throw readFailed(inode.path, sector);
    }
  }
  const bad = inode.unreadable(...(direct ? ([offset, length] as const) : pagesOf(offset, length)));
  if (bad !== undefined && (direct || inode.missing(offset, length) > 0)) throw readFailed(inode.path, bad);
}

/** Throws DiskError READ_FAILED for a write that changes a page in part which cannot be read. */
export function checkWrite(inode: Inode, offset: number, length: number): void {
  const bad = inode.unwritable(offset, length);
  if (bad !== undefined) throw readFailed(inode.path, bad);
}

/** Flips a bit of what was read, if that fault strikes. */
export function misread(state: DiskState, inode: Inode, bytes: Uint8Array, offset: number): void {
  if (state.faults.none || bytes.length === 0) return;
  const fault = state.strike('misread', inode.path, offset, bytes.length);
  if (fault === undefined) return;
  const wanted = (fault.flipAt?.(inode.path, offset, bytes.length) ?? -1) - offset;
  const at = wanted >= 0 && wanted < bytes.length ? wanted : state.random.below(bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << state.random.below(8));
}

/** One of the sectors that are read, if possible one that the fault was meant for by itself. */
function sectorToSpoil(state: DiskState, fault: ArmedFault, path: string, offset: number, length: number): number {
  const first = Math.floor(offset / SECTOR);
  const count = Math.max(1, Math.ceil((offset + length) / SECTOR) - first);
  const start = state.random.below(count);
  for (let i = 0; i < count; i++) {
    const at = (first + ((start + i) % count)) * SECTOR;
    if (fault.matches(path, at, SECTOR)) return at;
  }
  return (first + start) * SECTOR;
}

function pagesOf(offset: number, length: number): readonly [offset: number, length: number] {
  const from = offset - (offset % PAGE);
  return [from, Math.ceil((offset + length) / PAGE) * PAGE - from];
}

function readFailed(path: string, offset: number): DiskError {
  return new DiskError('READ_FAILED', `${path}: EIO (injected)`, { path, offset, errno: 'EIO' });
}
