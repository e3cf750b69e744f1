/**
 * The vocabulary of what may go wrong, and the lowest room but for time and chance: disks, network,
 * checks and strikes all use it. A plan is a list of actions, a pure function of seed and profile;
 * what an action does when its time comes is drawn from a stream of its own (`fault <id>`), so that
 * any of them can be left out and the others stay what they were.
 */

/** What lies on a disk, told apart because each is protected in its own way. */
export const STRUCTURES = [
  'table-data', 'table-parity', 'table-index', 'table-filter', 'table-properties', 'table-footer', 'table-file',
  'log-record', 'log-identity', 'log-header', 'log-file',
  'hardstate-slot', 'hardstate-file', 'manifest-record', 'manifest-file', 'hints-file', 'repairs-file', 'promises-file',
  'joined-file', 'directory',
] as const;
export type Structure = (typeof STRUCTURES)[number];

export const DISK_FAULTS = [
  // On what is stored.
  'bit-flip', 'burst', 'zeroed', 'junk', 'stale', 'missing', 'truncated', 'extended', 'misnamed',
  // On the next writes.
  'lost-write', 'misdirected-write', 'write-error', 'no-space', 'sync-error', 'sync-dir-error', 'slow-io', 'stalled-sync',
  // On the next reads.
  'read-error', 'sticky-read-error', 'misread',
  // What a crash makes of what was not synced.
  'torn-append', 'unsynced-lost', 'unsynced-name-lost',
] as const;
export type DiskFault = (typeof DISK_FAULTS)[number];

export const NETWORK_FAULTS = [
  'delay', 'loss', 'duplication', 'reorder', 'flipped-entry', 'late-frames', 'clog', 'isolate-one', 'lone-copy-cut', 'halves', 'bridge', 'majorities-ring', 'one-way', 'client-cut',
] as const;
export type NetworkFault = (typeof NETWORK_FAULTS)[number];

export const PROCESS_FAULTS = [
  'crash', 'crash-mid-write', 'crash-leader', 'crash-all', 'restart-storm', 'pause', 'scrub', 'orderly-restart', 'move-leader', 'wipe', 'roll-back',
] as const;
export type ProcessFault = (typeof PROCESS_FAULTS)[number];

/** What operators do to the members of the cluster, which must survive it like a fault. */
export const MEMBER_FAULTS = [
  'add-learner', 'add-voter', 'add-again', 'remove', 'remove-leader', 'replace', 'replace-dead', 'come-back', 'down-to-one', 'two-operators',
] as const;
export type MemberFault = (typeof MEMBER_FAULTS)[number];

/** Of profiles with `+ops`: what hosts do, and those who look after them. */
export const OPS_FAULTS = ['clock-jump', 'long-pause', 'backup', 'older-copy'] as const;
export type OpsFault = (typeof OPS_FAULTS)[number];

export type FaultKind = DiskFault | NetworkFault | ProcessFault | MemberFault | OpsFault;
export type FaultClass = 'disk' | 'network' | 'process' | 'member' | 'ops';

/**
 * one: a single node. same: the same place on all but one. helix: other stripes of the same file on
 * every node.
 */
export type Spread = 'one' | 'same' | 'helix';

export interface FaultAction {
  /** Position in the plan: its name in `--only` and in tapes. */
  readonly id: number;
  /** Microseconds since the start of the run. */
  readonly atUs: number;
  readonly class: FaultClass;
  readonly kind: FaultKind;
  /** Of a disk action: what it is to strike. */
  readonly structure?: Structure;
  /** Of a disk action. Faults of reads, writes and crashes strike one node whatever it says. */
  readonly spread?: Spread;
}

/**
 * `table`: all that the store must survive without recovering its log from peers. `full`: also
 * damage to log and hard state after which a node may stop, with its typed error, and now and then
 * other members; every safety check stays on. `members`: as `full`, and members come and go all the
 * time.
 */
export const PROFILES = ['table', 'full', 'members'] as const;
export type FaultProfile = (typeof PROFILES)[number];
