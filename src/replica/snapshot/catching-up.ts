/**
 * Followers that a snapshot has brought as far as it reaches, and that still lack what came
 * meanwhile. The log that they lack is kept while they come nearer: under load the leader and a
 * quorum flush faster than one that has just arrived can follow, and what is cut off in front of it
 * would cost it another snapshot, and so on without end. One that stands still, or is further
 * behind than the log may grow for it, is let go: it gets a snapshot once more.
 */

import { assert } from '../../base/assert.js';
import type { Clock } from '../../base/env.js';
import type { LogIndex, NodeId } from '../../base/ids.js';

/** How the leader's core sees a follower. */
export interface Follower {
  readonly state: string;
  readonly match: LogIndex;
}

interface Known {
  /** Only grows. */
  match: LogIndex;
  /** When it last did. */
  movedAt: number;
}

/** One that comes no nearer for so long is not waited for. */
const STILL_MS = 8_000;
/** Entries that are kept at most for one that is behind. */
const KEPT_MAX = 1_000_000;

export class CatchingUp {
  readonly #clock: Clock;
  readonly #followers = new Map<NodeId, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Its snapshot has arrived. */
  begin(peer: NodeId, match: LogIndex): void {
    assert(match > 0, `S5 a snapshot that has arrived at ${peer} holds something`);
    this.#followers.set(peer, { match, movedAt: this.#clock.now() });
  }

  /** `flushed`: up to there this member's tables have all, and the log could be cut. */
  tick(followers: ReadonlyMap<NodeId, Follower> | undefined, flushed: LogIndex): void {
    const now = this.#clock.now();
    for (const [peer, known] of this.#followers) {
      const follower = followers?.get(peer);
      if (follower !== undefined && follower.match > known.match) {
        known.match = follower.match;
        known.movedAt = now;
      }
      const wanted = follower !== undefined && follower.state !== 'snapshot' && known.match < flushed;
      if (!wanted || now - known.movedAt > STILL_MS || flushed - known.match > KEPT_MAX) this.#followers.delete(peer);
    }
  }

  /** The log after this index is needed; Infinity: nobody catches up. */
  floor(): LogIndex {
    let floor = Infinity;
    for (const { match } of this.#followers.values()) floor = Math.min(floor, match);
    return floor;
  }

  stop(): void {
    this.#followers.clear();
  }
}
