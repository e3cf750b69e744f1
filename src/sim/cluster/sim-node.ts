/**
 * A node as the rest of the simulator sees it: a machine, which has a disk and a place in the
 * network for the whole run, and one life after another of the shipping replica on it. The member
 * that lives there may be another one later: it was removed, and the machine was added again.
 */

import type { ClusterVersion, NodeId } from '../../base/ids.js';
import type { WaitingStore } from '../../node/waiting-store.js';
import type { Member } from '../../node/open-member.js';
import type { SimDisk } from '../disk/sim-disk.js';
import type { Process } from '../world/world.js';

/** What one life runs. */
export interface Running extends Member {
  readonly process: Process;
}

export type NodeState =
  /** No process. It comes back by itself, see `SimCluster`. */
  | 'down'
  /** A process that opens its directory or waits for peers. */
  | 'opening'
  /** Serving. A paused node is up. */
  | 'up'
  /** Stopped for good with a typed error that an operator must act on. */
  | 'fenced'
  /** No member of the cluster: it waits to be added, or was removed. */
  | 'away';

export interface SimNode {
  /** The machine: its disk and its place in the network. */
  readonly id: NodeId;
  /** The member that lives there, or did last; 0: none did yet. */
  readonly member: NodeId;
  /** Who it was before it was re-admitted, since it last became a member; the last one ends it. */
  readonly formerly: readonly NodeId[];
  readonly disk: SimDisk;
  readonly state: NodeState;
  /** The newest version of the cluster that the next life's program knows. */
  readonly program: ClusterVersion;
  /** Starts so far. */
  readonly lives: number;
  /** While up, and while opening once the replica is there. */
  readonly running: Running | undefined;
  /** While it waits for entries of its log. */
  readonly waitingStore: WaitingStore | undefined;
  /** Of the present life; undefined while down. */
  readonly process: Process | undefined;
}
