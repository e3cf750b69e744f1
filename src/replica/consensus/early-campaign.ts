/**
 * A broken stream from the leader is evidence that its process is gone: the follower forgets it and
 * asks for pre-votes at once instead of sitting out the election timeout. Pre-votes disturb nobody:
 * where the leader is alive after all, the others still hear it and refuse. Reads are confirmed by
 * a quorum (never by a lease), because lease reads and forgetting a leader early exclude each
 * other.
 *
 * Survivors take turns by rank, so that they do not split the vote; each tries again, with jitter,
 * until a leader shows. After an election timeout too few are there: those who come back are asked
 * four times in an election timeout, for a while, so that whoever is the first of them makes a
 * majority at once. Then the regular election timeout is left to do it.
 */

import { assert } from '../../base/assert.js';
import type { Clock, Random, Timer } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import type { Leadership } from '../state/leadership.js';
import type { Membership } from '../state/membership.js';

/** Who may stand for election: the Raft driver. */
export interface Candidate {
  readonly leadership: Leadership;
  /** Starts a pre-election. */
  campaign(): void;
}

export interface EarlyCampaignOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly electionTimeoutMs: number;
  readonly membership: Membership;
}

/** A turn is long enough for a round of votes with syncs on a busy machine. */
const TURN_MS = 80;
const JITTER_MS = 20;
/** Of the election timeout, between two tries once it has passed. */
const LATER_PART = 4;
const GIVES_UP_AFTER_TIMEOUTS = 10;

export class EarlyCampaign {
  readonly #candidate: Candidate;
  readonly #options: EarlyCampaignOptions;
  /** There while no leader is known and the turn of this member is yet to come. */
  #timer: Timer | undefined;

  constructor(candidate: Candidate, options: EarlyCampaignOptions) {
    this.#candidate = candidate;
    this.#options = options;
  }

  /** The leader was just forgotten because its stream broke. */
  start(lost: NodeId): void {
    const { clock, membership } = this.#options;
    const survivors = membership.voters.filter((id) => id !== lost);
    assert(lost !== membership.self, 'R1 a leader does not lose itself');
    const rank = Math.max(0, survivors.indexOf(membership.self));
    this.#schedule(rank * TURN_MS + this.#jitter(), clock.now(), survivors.length);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #jitter(): number {
    return this.#options.random.below(JITTER_MS);
  }

  #schedule(delayMs: number, lostAt: number, survivors: number): void {
    assert(delayMs >= 0 && survivors >= 0, `R1 ${survivors} survivors take turns`);
    const { clock, electionTimeoutMs } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      const { leader, role } = this.#candidate.leadership;
      if (leader !== 0) return;
      assert(role !== 'leader', 'R1 a member that leads knows its leader');
      // Votes of an election that goes on are being counted: another pre-election would throw them
      // away.
      if (role !== 'candidate') this.#candidate.campaign();
      const sinceMs = clock.now() - lostAt;
      if (sinceMs >= GIVES_UP_AFTER_TIMEOUTS * electionTimeoutMs) return;
      const roundMs = survivors * TURN_MS;
      const nextMs = sinceMs < electionTimeoutMs ? roundMs : Math.max(roundMs, electionTimeoutMs / LATER_PART);
      this.#schedule(nextMs + this.#jitter(), lostAt, survivors);
    });
  }
}
