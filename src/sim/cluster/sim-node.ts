/** A node as the rest of the simulator sees it: a disk that stays, and one life after another of the shipping replica on it. */

import type { NodeId } from '../../base/ids.js';
import type { Healing } from '../../healing/healing.js';
import type { NodeStore } from '../../node/node-store.js';
import type { Replica } from '../../replica/replica.js';
import type { SimDisk } from '../disk/sim-disk.js';
import type { Process } from '../world/world.js';

/** What one life runs. */
export interface Running {
  readonly process: Process;
  readonly replica: Replica;
  readonly store: NodeStore;
  readonly healing: Healing;
}

export type NodeState =
  /** No process. It comes back by itself, see `SimCluster`. */
  | 'down'
  /** A process that opens its directory or waits for peers. */
  | 'opening'
  /** Serving. A paused node is up. */
  | 'up'
  /** Stopped for good with a typed error that an operator must act on. */
  | 'fenced';

export interface SimNode {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly state: NodeState;
  /** Starts so far. */
  readonly lives: number;
  /** While up, and while opening once the replica is there. */
  readonly running: Running | undefined;
  /** Of the present life; undefined while down. */
  readonly process: Process | undefined;
}
