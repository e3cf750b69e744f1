/**
 * R1: by which configuration a node goes, and has gone of late: the membership that the log has led
 * to where it is. A quorum is a majority of the voters, of both halves while it is joint. What a
 * node does is held against the configurations of the moments before, because a frame may leave
 * just after a change was applied that it knows nothing of.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import type { ConfState } from '../../../raft/types.js';
import type { Replica } from '../../../replica/replica.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface Held {
  readonly fromUs: number;
  readonly confState: ConfState;
  /** What the node knew to be committed when the next one took its place. */
  commit: LogIndex;
}

type Voters = Pick<ConfState, 'voters' | 'votersOutgoing'>;

/** Of one node; more changes than come within the longest look back. */
const KEPT = 64;

export class Configurations {
  readonly #now: () => number;
  readonly #origin: Voters;
  readonly #held = new Map<WatchedNode, { readonly replica: Replica; readonly list: Held[] }>();

  /** `origin`: with whom the log began, for who is not watched. */
  constructor(now: () => number, origin: readonly NodeId[]) {
    this.#now = now;
    this.#origin = { voters: origin, votersOutgoing: [] };
  }

  /** Follows what this replica goes by, from now on. */
  watch(node: WatchedNode, replica: Replica): void {
    const { membership } = replica;
    const list: Held[] = [{ fromUs: 0, confState: membership.confState, commit: 0 }];
    this.#held.set(node, { replica, list });
    membership.subscribe(() => {
      const { confState } = membership;
      const before = list.at(-1);
      if (before === undefined || before.confState === confState) return;
      before.commit = replica.driver.node.commit;
      list.push({ fromUs: this.#now(), confState, commit: 0 });
      if (list.length > KEPT) list.shift();
    });
  }

  /** These are a quorum by a configuration that the node has gone by within so long. */
  isQuorum(node: WatchedNode | undefined, has: (id: NodeId) => boolean, withinUs = 0): boolean {
    return this.#lately(node, withinUs).some((confState) => isQuorum(confState, has));
  }

  /**
   * The same, or by one that it went by while it did not know more than that this is committed: by
   * that it may have been decided, whenever it is told.
   */
  hasCommitted(node: WatchedNode, commit: LogIndex, has: (id: NodeId) => boolean, withinUs: number): boolean {
    return this.#lately(node, withinUs, commit).some((confState) => isQuorum(confState, has));
  }

  /** As it is now. */
  of(node: WatchedNode | undefined): Voters {
    return this.#lately(node, 0).at(-1) ?? this.#origin;
  }

  /** How many of how many, for a report. */
  count(node: WatchedNode | undefined, has: (id: NodeId) => boolean): string {
    const { voters, votersOutgoing } = this.of(node);
    return [voters, votersOutgoing].filter((half) => half.length > 0).map((half) => `${half.filter(has).length} of ${needed(half)}`).join(' and ');
  }

  #lately(node: WatchedNode | undefined, withinUs: number, commit = Infinity): readonly Voters[] {
    const held = node === undefined ? undefined : this.#held.get(node);
    // One that has ended since goes by what it went by: what it did counts on.
    if (held === undefined || (node?.running !== undefined && held.replica !== node.running.replica)) return [this.#origin];
    const sinceUs = this.#now() - withinUs;
    const first = Math.max(0, held.list.findLastIndex(({ fromUs }) => fromUs <= sinceUs));
    const decided = held.list.findIndex(({ commit: known }) => known >= commit);
    return held.list.slice(decided >= 0 ? Math.min(decided, first) : first).map(({ confState }) => confState);
  }
}

function needed(half: readonly NodeId[]): number {
  return Math.floor(half.length / 2) + 1;
}

export function isQuorum({ voters, votersOutgoing }: Voters, has: (id: NodeId) => boolean): boolean {
  return [voters, votersOutgoing].every((half) => half.length === 0 || half.filter(has).length >= needed(half));
}
