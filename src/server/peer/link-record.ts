/**
 * What became of a node's attempts to reach one peer, for `/status`: since when it is as it is, and
 * what the last stream or attempt ended with. Of bounded size, whatever a peer says.
 */

import type { Clock, LinkState, LinkStatus } from '../../base/env.js';

const MAX_WHY_CHARS = 200;

type Told = Pick<LinkStatus, 'state' | 'forMs' | 'failures' | 'breaks' | 'lastError'>;

export class LinkRecord {
  readonly #clock: Pick<Clock, 'now'>;
  #state: LinkState = 'idle';
  #since: number;
  /** Attempts in vain since it was up. */
  failures = 0;
  breaks = 0;
  #ended: { readonly why: string; readonly at: number } | undefined;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  get state(): LinkState {
    return this.#state;
  }

  to(state: LinkState): void {
    this.#state = state;
    this.#since = this.#clock.now();
    if (state === 'up') this.failures = 0;
  }

  /** What was up, or was to come up, is over. */
  ended(why: string): void {
    if (this.#state === 'up') this.breaks++;
    else this.failures++;
    this.#ended = { why: why.slice(0, MAX_WHY_CHARS), at: this.#clock.now() };
  }

  /** Milliseconds are whole. */
  get told(): Told {
    const now = this.#clock.now();
    const lastError = this.#ended === undefined ? {} : { lastError: { why: this.#ended.why, agoMs: Math.round(now - this.#ended.at) } };
    return { state: this.#state, forMs: Math.round(now - this.#since), failures: this.failures, breaks: this.breaks, ...lastError };
  }
}
