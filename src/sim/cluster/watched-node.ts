/**
 * What oracle and checks see of a node: its medium, its state, and the replica of its present life.
 * A SimNode is one. What belongs to its disk is kept by `id`, what belongs to Raft by `member`:
 * promises, votes and acknowledgements are a member's, wherever it lives.
 */

import type { NodeId } from '../../base/ids.js';
import type { Replica } from '../../replica/replica.js';
import type { HintStatus } from '../../healing/status/hint-status.js';
import type { BlockFaults } from '../../storage/table/block-faults.js';
import type { NodeState } from './sim-node.js';

export interface WatchedDisk {
  /** Sorted by path. */
  list(): readonly { readonly path: string; readonly bytes: number }[];
  /** What the medium holds; not changed here, and not kept. */
  medium(path: string): Uint8Array | undefined;
  /** Changes of the file wait for a sync. */
  isDirty(path: string): boolean;
  /** A file of this name is there after a power loss, whatever that takes. */
  isNamed(path: string): boolean;
}

export interface WatchedHealing {
  hints(): readonly HintStatus[];
  /** Every hint is durable at this moment. */
  readonly hintsSaved: boolean;
  /** What its reads call when they meet a fault; checks may listen. */
  readonly faults: BlockFaults;
}

export interface WatchedNode {
  /** The machine. */
  readonly id: NodeId;
  /** The member that lives on it, or did last. */
  readonly member: NodeId;
  readonly disk: WatchedDisk;
  readonly state: NodeState;
  /** Starts so far. */
  readonly lives: number;
  readonly running: { readonly replica: Replica; readonly healing: WatchedHealing } | undefined;
}
