/**
 * Whether a caller who asks for a leader (`hasleader`) finds one here. A stream that is open ends
 * for want of a leader after three election timeouts, as with etcd; one that moves to this member
 * when another goes away is given the same time: here a leader is forgotten at once, where etcd's
 * followers believe in a dead one for one to two election timeouts, and who is refused ends its
 * watch (Go's clientv3 does). A member that has just started has as long to hear of the first:
 * etcd's does not listen before that.
 */

import type { Clock } from '../../base/env.js';
import type { Leadership } from './leadership.js';

/** Without a leader, before that counts. */
export const LEADERLESS_ELECTIONS = 3;

export class LeaderSight {
  readonly #leadership: Pick<Leadership, 'leader'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #patienceMs: number;
  /** While none is known: until when that does not count. */
  #until: number;
  #sees = false;

  /** Before the member takes part. */
  constructor(leadership: Pick<Leadership, 'leader' | 'subscribe'>, clock: Pick<Clock, 'now'>, electionMs: number) {
    this.#leadership = leadership;
    this.#clock = clock;
    this.#patienceMs = LEADERLESS_ELECTIONS * electionMs;
    this.#until = clock.now() + this.#patienceMs;
    leadership.subscribe(({ leader }) => {
      if (leader === 0 && this.#sees) this.#until = clock.now() + this.#patienceMs;
      this.#sees = leader !== 0;
    });
  }

  get hasLeader(): boolean {
    return this.#leadership.leader !== 0 || this.#clock.now() < this.#until;
  }
}
