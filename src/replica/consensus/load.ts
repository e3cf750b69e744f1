/**
 * Whether this member can take more writes now. Beyond these bounds what clients ask for waits for
 * it, or for the others, to catch up (`proposals.ts`).
 */

import type { Tree } from '../../storage/tree/tree.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Progress } from '../state/progress.js';
import type { Gossip } from './gossip.js';
import type { RaftDriver } from './raft-driver.js';

/** Sealed memtables that wait for their flush, and bytes of the active one in sizes of one. */
const MAX_SEALED = 8;
/** Entries that are committed and not applied, as in etcd. */
const MAX_BACKLOG = 5_000;
/** Tables that are yet to be made or fetched here. */
const MAX_OWED = 64;
/**
 * Entries that a member may lack that is alive and comes nearer, before writes wait for it. Far
 * less than the log is kept for it (`snapshot/catching-up.ts`), and far more than one lacks when a
 * snapshot has just arrived: so a member that is slower than the load slows it in the end, instead
 * of getting one snapshot after the other for ever. Whoever is down, stands still or is to get a
 * snapshot first slows nobody.
 */
const MAX_BEHIND = 500_000;

export interface LoadParts {
  readonly tree: Pick<Tree, 'sealedMemtables' | 'memtableBytes' | 'owed'>;
  readonly state: Pick<ReplicatedState, 'settings'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly driver: Pick<RaftDriver, 'node'>;
  readonly gossip: Pick<Gossip, 'slowest'>;
}

export class Load {
  readonly #parts: LoadParts;

  constructor(parts: LoadParts) {
    this.#parts = parts;
  }

  get full(): boolean {
    const { tree, state, progress, driver, gossip } = this.#parts;
    // The leader seals no further while flushes wait, and then the active memtable is what grows.
    const most = (state.settings?.memtableBytes ?? Infinity) * MAX_SEALED;
    const { commit } = driver.node;
    const backlog = commit - progress.applied.value;
    if (commit - gossip.slowest > MAX_BEHIND) return true;
    return tree.sealedMemtables > MAX_SEALED || tree.memtableBytes > most || backlog > MAX_BACKLOG || tree.owed().length > MAX_OWED;
  }
}
