/**
 * Tells members that were removed that they were, and not before this member's disk says that the
 * removal is committed. Who has been told ends, and never votes again (R1); and until a removal is
 * known to be committed, a log that has it at its end is led by the members from before it: if all
 * that is left forgot the commit index with its power, it would wait for a vote of one that is gone
 * for good. So until then a removed member is talked to as before.
 *
 * With each entry that is written the commit index is recorded: a leader writes one at once.
 */

import { EMPTY } from '../base/bytes.js';
import type { Env, Timer } from '../base/env.js';
import type { LogIndex, NodeId } from '../base/ids.js';
import type { Tree } from '../storage/tree/tree.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';

const POLL_MS = 20;

export interface RemovedMembersParts {
  readonly env: Pick<Env, 'clock' | 'network'>;
  readonly life: Pick<Life, 'ended'>;
  readonly membership: Pick<Membership, 'addresses' | 'removed' | 'subscribe'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader' | 'writes'>;
  readonly tree: Pick<Tree, 'durable'>;
}

export class RemovedMembers {
  readonly #parts: RemovedMembersParts;
  /** By member, not told yet: the entry that has removed it, and where it is found. */
  readonly #untold = new Map<NodeId, { readonly index: LogIndex; readonly urls: readonly string[] }>();
  #told: ReadonlySet<NodeId> = new Set();
  /** Whom it talks to. */
  #addresses: ReadonlyMap<NodeId, readonly string[]> = new Map();
  #timer: Timer | undefined;

  /** The driver goes by a change before this one speaks of it. */
  constructor(parts: RemovedMembersParts) {
    this.#parts = parts;
    this.#tell();
    parts.membership.subscribe((index) => this.#changed(index));
  }

  /** Every removal that was applied here is recorded as committed. */
  get areTold(): boolean {
    return this.#untold.size === 0;
  }

  get #recorded(): LogIndex {
    return Math.max(this.#parts.driver.writes.recordedCommit, this.#parts.tree.durable.last.index);
  }

  #changed(index: LogIndex): void {
    const { membership, driver } = this.#parts;
    let more = false;
    for (const id of membership.removed) {
      const urls = this.#addresses.get(id);
      if (this.#told.has(id) || this.#untold.has(id) || urls === undefined || index <= this.#recorded) continue;
      this.#untold.set(id, { index, urls });
      more = true;
    }
    if (more) driver.proposeAsLeader(EMPTY);
    this.#tell();
  }

  #tell(): void {
    const { env, membership } = this.#parts;
    const recorded = this.#recorded;
    for (const [id, { index }] of this.#untold) if (index <= recorded) this.#untold.delete(id);
    const removed = membership.removed.filter((id) => !this.#untold.has(id));
    this.#told = new Set(removed);
    this.#addresses = new Map([...membership.addresses, ...[...this.#untold].map(([id, { urls }]) => [id, urls] as const)]);
    env.network.setPeers(this.#addresses, removed);
    this.#arm();
  }

  #arm(): void {
    const { env, life } = this.#parts;
    if (this.#untold.size === 0 || this.#timer !== undefined) return;
    this.#timer = env.clock.setTimer(POLL_MS, () => {
      this.#timer = undefined;
      if (life.ended) return;
      const recorded = this.#recorded;
      if ([...this.#untold.values()].some(({ index }) => index <= recorded)) this.#tell();
      else this.#arm();
    });
  }
}
