/**
 * One member put together: healing, replica and store are wired here, and nowhere else. The process
 * shell, the simulator and the tests differ in the `Env` that they give it.
 *
 * Wired, not started: whoever watches a member can look on from its first step.
 */

import type { Env } from '../base/env.js';
import { Healing, type HealingOptions } from '../healing/healing.js';
import { Replica } from '../replica/replica.js';
import type { ReplicaOptions } from '../replica/start/options.js';
import { AutoCompaction, type AutoCompactionOptions } from './auto-compaction.js';
import { NodeStore, type NodeStoreOptions } from './node-store.js';

export interface MemberOptions extends Omit<ReplicaOptions, 'env' | 'healing'> {
  /** Defaults: see {@link HealingOptions}. */
  readonly healing?: HealingOptions;
  /** Default: history stays until a client compacts it. */
  readonly autoCompaction?: AutoCompactionOptions | undefined;
  /** See {@link NodeStoreOptions}. */
  readonly watch?: NodeStoreOptions;
}

export interface Member {
  readonly replica: Replica;
  readonly healing: Healing;
  readonly store: NodeStore;
}

/**
 * Opens the files of a member. Then {@link Replica.start} lets it take part. Rejects as
 * {@link Replica.open} does.
 */
export async function openMember(env: Env, options: MemberOptions): Promise<Member> {
  const healing = new Healing(env, options.healing);
  const replica = await Replica.open({ ...options, env, healing });
  const store = new NodeStore(replica, healing, options.watch);
  if (options.autoCompaction !== undefined) {
    const { life, leadership, state } = replica;
    void new AutoCompaction({ env, life, leadership, state, store }, options.autoCompaction);
  }
  return { replica, healing, store };
}
