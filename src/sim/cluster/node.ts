/** A machine with what the cluster knows of it, and who looks on at its lives. */

import type { KintsugiEvent } from '../../base/events.js';
import type { ClusterVersion, NodeId } from '../../base/ids.js';
import type { WaitingMember } from '../../node/waiting-member.js';
import type { WaitingStore } from '../../node/waiting-store.js';
import type { SimDisk } from '../disk/sim-disk.js';
import type { ViolationKind } from '../model/result.js';
import type { Process } from '../world/world.js';
import type { Identity } from './identity.js';
import type { NodeState, Running, SimNode } from './sim-node.js';

export interface ClusterWatcher {
  onEvent(node: SimNode, event: KintsugiEvent): void;
  /** The replica is there, and about to start. */
  onOpen(node: SimNode): void;
  /** It serves from now on. */
  onStart(node: SimNode): void;
  /** What was one member is another one from now on, with what its disk holds. */
  onReborn(node: SimNode): void;
  /** A life is over. */
  onDeath(node: SimNode): void;
  /**
   * Why a typed stop is no fault of the store: damage that was done to this node. Undefined: it is
   * one.
   */
  excuse(node: SimNode, error: unknown): string | undefined;
  /** Some node has applied the removal of the member that lives there. */
  isRemoved(node: SimNode): boolean;
  report(kind: ViolationKind, check: string, message: string, node: number): void;
}

/** It has stopped for good. */
export interface Fenced {
  readonly node: number;
  readonly code: string;
  readonly excuse: string;
}

export class Node implements SimNode {
  readonly id: number;
  readonly disk: SimDisk;
  identity: Identity | undefined;
  /** What it is started with: who it was when it last became a member. */
  flags: Identity | undefined;
  formerly: readonly NodeId[] = [];
  state: NodeState;
  program: ClusterVersion;
  lives = 0;
  running: Running | undefined = undefined;
  process: Process | undefined = undefined;
  waiting: WaitingMember | undefined = undefined;
  /** It is to be re-admitted, and was told to be opened again. */
  recovers = false;
  /** In this life: the others have let it in as another member, and its disk says so. */
  letIn = false;
  /** Stops in a row without having served in between. */
  stops = 0;
  /** Starts that are due after a fault that has not ended yet. */
  holds = 0;
  /** Called when the present life ends. */
  ended: (() => void)[] = [];

  constructor(id: number, disk: SimDisk, identity: Identity | undefined, program: ClusterVersion) {
    this.id = id;
    this.disk = disk;
    this.identity = this.flags = identity;
    this.program = program;
    this.state = identity === undefined ? 'away' : 'down';
  }

  joins(identity: Identity): void {
    this.identity = this.flags = identity;
    this.formerly = [];
  }

  /** It was re-admitted. */
  reborn(identity: Identity): void {
    this.formerly = [...this.formerly, this.member];
    this.identity = identity;
  }

  get waitingStore(): WaitingStore | undefined {
    return this.waiting?.present;
  }

  stopsWaiting(): void {
    this.waiting?.close();
    this.waiting = undefined;
  }

  get member(): number {
    return this.identity?.self ?? 0;
  }
}
