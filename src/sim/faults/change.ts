/**
 * What damage does to bytes: where in a stretch it begins, how far it goes, and what it leaves
 * there.
 */

import type { Stream } from '../world/random.js';
import type { DiskFault } from '../model/fault.js';

export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

const SECTOR = 512;
const PAGE = 4096;
const BURST_MAX = 256;

export function endOf({ offset, length }: Stretch): number {
  return offset + length;
}

/**
 * The stretch that a fault of this kind takes when it strikes `unit`. Sectors and pages may reach
 * beyond it, but stay within `allowed`, which holds the unit.
 */
export function stretchFor(kind: DiskFault, random: Stream, unit: Stretch, allowed: Stretch): Stretch {
  const at = unit.offset + random.below(Math.max(1, unit.length));
  switch (kind) {
    case 'bit-flip':
      return { offset: at, length: 1 };
    case 'burst':
      return clip({ offset: at, length: random.between(2, BURST_MAX) }, unit);
    default:
  }
  const size = random.pick([SECTOR, SECTOR, PAGE, 0]);
  return size === 0 ? unit : clip({ offset: at - (at % size), length: size }, allowed);
}

export function clip({ offset, length }: Stretch, to: Stretch): Stretch {
  const start = Math.max(offset, to.offset);
  return { offset: start, length: Math.max(0, Math.min(offset + length, endOf(to)) - start) };
}

/** Changes the bytes in place. A change that leaves all as it was is none: see {@link changing}. */
export function changeOf(kind: DiskFault, random: Stream): (bytes: Uint8Array) => void {
  switch (kind) {
    case 'bit-flip':
      return (bytes) => {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      };
    case 'burst':
      return (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ random.between(1, 255);
      };
    case 'zeroed':
      return (bytes) => void bytes.fill(0);
    default:
      return (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
      };
  }
}

/** The same change, and afterwards whether it changed anything. */
export function changing(change: (bytes: Uint8Array) => void): { readonly apply: typeof change; readonly changed: () => boolean } {
  let changed = false;
  return {
    apply: (bytes) => {
      if (bytes.length === 0) return;
      const before = bytes.slice();
      change(bytes);
      changed = bytes.some((byte, i) => byte !== before[i]);
    },
    changed: () => changed,
  };
}
