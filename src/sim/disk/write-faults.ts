/**
 * A device that says it wrote and did not, or wrote elsewhere. Both look right through the cache
 * until it forgets.
 */

import type { ArmedFault, Place } from './armed-faults.js';
import type { DiskState } from './disk-state.js';
import { SECTOR, type Inode } from './inode.js';

/**
 * Whether a write that comes to the medium now is lost there; undefined while no fault is armed.
 */
export function deviceFaults(state: DiskState, inode: Inode): ((bytes: Uint8Array, offset: number) => boolean) | undefined {
  if (state.faults.none) return undefined;
  return (bytes, offset) => {
    if (state.strike('lost-write', inode.path, offset, bytes.length) !== undefined) return true;
    const fault = state.strike('misdirected-write', inode.path, offset, bytes.length);
    if (fault === undefined) return false;
    land(state, fault, inode, bytes, offset);
    return true;
  };
}

function land(state: DiskState, fault: ArmedFault, inode: Inode, bytes: Uint8Array, offset: number): void {
  const place = fault.target === undefined ? anywhere(state, inode) : fault.target(inode.path, offset, bytes.length);
  const target = place === undefined ? undefined : state.names.file(place.path);
  if (place === undefined || target === undefined) return;
  // The bytes are a view of what waits for this sync, and the target may be this very file: they
  // are copied first.
  const copy = bytes.slice();
  const there = target.alter(place.offset, copy.length, (old) => old.set(copy.subarray(0, old.length)), true);
  if (there) fault.onStrike(place.path, place.offset, copy.length);
}

/** Any other file, or, where there is none, this one; at a sector. */
function anywhere(state: DiskState, inode: Inode): Place | undefined {
  const files = state.names.files().filter(([, file]) => file.mediumSize > 0);
  const others = files.filter(([, file]) => file !== inode);
  const from = others.length > 0 ? others : files;
  if (from.length === 0) return undefined;
  const [path, file] = state.random.pick(from);
  return { path, offset: state.random.below(Math.ceil(file.mediumSize / SECTOR)) * SECTOR };
}
