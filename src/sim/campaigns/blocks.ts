/** Blocks of 4 KiB of the files of a member, and how each may go bad. */

import { must } from '../../base/assert.js';
import { END_MARK_BYTES } from '../../replica/log/end-mark.js';
import type { SimNode } from '../cluster/sim-node.js';
import { isOfIdentity } from '../disk/default-structure.js';
import { SECTOR } from '../disk/inode.js';
import type { Stream } from '../world/random.js';
import type { EntryCopy, PastMember, Stretch } from './past.js';

export const BLOCK = 4096;

export interface BlockPlace {
  readonly path: string;
  readonly offset: number;
}

/** What takes part in a start: reserves and hints are nobody's only copy. */
export function isStructure(path: string): boolean {
  return path.startsWith('log/') || path.startsWith('manifest/') || path.startsWith('tables/') || path === 'hardstate' || isOfIdentity(path);
}

/**
 * Those that hold something, in the order of their paths, but for what no store can tell from a
 * write that never finished: the last group commit of the log, where no identity followed it.
 */
export function usedBlocks(member: PastMember, of: (path: string) => boolean = isStructure): BlockPlace[] {
  const { files } = member;
  const unproven = unprovenOf(member);
  const places: BlockPlace[] = [];
  for (const path of [...files.keys()].filter(of).sort()) {
    const bytes = must(files.get(path), 'it is one of them');
    for (let offset = 0; offset < bytes.length; offset += BLOCK) {
      if (unproven.some((one) => one.path === path && one.offset < offset + BLOCK && offset < one.offset + one.length)) continue;
      if (bytes.subarray(offset, offset + BLOCK).some((byte) => byte !== 0)) places.push({ path, offset });
    }
  }
  return places;
}

/** What the last group commit wrote, if its identities did not get to the disk. */
function unprovenOf({ entries }: PastMember): Stretch[] {
  const proven = entries.findLastIndex(({ identity }) => identity !== undefined);
  const written = ({ path, offset, length, proofs }: EntryCopy): Stretch[] =>
    [...proofs, { path, offset, length: length + END_MARK_BYTES }];
  return entries.slice(proven + 1).flatMap(written);
}

export type BlockFault = 'zeros' | 'junk' | 'bit' | 'unreadable';
export const CORRUPTIONS: readonly BlockFault[] = ['zeros', 'junk', 'bit'];

export function spoilBlock({ disk }: SimNode, { path, offset }: BlockPlace, fault: BlockFault, random: Stream): void {
  switch (fault) {
    case 'zeros':
      return void disk.alter(path, offset, (bytes) => bytes.fill(0), BLOCK, false);
    case 'junk':
      return void disk.alter(path, offset, (bytes) => bytes.forEach((_, i) => (bytes[i] = random.below(256))), BLOCK, false);
    case 'bit':
      return void disk.alter(path, offset, (bytes) => {
        const at = random.below(bytes.length);
        bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      }, BLOCK, false);
    case 'unreadable':
      for (let sector = 0; sector < BLOCK; sector += SECTOR) disk.spoil(path, offset + sector);
  }
}
