/**
 * Who belongs to the cluster, and as what. One object that everybody reads at the moment of use:
 * whoever copied a list of voters would go on with it after a change. Whether a vote counts is
 * decided by the Raft core alone, from the same configuration (`raft/tracker.ts`).
 *
 * Two values are kept. `applied` is that of the applied index: what the next change is judged by,
 * and what is sealed. All others read the newest that was ever applied here: if an older version
 * takes the place of what was applied, and the log is applied again from there, nobody goes back to
 * an older configuration (R1).
 *
 * Until a change is applied, the members are those of the flags.
 */

import { assert, must } from '../../base/assert.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { ConfState } from '../../raft/types.js';
import type { MemberConfig } from '../base/member-config.js';
import { isJoint, staticMembers, type MemberRecord, type Members } from './members.js';

/** incoming and outgoing: a voter of one half of a joint configuration only. */
export type Standing = 'voter' | 'incoming' | 'outgoing' | 'learner' | 'none';

interface Epoch {
  /** The first index at which the configuration held. */
  readonly from: LogIndex;
  readonly members: Members;
}

/** Configurations of the past that are remembered: more than are changed between two flushes. */
const MAX_EPOCHS = 1024;

export class Membership {
  readonly self: NodeId;
  readonly #static: Members;
  /**
   * Told by others when this member joined, itself included: whom it talks to until the log says
   * that it is a member.
   */
  readonly #told: readonly MemberConfig[];
  /** Asked while the state here is not known; empty: as the newest configuration says. */
  #found: readonly NodeId[] = [];
  #applied: Members;
  #newest: Members;
  /** The index of the entry that led to `#newest`, or of a later version that has it. */
  #index: LogIndex = 0;
  /** Ascending; the last one is that of `#newest`. */
  #epochs: Epoch[];
  readonly #subscribers: ((index: LogIndex) => void)[] = [];

  /**
   * The static configuration: all of `members` vote. `told`: this member is not one of them but
   * joins, and these are the members, with it.
   */
  constructor(self: NodeId, members: readonly MemberConfig[], told: readonly MemberConfig[] = []) {
    this.self = self;
    this.#told = told;
    this.#static = staticMembers(members);
    assert(new Set(members.map(({ id }) => id)).size === members.length, 'no two members have one id');
    assert([...members, ...told].some(({ id }) => id === self), `this member ${self} is one of the members`);
    this.#applied = this.#newest = this.#static;
    this.#epochs = [{ from: 0, members: this.#static }];
  }

  // Readers.

  /** As Raft writes it down. */
  get confState(): ConfState {
    return this.#newest.confState;
  }

  /** With whom the log began. */
  get origin(): Members {
    return this.#static;
  }

  /** All that the log says of them. */
  get newest(): Members {
    return this.#newest;
  }

  /** What the log has led to at the applied index. */
  get applied(): Members {
    return this.#applied;
  }

  /** The configuration that held after the entry at `index`, which is not below the last start. */
  confStateAsOf(index: LogIndex): ConfState {
    const epoch = this.#epochs.findLast(({ from }) => from <= index) ?? this.#epochs[0];
    return must(epoch, 'R1 some configuration holds').members.confState;
  }

  /**
   * The entry that made it a member, or a later one from which on that is known here; 0: it began
   * as one.
   */
  knownSince(id: NodeId): LogIndex {
    return this.#epochs.find(({ members }) => members.list.some((member) => member.id === id))?.from ?? this.#index;
  }

  /** Of both halves, ascending. */
  get voters(): readonly NodeId[] {
    const { voters, votersOutgoing } = this.confState;
    return votersOutgoing.length === 0 ? voters : [...new Set([...voters, ...votersOutgoing])].sort((a, b) => a - b);
  }

