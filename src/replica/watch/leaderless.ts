/**
 * Ends the streams that are to have a leader (`hasleader`), once there was none for three election
 * timeouts, as etcd does: it looks once in each. It looks only while there are such streams; what
 * others before them waited is not counted against them.
 */

import type { Clock, Timer } from '../../base/env.js';
import { EtcdError } from '../../api/etcd-error.js';
import { LEADERLESS_ELECTIONS } from '../state/leader-sight.js';
import type { Leadership } from '../state/leadership.js';
import type { WatchStream } from './watch-stream.js';

export class Leaderless {
  readonly #streams: ReadonlySet<WatchStream>;
  readonly #leadership: Pick<Leadership, 'leader'>;
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #electionMs: number;
  #timer: Timer | undefined;
  #times = 0;

  constructor(
    streams: ReadonlySet<WatchStream>, leadership: Pick<Leadership, 'leader'>, clock: Pick<Clock, 'setTimer'>, electionMs: number,
  ) {
    this.#streams = streams;
    this.#leadership = leadership;
    this.#clock = clock;
    this.#electionMs = electionMs;
  }

  /** There is such a stream. */
  watch(): void {
    this.#timer ??= this.#clock.setTimer(this.#electionMs, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const strict = [...this.#streams].filter((stream) => stream.requireLeader);
    const isMissed = strict.length > 0 && this.#leadership.leader === 0;
    this.#times = isMissed ? this.#times + 1 : 0;
    if (this.#times < LEADERLESS_ELECTIONS) {
      if (strict.length > 0) this.watch();
      return;
    }
    this.#times = 0;
    for (const stream of strict) stream.end(new EtcdError('NO_LEADER'));
  }
}
