/**
 * Raises the version of the cluster, as far as every member can read: the leader's part. A member
 * that was never heard of counts as one that knows the first version only, so one that is away
 * holds the version where it is; once raised it stays.
 *
 * S1: it is an entry of the log, so that all begin to write the new at one place, and nobody writes
 * what another could not read.
 */

import { assert } from '../../base/assert.js';
import type { ClusterVersion, NodeId, Term } from '../../base/ids.js';
import { FIRST_VERSION } from '../base/protocol.js';
import { encodeClusterVersion } from '../entry/entry.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { MemberRecord } from '../state/members.js';
import type { Membership } from '../state/membership.js';
import type { Gossip } from './gossip.js';
import type { RaftDriver } from './raft-driver.js';

export interface ClusterVersionParts {
  readonly membership: Pick<Membership, 'self' | 'members'>;
  readonly leadership: Pick<Leadership, 'mayShapeTree' | 'term'>;
  readonly state: Pick<ReplicatedState, 'version' | 'newest' | 'settings'>;
  readonly gossip: Pick<Gossip, 'of'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader'>;
}

export class ClusterVersionRaiser {
  readonly #parts: ClusterVersionParts;
  /** What was proposed last, and in which term: not again in that term. */
  #proposed: { readonly term: Term; readonly version: ClusterVersion } = { term: 0, version: FIRST_VERSION };

  constructor(parts: ClusterVersionParts) {
    this.#parts = parts;
  }

  /** Called now and then. */
  tick(): void {
    const { leadership, state, driver } = this.#parts;
    if (!leadership.mayShapeTree || state.settings === undefined) return;
    const version = Math.min(state.newest, this.#lowest());
    if (version <= state.version) return;
    const { term } = leadership;
    if (this.#proposed.term === term && this.#proposed.version >= version) return;
    assert(version <= state.newest, `S1 a leader raises to what it knows itself: ${version} of ${state.newest}`);
    if (driver.proposeAsLeader(encodeClusterVersion(version))) this.#proposed = { term, version };
  }

  /** Members that keep the version of the cluster below this one, as far as known here. */
  heldBackBy(version: ClusterVersion): MemberRecord[] {
    return this.#parts.membership.members.filter(({ id }) => this.#knownTo(id) < version);
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
