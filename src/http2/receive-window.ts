/**
 * What a peer may still send (RFC 9113, 5.2 and 6.9), of one stream or of a connection. Always:
 * what may still come + `held` (here and not used up) + owed (used up and not told to the peer) =
 * size + slack. So what is held is bounded, and all of it comes back.
 */

import { AssertionError } from '../base/assert.js';

export class ReceiveWindow {
  #size: number;
  /** What the peer may send more as long as it does not know the size. */
  #slack = 0;
  #held = 0;
  #owed = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get held(): number {
    return this.#held;
  }

  /** `slack`: what may come beyond, as the peer does not know the size yet. */
  reset(size: number, slack: number): void {
    this.#size = size;
    this.#slack = slack;
    this.#held = 0;
    this.#owed = 0;
  }

  /** Bytes have come. False: more than was allowed, FLOW_CONTROL_ERROR. */
  take(bytes: number): boolean {
    if (bytes > this.#size + this.#slack - this.#held - this.#owed) return false;
    this.#held += bytes;
    return true;
  }

  /**
   * Bytes were used up. Returns by how much the peer's window is to be increased now: 0 as long as
   * less than half of it is owed.
   */
  give(bytes: number): number {
    if (bytes > this.#held) throw new AssertionError(`invariant broken: ${bytes} bytes used up of ${this.#held}`);
    this.#held -= bytes;
    this.#owed += bytes;
    if (this.#owed * 2 < this.#size) return 0;
    const increment = this.#owed;
    this.#owed = 0;
    return increment;
  }
}
