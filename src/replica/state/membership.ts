/**
 * Who belongs to the cluster, and as what. One object that everybody reads at the moment of use:
 * whoever copied a list of voters would go on with it after a change. Whether a vote counts is
 * decided by the Raft core alone, from the same configuration (`raft/tracker.ts`).
 */

import { assert } from '../../base/assert.js';
import type { NodeId } from '../../base/ids.js';
import type { ConfState } from '../../raft/types.js';
import type { MemberConfig } from '../base/member-config.js';

/** incoming and outgoing: a voter of one half of a joint configuration only. */
export type Standing = 'voter' | 'incoming' | 'outgoing' | 'learner' | 'none';

export class Membership {
  readonly self: NodeId;
  readonly #members: ReadonlyMap<NodeId, MemberConfig>;
  readonly #confState: ConfState;

  /** The static configuration: all of `members` vote. */
  constructor(self: NodeId, members: readonly MemberConfig[]) {
    this.self = self;
    this.#members = new Map(members.map((member) => [member.id, member]));
    assert(this.#members.size === members.length, 'no two members have one id');
    assert(this.#members.has(self), `this member ${self} is one of the members`);
    const voters = [...this.#members.keys()].sort((a, b) => a - b);
    this.#confState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  }

  /** As Raft writes it down. */
  get confState(): ConfState {
    return this.#confState;
  }

  /** Ascending. */
  get voters(): readonly NodeId[] {
    return this.#confState.voters;
  }

  /** All but itself that it talks to: voters (ascending), outgoing voters, learners. */
  get peers(): readonly NodeId[] {
    const { voters, votersOutgoing, learners } = this.#confState;
    return [...new Set([...voters, ...votersOutgoing, ...learners])].filter((id) => id !== this.self);
  }

  /** The size of a majority of the voters. */
  get quorum(): number {
    assert(this.#confState.votersOutgoing.length === 0, 'R1 a joint configuration needs a majority of each half');
    const voters = this.#confState.voters.length;
    const quorum = Math.floor(voters / 2) + 1;
    assert(2 * quorum > voters && quorum <= voters, `R1 any two quorums of ${voters} voters meet: ${quorum}`);
    return quorum;
  }

  standing(id: NodeId): Standing {
    const { voters, votersOutgoing, learners } = this.#confState;
    const [incoming, outgoing] = [voters.includes(id), votersOutgoing.includes(id)];
    if (incoming && votersOutgoing.length > 0 && !outgoing) return 'incoming';
    if (outgoing && !incoming) return 'outgoing';
    if (incoming) return 'voter';
    return learners.includes(id) ? 'learner' : 'none';
  }

  /** All that are known by name, in the order of the configuration. */
  get members(): readonly MemberConfig[] {
    return [...this.#members.values()];
  }

  has(id: NodeId): boolean {
    return this.#members.has(id);
  }

  /** Empty: not known by name. */
  nameOf(id: NodeId): string {
    return this.#members.get(id)?.name ?? '';
  }
}
