/**
 * The cells of fault x structure that cannot be, each with its reason. Whoever finds one that can, moves it to cells.ts and lets it
 * strike; a cell that is neither here nor reached by a run is a hole in the simulator.
 */

import { isPossible } from './cells.js';
import { DISK_FAULTS, STRUCTURES, type DiskFault, type Structure } from './fault.js';

export interface Impossible {
  readonly fault: DiskFault;
  readonly structure: Structure;
  readonly why: string;
}

const WHOLE_FILE: readonly DiskFault[] = ['missing', 'truncated', 'extended', 'misnamed', 'unsynced-name-lost'];
const CONTENT: readonly DiskFault[] = ['bit-flip', 'burst', 'zeroed', 'junk'];
const READS: readonly DiskFault[] = ['read-error', 'sticky-read-error', 'misread'];
const SYNCS: readonly DiskFault[] = ['sync-error', 'stalled-sync'];
const WRITES: readonly DiskFault[] = ['lost-write', 'misdirected-write', 'write-error', 'slow-io'];
const CRASH: readonly DiskFault[] = ['torn-append', 'unsynced-lost'];

const HAS_PARTS: readonly Structure[] = ['table-file', 'log-file', 'hardstate-file', 'manifest-file'];

export const IMPOSSIBLE: readonly Impossible[] = STRUCTURES.flatMap((structure) =>
  DISK_FAULTS.filter((kind) => !isPossible({ structure, kind }, 'full')).map((fault) => ({ fault, structure, why: reason(fault, structure) })));

function reason(kind: DiskFault, structure: Structure): string {
  if (structure === 'directory') return ofDirectory(kind);
  if (kind === 'sync-dir-error') return 'only directories are synced as such; the structure "directory" has it';
  const parts = HAS_PARTS.includes(structure);
  if (structure === 'hardstate-file') {
    if (kind === 'unsynced-name-lost') return 'its name is made once, before the first message of the node and before faults begin, and never changes';
    if (kind === 'no-space') return 'the file is written at its full size when it is made and never grows';
    if (kind === 'stale') {
      return 'an older state of all four slots is the roll-back of the node (process fault roll-back): no file shows it. One stale slot is hardstate-slot';
    }
  }
  if (parts && CONTENT.includes(kind)) return 'every byte of the file is in one of its parts, and is struck as that';
  if (parts && READS.includes(kind)) return 'reads are of parts, and are struck as those';
  if (parts && WRITES.includes(kind)) return 'writes are of parts, and are struck as those';
  if (parts && CRASH.includes(kind)) return 'what waits for a sync is a write of a part, and is struck as that';
  if (WHOLE_FILE.includes(kind)) return 'a part has no name and no size of its own: its file is struck';
  if (SYNCS.includes(kind)) return 'a sync is of a file, not of a part of it';
  if (kind === 'no-space') {
    return structure.startsWith('log-') || structure.startsWith('hardstate')
      ? 'written into blocks that the file has already: only a new file needs space' : 'space is asked for by the file that grows';
  }
  return 'a table is written as a whole and has no parts until its footer says where they are: the file is struck';
}

function ofDirectory(kind: DiskFault): string {
  if (kind === 'unsynced-name-lost') return 'a lost name is counted as the file that had it; the directories themselves are made before faults begin';
  if (kind === 'no-space') return 'room for a name is asked for when its file is made, and counted there';
  return 'a directory is contents of the file system: its damage shows as missing, misnamed or lost names of files';
}
