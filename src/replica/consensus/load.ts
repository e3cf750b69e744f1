/**
 * Whether this member can take more writes now. Beyond these bounds what clients ask for waits for
 * it to catch up (`proposals.ts`).
 */

import type { Tree } from '../../storage/tree/tree.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Progress } from '../state/progress.js';
import type { RaftDriver } from './raft-driver.js';

/** Sealed memtables that wait for their flush, and bytes of the active one in sizes of one. */
const MAX_SEALED = 8;
/** Entries that are committed and not applied, as in etcd. */
const MAX_BACKLOG = 5_000;
/** Tables that are yet to be made or fetched here. */
const MAX_OWED = 64;

export interface LoadParts {
  readonly tree: Pick<Tree, 'sealedMemtables' | 'memtableBytes' | 'owed'>;
  readonly state: Pick<ReplicatedState, 'settings'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly driver: Pick<RaftDriver, 'node'>;
}

export class Load {
  readonly #parts: LoadParts;

  constructor(parts: LoadParts) {
    this.#parts = parts;
  }

  get full(): boolean {
    const { tree, state, progress, driver } = this.#parts;
    // The leader seals no further while flushes wait, and then the active memtable is what grows.
    const most = (state.settings?.memtableBytes ?? Infinity) * MAX_SEALED;
    const backlog = driver.node.commit - progress.applied.value;
    return tree.sealedMemtables > MAX_SEALED || tree.memtableBytes > most || backlog > MAX_BACKLOG || tree.owed().length > MAX_OWED;
  }
}
