/**
 * Raises the version of the cluster, as far as every member can read: the leader's part. A member
 * that was never heard of counts as one that knows the first version only, so one that is away
 * holds the version where it is; once raised it stays, unless an operator lowers it
 * (`replica/downgrades.ts`).
 *
 * What was lowered for members of an older program is raised again only once one of them was there
 * after that, and all know more again; or an operator takes it back. Each member remembers whether
 * it has heard one as long as it lives; who leads asks the others (`replica/downgrades.ts`).
 *
 * S1: it is an entry of the log, so that all begin to write the new at one place, and nobody writes
 * what another could not read.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { ClusterVersion, LogIndex, NodeId, Term } from '../../base/ids.js';
import { FIRST_VERSION } from '../base/protocol.js';
import { encodeClusterVersion } from '../entry/entry.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { MemberRecord } from '../state/members.js';
import type { Membership } from '../state/membership.js';
import type { Gossip } from './gossip.js';
import type { RaftDriver } from './raft-driver.js';

export interface ClusterVersionParts {
  readonly env: Pick<Env, 'clock'>;
  readonly membership: Pick<Membership, 'self' | 'members'>;
  readonly leadership: Pick<Leadership, 'mayShapeTree' | 'term'>;
  readonly state: Pick<ReplicatedState, 'version' | 'newest' | 'settings' | 'lowered'>;
  readonly gossip: Pick<Gossip, 'of' | 'heardOlder'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader'>;
}

export class ClusterVersionRaiser {
  readonly #parts: ClusterVersionParts;
  /** What was proposed last, in which term, after which downgrade: not again in that term. */
  #proposed: { readonly term: Term; readonly version: ClusterVersion; readonly after: LogIndex } = { term: 0, version: 0, after: 0 };

  /** The last downgrade that was seen here, and since when, by the clock of `Env`. */
  #lowered: { readonly at: LogIndex; readonly since: number } | undefined;
  #ticked = false;
  /** The downgrade after which a member of an older program was there. */
  #actedOn: LogIndex = 0;

  constructor(parts: ClusterVersionParts) {
    this.#parts = parts;
  }

  /** Called now and then. */
  tick(): void {
    const { leadership, state } = this.#parts;
    this.#lookForOlder();
    this.#ticked = true;
    if (state.lowered !== undefined && state.lowered.at !== this.#actedOn) return;
    if (leadership.mayShapeTree) this.raise();
  }

  /** The downgrade after which an older program is known to have been there; 0: none. */
  get actedOn(): LogIndex {
    return this.#actedOn;
  }

  /** Another member has heard one of an older program after that downgrade. */
  learnActedOn(at: LogIndex): void {
    if (this.#parts.state.lowered?.at === at) this.#actedOn = at;
  }

  /** As far as all know, whatever was lowered. This member leads. */
  raise(): void {
    const { leadership, state, driver } = this.#parts;
    if (state.settings === undefined) return;
    const version = Math.min(state.newest, this.#lowest());
    if (version <= state.version) return;
    const { term } = leadership;
    const after = state.lowered?.at ?? 0;
    if (this.#proposed.term === term && this.#proposed.version >= version && this.#proposed.after === after) return;
    assert(version <= state.newest, `S1 a leader raises to what it knows itself: ${version} of ${state.newest}`);
    if (driver.proposeAsLeader(encodeClusterVersion(version))) this.#proposed = { term, version, after };
  }

  /** Members that keep the version of the cluster below this one, as far as known here. */
  heldBackBy(version: ClusterVersion): MemberRecord[] {
    return this.#parts.membership.members.filter(({ id }) => this.#knownTo(id) < version);
  }

  /** Whoever lives through it has it in memory: when all come back at once, an operator says so. */
  #lookForOlder(): void {
    const { env, state, gossip } = this.#parts;
    const { lowered } = state;
    if (lowered === undefined) return;
    // What is there when a life begins was there before it.
    if (this.#lowered?.at !== lowered.at) this.#lowered = { at: lowered.at, since: this.#ticked ? env.clock.now() : -Infinity };
    if (gossip.heardOlder(lowered.target, this.#lowered.since)) this.#actedOn = lowered.at;
  }

  /** What all members know, as far as known here. */
  #lowest(): ClusterVersion {
    return Math.min(...this.#parts.membership.members.map(({ id }) => this.#knownTo(id)));
  }

  #knownTo(member: NodeId): ClusterVersion {
    const { membership, state, gossip } = this.#parts;
    return member === membership.self ? state.newest : (gossip.of(member)?.newest ?? FIRST_VERSION);
  }
}