  /** All but itself that it talks to: voters (ascending), learners. */
  get peers(): readonly NodeId[] {
    if (this.#found.length > 0) return this.#found;
    const known = this.isJoining ? this.#told.map(({ id }) => id) : [...this.voters, ...this.confState.learners];
    return known.filter((id) => id !== this.self);
  }

  /** Whether these are a majority of the voters, of each half if there are two. */
  isQuorum(ids: ReadonlySet<NodeId>): boolean {
    return this.#halves.every((half) => half.filter((id) => ids.has(id)).length >= majorityOf(half));
  }

  /** The highest number that a majority of voters has, or more, of each half if there are two. */
  reachedByQuorum(numberOf: (voter: NodeId) => number): number {
    let reached = Infinity;
    for (const half of this.#halves) {
      const numbers = half.map(numberOf).sort((a, b) => b - a);
      reached = Math.min(reached, must(numbers[majorityOf(half) - 1], 'D1 a quorum of voters is some of the voters'));
    }
    return reached;
  }

  standing(id: NodeId): Standing {
    const { voters, votersOutgoing, learners } = this.confState;
    const [incoming, outgoing] = [voters.includes(id), votersOutgoing.includes(id)];
    if (incoming && votersOutgoing.length > 0 && !outgoing) return 'incoming';
    if (outgoing && !incoming) return 'outgoing';
    if (incoming) return 'voter';
    return learners.includes(id) ? 'learner' : 'none';
  }

  /** All that are known by name, in the order of the configuration. */
  get members(): readonly MemberRecord[] {
    return this.#newest.list;
  }

  /** Where its peers are found. */
  get addresses(): ReadonlyMap<NodeId, readonly string[]> {
    const known = this.isJoining ? this.#told : this.members;
    return new Map(known.filter(({ id }) => id !== this.self).map(({ id, peerUrls }) => [id, peerUrls]));
  }

  has(id: NodeId): boolean {
    return this.members.some((member) => member.id === id);
  }

  /** It was a member, and never will be again. */
  isRemoved(id: NodeId): boolean {
    return this.#newest.removed.includes(id) && this.standing(id) === 'none';
  }

  /** Ascending. */
  get removed(): readonly NodeId[] {
    return this.#newest.removed.filter((id) => this.isRemoved(id));
  }

  /** It was told that it is a member, and the log has not said so yet. */
  get isJoining(): boolean {
    return this.#told.length > 0 && !this.has(this.self) && !this.isRemoved(this.self);
  }

  /** Told as one that does not vote, when this member joined. */
  isToldLearner(id: NodeId): boolean {
    return this.#told.some((member) => member.id === id && member.learner === true);
  }

  /** Empty: not known by name. */
  nameOf(id: NodeId): string {
    return [...this.members, ...this.#told].find((member) => member.id === id && member.name !== '')?.name ?? '';
  }

  /**
   * At once, in order of subscription, whenever an entry or a version that speaks of the members
   * was applied, whether or not it has changed them. Must not throw.
   */
  subscribe(subscriber: (index: LogIndex) => void): void {
    this.#subscribers.push(subscriber);
  }

  // Writers.

  /** Others are members by now than is known here: they are asked until a state is loaded. */
  find(peers: readonly NodeId[]): void {
    assert(!peers.includes(this.self), 'a member does not ask itself');
    this.#found = peers;
  }

  /** Apply's: the entry at `index` has led to `members`, which may be those from before. */
  apply(index: LogIndex, members: Members): void {
    this.#found = [];
    this.#applied = members;
    if (index > this.#index) this.#move(index, members);
    this.#tell(index);
  }

  /**
   * Another version is in place, whose state is as of `index`. Undefined: it does not speak of the
   * members.
   */
  load(index: LogIndex, members: Members = this.#static): void {
    this.#found = [];
    this.#applied = members;
    if (members.isStatic && this.#newest.isStatic) return;
    if (index >= this.#index) {
      this.#move(index, members);
      // What came before is not asked for any more.
      this.#epochs = [{ from: index, members }];
    } else {
      // The log is applied again from there: what held at `index` is known, what came after too.
      this.#epochs = [{ from: index, members }, ...this.#epochs.filter(({ from }) => from > index)];
    }
    this.#tell(index);
  }

  #move(index: LogIndex, members: Members): void {
    assert(this.#newest.removed.every((id) => members.removed.includes(id)), 'R1 an id that was removed stays so');
    const before = this.#newest;
    this.#newest = members;
    this.#index = index;
    if (before === members) return;
    assert(members.confState.voters.length > 0, 'R1 there is a voter');
    this.#epochs.push({ from: index, members });
    if (this.#epochs.length > MAX_EPOCHS) this.#epochs.shift();
  }

  #tell(index: LogIndex): void {
    for (const subscriber of this.#subscribers) subscriber(index);
  }

  get #halves(): readonly (readonly NodeId[])[] {
    const { confState } = this;
    return isJoint(confState) ? [confState.voters, confState.votersOutgoing] : [confState.voters];
  }
}

/** Of one half. */
function majorityOf(voters: readonly NodeId[]): number {
  const quorum = Math.floor(voters.length / 2) + 1;
  assert(2 * quorum > voters.length && quorum <= voters.length, `R1 any two quorums of ${voters.length} voters meet: ${quorum}`);
  return quorum;
}
