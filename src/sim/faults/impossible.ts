/**
 * The cells of fault x structure that cannot be, or seldom are, each with its reason. Written out
 * by hand, not derived from cells.ts: a test holds the two lists to be each other's complement, so
 * that a cell can only be left out of one by being argued for in the other.
 */

import type { DiskFault, Structure } from '../model/fault.js';

export interface Impossible {
  readonly fault: DiskFault;
  readonly structure: Structure;
  readonly why: string;
  /** It can be, where two things meet that are rare: a tour of seeds need not have it. */
  readonly seldom: boolean;
}

interface Group {
  readonly why: string;
  readonly seldom?: true;
  readonly structures: readonly Structure[];
  readonly faults: readonly DiskFault[];
}

const TABLE_PARTS: readonly Structure[] = ['table-data', 'table-parity', 'table-index', 'table-filter', 'table-properties', 'table-footer'];
const LOG_PARTS: readonly Structure[] = ['log-record', 'log-identity', 'log-header'];
const PARTS: readonly Structure[] = [...TABLE_PARTS, ...LOG_PARTS, 'hardstate-slot', 'manifest-record'];
const FILES_OF_PARTS: readonly Structure[] = ['table-file', 'log-file', 'hardstate-file', 'manifest-file'];

const GROUPS: readonly Group[] = [
  {
    why: 'a part has no name and no size of its own: its file is struck',
    structures: PARTS,
    faults: ['missing', 'truncated', 'extended', 'misnamed', 'unsynced-name-lost'],
  },
  {
    why: 'a sync is of a file, not of a part of it',
    structures: PARTS,
    faults: ['sync-error', 'stalled-sync'],
  },
  {
    why: 'only directories are synced as such; the structure "directory" has it',
    structures: [...PARTS, ...FILES_OF_PARTS, 'hints-file', 'repairs-file', 'promises-file', 'joined-file'],
    faults: ['sync-dir-error'],
  },
  {
    why: 'a table is written as a whole and has no parts until its footer says where they are: the file is struck',
    structures: TABLE_PARTS,
    faults: ['write-error', 'torn-append', 'unsynced-lost'],
  },
  {
    why: 'space is asked for by the file that grows',
    structures: [...TABLE_PARTS, 'manifest-record'],
    faults: ['no-space'],
  },
  {
    why: 'written into blocks that the file has already: only a new file needs space',
    structures: [...LOG_PARTS, 'hardstate-slot'],
    faults: ['no-space'],
  },
  {
    why: 'every byte of the file is in one of its parts, and is struck as that',
    structures: FILES_OF_PARTS,
    faults: ['bit-flip', 'burst', 'zeroed', 'junk'],
  },
  {
    why: 'reads are of parts, and are struck as those',
    structures: FILES_OF_PARTS,
    faults: ['read-error', 'sticky-read-error', 'misread'],
  },
  {
    why: 'writes are of parts, and are struck as those',
    structures: ['log-file', 'hardstate-file', 'manifest-file'],
    faults: ['lost-write', 'misdirected-write', 'write-error', 'slow-io', 'torn-append', 'unsynced-lost'],
  },
  {
    why: 'an older state of all four slots is the roll-back of the node (process fault roll-back): no file shows it. One stale slot is hardstate-slot',
    structures: ['hardstate-file'],
    faults: ['stale'],
  },
  {
    why: 'the file is written at its full size when it is made and never grows',
    structures: ['hardstate-file'],
    faults: ['no-space'],
  },
  {
    why: 'it is made once, before most faults begin, and written in place: a new one only where the disk refused a write or the file was gone',
    seldom: true,
    structures: ['promises-file'],
    faults: ['no-space', 'unsynced-name-lost'],
  },
  {
    why: 'its name is made before the first message of the node and before faults begin, and again only where the file was gone',
    seldom: true,
    structures: ['hardstate-file'],
    faults: ['unsynced-name-lost'],
  },
  {
    why: 'a directory has no bytes that a program reads or writes: damage to it shows as files that are missing or misnamed, its sync as sync-dir-error',
    structures: ['directory'],
    faults: [
      'bit-flip', 'burst', 'zeroed', 'junk', 'stale', 'missing', 'truncated', 'extended', 'misnamed', 'lost-write', 'misdirected-write',
      'write-error', 'sync-error', 'slow-io', 'read-error', 'sticky-read-error', 'misread', 'torn-append', 'unsynced-lost',
    ],
  },
  {
    why: 'written only where a member is let in anew or a copy is mended, and read only then and at starts: a fault that waits for that seldom meets it',
    seldom: true,
    structures: ['joined-file'],
    faults: [
      'stale', 'lost-write', 'misdirected-write', 'write-error', 'no-space', 'sync-error', 'slow-io', 'stalled-sync', 'read-error', 'sticky-read-error',
      'misread', 'torn-append', 'unsynced-lost', 'unsynced-name-lost',
    ],
  },
  {
    why: 'room for a name is asked for when its file is made, and counted there',
    structures: ['directory'],
    faults: ['no-space'],
  },
  {
    why: 'a lost name is counted as the file that had it; the directories themselves are made before faults begin, and again only where all was emptied',
    seldom: true,
    structures: ['directory'],
    faults: ['unsynced-name-lost'],
  },
];

export const IMPOSSIBLE: readonly Impossible[] = GROUPS.flatMap(({ why, structures, faults, seldom = false }) =>
  structures.flatMap((structure) => faults.map((fault) => ({ fault, structure, why, seldom }))));
