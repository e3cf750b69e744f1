/**
 * A member of a cluster for tests: a disk that stays, and one life after another on it. The cluster
 * writes its state; a test reads it. What the last life left (its replica, its store) can still be
 * looked at while the member is down.
 */

import { assert, must } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { ClusterVersion, NodeId } from '../../base/ids.js';
import type { Healing } from '../../healing/healing.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import type { Replica } from '../../replica/replica.js';
import type { NodeStore } from '../node-store.js';
import type { Member } from '../open-member.js';
import type { WaitingMember } from '../waiting-member.js';
import type { WaitingStore } from '../waiting-store.js';
import type { TestProcess } from './surroundings.js';

/** opening: its files are being opened, or it waits for its peers. */
export type ClusterNodeState = 'down' | 'opening' | 'up';

const MAX_EVENTS = 5_000;

export class OneLife implements TestProcess {
  alive = true;
  stalled?: (path: string) => boolean;
  /** Resolves when it is over, however it ends. */
  readonly over = new Deferred();
}

export class ClusterNode<D extends Disk = MemoryDisk> {
  readonly id: NodeId;
  /** What the next life opens: a test may put another one in while the member is down. */
  disk: D;
  /** Of the program that the next life runs. Default: this one's. */
  newestVersion: ClusterVersion | undefined;
  /** It was added to a running cluster: the members, as it was told them, itself included. */
  joins: readonly MemberConfig[] = [];
  /** The test removes it from the cluster: then it may end. */
  leaves = false;
  /** Why it has ended. */
  removed: unknown;
  /** The newest last; the oldest are forgotten. */
  readonly events: KintsugiEvent[] = [];
  #state: ClusterNodeState = 'down';
  #starts = 0;
  #life = new OneLife();
  #member: Member | undefined;
  #running: Member | undefined;
  #opening: Promise<void> | undefined;
  #waiting: WaitingMember | undefined;

  constructor(id: NodeId, disk: D) {
    this.id = id;
    this.disk = disk;
    this.#life.alive = false;
  }

  get state(): ClusterNodeState {
    return this.#state;
  }

  get up(): boolean {
    return this.#state === 'up';
  }

  get starts(): number {
    return this.#starts;
  }

  /** This life is its present one, and not over. */
  lives(life: TestProcess): boolean {
    return this.#life === life && this.#state !== 'down';
  }

  get process(): TestProcess {
    return this.#life;
  }

  /** Of the present life: from when its files are open until it is down. */
  get running(): Member | undefined {
    return this.#running;
  }

  /** What {@link Cluster.up} has promised; undefined: it is not opening. */
  get opening(): Promise<void> | undefined {
    return this.#opening;
  }

  /** What it serves while it waits for its log; undefined: it does not. */
  get waitingStore(): WaitingStore | undefined {
    return this.#waiting?.present;
  }

  get replica(): Replica {
    return this.#last.replica;
  }

  get store(): NodeStore {
    return this.#last.store;
  }

  get healing(): Healing {
    return this.#last.healing;
  }

  // Writers: the cluster.

  begin(): OneLife {
    assert(this.#state === 'down', `node ${this.id} is ${this.#state}, and starts`);
    this.#state = 'opening';
    this.#starts++;
    return (this.#life = new OneLife());
  }

  promises(opening: Promise<void>): void {
    this.#opening = opening;
  }

  opens(waiting: WaitingMember): void {
    this.#waiting = waiting;
  }

  opened(member: Member): void {
    this.#member = this.#running = member;
  }

  started(): void {
    this.#state = 'up';
    this.#waiting?.close();
    this.#opening = undefined;
  }

  heard(event: KintsugiEvent): void {
    this.events.push(event);
    if (this.events.length > MAX_EVENTS) this.events.splice(0, MAX_EVENTS / 2);
  }

  /**
   * Nobody hears of this life from now on. Its Env works until {@link TestProcess.alive} says
   * otherwise.
   */
  ended(): void {
    this.#state = 'down';
    this.#waiting?.outlook.abandon();
    this.#waiting?.close();
    this.#running = this.#opening = undefined;
    this.#life.over.resolve();
  }

  get #last(): Member {
    return must(this.#member, `node ${this.id} was never open`);
  }
}
