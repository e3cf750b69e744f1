/** What stops a replica for good. The process that embeds it must end; the other members go on. */

import { KintsugiError } from '../../base/errors.js';

export type ReplicaErrorCode =
  /** The data directory belongs to another cluster or member. */
  | 'WRONG_IDENTITY'
  /** The data directory of a member that the others know is empty. */
  | 'EMPTIED'
  /** The data directory is an older copy of the one that made this member's last promises. */
  | 'ROLLED_BACK'
  /**
   * Not a fault: who this directory's member is, or what it does next, has changed on the disk.
   * Whoever runs it opens it again, under the identity that is there now.
   */
  | 'READMISSION'
  /** The cluster has removed this member; its id is never used again. */
  | 'REMOVED'
  /** Not a fault: whoever runs this member stopped it while it opened. */
  | 'ABANDONED'
  /** The log of a member that was in a term is gone. */
  | 'LOG_MISSING'
  /** A restore was cut short: what the data directory holds is not whole. */
  | 'RESTORE_UNFINISHED'
  /** A new cluster was being made of the data directory: it is neither the old nor the new one. */
  | 'TAKEOVER_UNFINISHED'
  /** The cluster writes what this program is too old to read. */
  | 'CLUSTER_NEWER'
  /** This member's copy of a committed entry is damaged. */
  | 'ENTRY_DAMAGED'
  /** The disk refused a write or a sync that the node cannot do without. */
  | 'DISK_FAILED'
  /** An internal invariant broke. */
  | 'BROKEN';

export class ReplicaError extends KintsugiError<ReplicaErrorCode> {
  override readonly name = 'ReplicaError';
}
