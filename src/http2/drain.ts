/**
 * An orderly end (RFC 9113, 6.8): a GOAWAY that names no last stream warns the client, and a ping
 * goes after it. Once that is answered, everything that the client sent before it knew is here, and
 * a second GOAWAY names the last stream that is served. What comes above it is not.
 */

import { MAX_31_BITS } from './frame.js';

export class Drain {
  readonly #timeoutMs: number;
  /** `warned`: the first GOAWAY is out; `last`: the second. */
  #state: 'serving' | 'warned' | 'last' = 'serving';
  #warnedAt = 0;
  #lastId = MAX_31_BITS;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Streams above it are not served. */
  get lastId(): number {
    return this.#lastId;
  }

  get isLast(): boolean {
    return this.#state === 'last';
  }

  /** False: it was begun before. */
  warn(now: number): boolean {
    if (this.#state !== 'serving') return false;
    this.#state = 'warned';
    this.#warnedAt = now;
    return true;
  }

  /** The ping was answered: is it time for the second GOAWAY? */
  answered(): boolean {
    return this.#state === 'warned';
  }

  /** The ping was not answered in time: the same. */
  isLate(now: number): boolean {
    return this.#state === 'warned' && now - this.#warnedAt >= this.#timeoutMs;
  }

  last(id: number): void {
    this.#state = 'last';
    this.#lastId = id;
  }
}
