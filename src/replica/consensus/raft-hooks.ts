/** Where the consensus of a member meets what its log is for: the rooms above. */

import type { NodeId } from '../../base/ids.js';
import type { Entry, ReadState, Snapshot } from '../../raft/types.js';
import type { Snapshots } from './core-log.js';

/** What a Ready hands out, in the order in which it must be taken. */
export type RaftOutput =
  /** In log order, each entry once; more may come before the earlier ones are applied. */
  | { readonly kind: 'committed'; readonly entries: readonly Entry[] }
  | { readonly kind: 'read-states'; readonly states: readonly ReadState[] }
  | { readonly kind: 'snapshot-sent'; readonly to: NodeId; readonly snapshot: Snapshot };

/** What the rooms above do. */
export interface RaftHooks extends Snapshots {
  /** Must not throw. */
  take(output: RaftOutput): void;
  /** Everything the snapshot needs is on the disk: switch over to it, log last. */
  installSnapshot(snapshot: Snapshot): Promise<void>;
}
