/**
 * Which fault can strike which structure, and in which profile. The `table` profile does damage
 * only where the store must survive without entries of its log or promises from peers; what the
 * strikes do in each cell is in strike-disk.ts and what it calls.
 */

import { DISK_FAULTS, type DiskFault, type FaultProfile, type Structure } from '../model/fault.js';

export interface Cell {
  readonly structure: Structure;
  readonly kind: DiskFault;
}

const CONTENT: readonly DiskFault[] = ['bit-flip', 'burst', 'zeroed', 'junk', 'stale'];
const WHOLE: readonly DiskFault[] = ['missing', 'truncated', 'extended', 'misnamed'];
const LIES: readonly DiskFault[] = ['lost-write', 'misdirected-write'];
const READS: readonly DiskFault[] = ['read-error', 'sticky-read-error', 'misread'];
const CRASH: readonly DiskFault[] = ['torn-append', 'unsynced-lost'];

const PART_OF_TABLE: readonly DiskFault[] = [...CONTENT, ...LIES, ...READS, 'slow-io'];
/** Written at its place in a file that is there. */
const IN_PLACE: readonly DiskFault[] = [...CONTENT, ...LIES, ...READS, ...CRASH, 'write-error', 'slow-io'];
/** Small, replaced as a whole. */
const SMALL_FILE: readonly DiskFault[] = [
  ...CONTENT, ...WHOLE, ...LIES, ...READS, ...CRASH, 'write-error', 'no-space', 'sync-error', 'slow-io', 'stalled-sync', 'unsynced-name-lost',
];

const POSSIBLE: Readonly<Record<Structure, readonly DiskFault[]>> = {
  'table-data': PART_OF_TABLE,
  'table-parity': PART_OF_TABLE,
  'table-index': PART_OF_TABLE,
  'table-filter': PART_OF_TABLE,
  'table-properties': PART_OF_TABLE,
  'table-footer': PART_OF_TABLE,
  'table-file': [
    'stale', ...WHOLE, ...LIES, ...CRASH, 'write-error', 'no-space', 'sync-error', 'slow-io', 'stalled-sync', 'unsynced-name-lost',
  ],
  'log-record': IN_PLACE,
  'log-identity': IN_PLACE,
  'log-header': IN_PLACE,
  'log-file': ['stale', ...WHOLE, 'no-space', 'sync-error', 'stalled-sync', 'unsynced-name-lost'],
  'hardstate-slot': IN_PLACE,
  'hardstate-file': [...WHOLE, 'sync-error', 'stalled-sync'],
  'manifest-record': IN_PLACE,
  'manifest-file': ['stale', ...WHOLE, 'no-space', 'sync-error', 'stalled-sync', 'unsynced-name-lost'],
  'hints-file': SMALL_FILE,
  'repairs-file': SMALL_FILE,
  'promises-file': [...IN_PLACE, ...WHOLE, 'sync-error', 'stalled-sync'],
  directory: ['sync-dir-error', 'stalled-sync'],
  'joined-file': ['bit-flip', 'burst', 'zeroed', 'junk', ...WHOLE],
};

/** Cells that need what only recovery from peers can give back. */
const FULL_ONLY: readonly Cell[] = [
  { structure: 'hardstate-file', kind: 'missing' },
  { structure: 'hardstate-file', kind: 'misnamed' },
];

/** In profile `table` nobody is re-admitted: there is no such file. */
export function isFullOnly({ structure, kind }: Cell): boolean {
  return structure === 'joined-file' || FULL_ONLY.some((cell) => cell.structure === structure && cell.kind === kind);
}

/** The faults that can strike a structure, in the order of DISK_FAULTS. */
export function kindsOf(structure: Structure, profile: FaultProfile): DiskFault[] {
  const possible = POSSIBLE[structure];
  return DISK_FAULTS.filter((kind) => possible.includes(kind) && (profile !== 'table' || !isFullOnly({ structure, kind })));
}

export function isPossible(cell: Cell, profile: FaultProfile): boolean {
  return kindsOf(cell.structure, profile).includes(cell.kind);
}
