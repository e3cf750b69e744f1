/**
 * Whether a caller who asks for a leader (`hasleader`) finds one here. As with etcd, whose
 * followers believe in a dead leader until an election timeout has passed, one that was known so
 * lately counts still: here a leader is forgotten at once, the next one is there some ten
 * milliseconds later, and who was refused in between would end its watch for it (Go's clientv3
 * does).
 */

import type { Clock } from '../../base/env.js';
import type { Leadership } from './leadership.js';

export class LeaderSight {
  readonly #leadership: Pick<Leadership, 'leader'>;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #electionMs: number;
  /** When one was known last, while none is; undefined: there was none yet. */
  #lostAt: number | undefined;
  #sees = false;

  /** Before the member takes part. */
  constructor(leadership: Pick<Leadership, 'leader' | 'subscribe'>, clock: Pick<Clock, 'now'>, electionMs: number) {
    this.#leadership = leadership;
    this.#clock = clock;
    this.#electionMs = electionMs;
    leadership.subscribe(({ leader }) => {
      if (leader === 0 && this.#sees) this.#lostAt = clock.now();
      this.#sees = leader !== 0;
    });
  }

  /** One is known, or was less than an election timeout ago. */
  get hasLeader(): boolean {
    if (this.#leadership.leader !== 0) return true;
    return this.#lostAt !== undefined && this.#clock.now() - this.#lostAt < this.#electionMs;
  }
}
