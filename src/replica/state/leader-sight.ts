/**
 * Whether a caller who asks for a leader (`hasleader`) finds one here. As with etcd, whose
 * followers believe in a dead leader until an election timeout has passed, one that was known so
 * lately counts still: here a leader is forgotten at once, the next one is there some ten
 * milliseconds later, and who was refused in between would end its watch for it (Go's clientv3
 * does). Nor is anybody refused by a member that has just started: etcd's does not listen before
 * it knows of a leader, and who loses one member comes to another, perhaps to this.
 */

import type { Clock } from '../../base/env.js';
import type { Leadership } from './leadership.js';

/** What a member that has just started is given to hear of the first, in election timeouts. */
const FIRST_ELECTIONS = 3;

export class LeaderSight {
  readonly #leadership: Pick<Leadership, 'leader'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #electionMs: number;
  /** While none is known: until when that does not count. */
  #until: number;
  #sees = false;

  /** Before the member takes part. */
  constructor(leadership: Pick<Leadership, 'leader' | 'subscribe'>, clock: Pick<Clock, 'now'>, electionMs: number) {
    this.#leadership = leadership;
    this.#clock = clock;
    this.#electionMs = electionMs;
    this.#until = clock.now() + FIRST_ELECTIONS * electionMs;
    leadership.subscribe(({ leader }) => {
      if (leader === 0 && this.#sees) this.#until = clock.now() + this.#electionMs;
      this.#sees = leader !== 0;
    });
  }

  /** One is known, or was less than an election timeout ago, or may be found yet. */
  get hasLeader(): boolean {
    return this.#leadership.leader !== 0 || this.#clock.now() < this.#until;
  }
}
