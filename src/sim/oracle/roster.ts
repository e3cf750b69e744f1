/**
 * Who votes, by the newest state that any node has applied, and since which entry. Always true: it
 * only looks; a voter that has applied that entry has all that was committed before, others may
 * lack it.
 */

import type { KintsugiEvent } from '../../base/events.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { Members } from '../../replica/state/members.js';
import type { WatchedNode } from '../cluster/watched-node.js';

export class Roster {
  readonly #nodes: readonly WatchedNode[];
  readonly #founders: readonly NodeId[];
  #newest: Members | undefined;
  #asOf: LogIndex = 0;
  #changedAt: LogIndex = 0;

  /** `nodes`: those of the beginning are the first members; more may come. */
  constructor(nodes: readonly WatchedNode[]) {
    this.#nodes = nodes;
    this.#founders = nodes.map(({ member }) => member);
  }

  onEvent(event: KintsugiEvent): void {
    if (event.type === 'members-changed') this.#changedAt = Math.max(this.#changedAt, event.index);
  }

  /** Undefined: nothing was ever changed. */
  get members(): Members | undefined {
    for (const { running } of this.#nodes) {
      if (running === undefined) continue;
      const { membership, applier } = running.replica;
      if (membership.applied.isStatic || applier.index < this.#asOf) continue;
      this.#asOf = applier.index;
      this.#newest = membership.applied;
    }
    return this.#newest;
  }

  /** One list; two while the configuration is joint. */
  get halves(): readonly (readonly NodeId[])[] {
    const { members } = this;
    if (members === undefined) return [this.#founders];
    const { voters, votersOutgoing } = members.confState;
    return votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing];
  }

  /** What was committed before the newest change is on this node. */
  isCaughtUp({ running }: WatchedNode): boolean {
    return this.#changedAt === 0 || (running?.replica.applier.index ?? 0) >= this.#changedAt;
  }
}
