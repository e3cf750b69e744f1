/**
 * Streams in which something has come to wait are woken together, once all revisions that are there
 * are told: what they have of several revisions goes out in one message, and nobody encodes, frames
 * and writes one for each. Only while it is told without a pause: before whatever is waited for all
 * are woken, and while nobody gathers each is woken at once, so none waits for anything but the
 * code that runs.
 */

import { KiB } from '../../base/bytes.js';

export interface Sleeper {
  /** Bytes of events that wait to be taken. */
  readonly queued: number;
  wake(): void;
}

/** Of one stream: so much does not wait for more, as it is not to be full of what is at hand. */
const WAKE_AT_BYTES = 64 * KiB;

export class Wakes {
  readonly #waiting = new Set<Sleeper>();
  #gathering = false;

  /** From now on they wait for `release`. */
  gather(): void {
    this.#gathering = true;
  }

  /** Something waits in it. */
  due(stream: Sleeper): void {
    if (this.#gathering && stream.queued < WAKE_AT_BYTES) this.#waiting.add(stream);
    else stream.wake();
  }

  release(): void {
    this.#gathering = false;
    if (this.#waiting.size === 0) return;
    for (const stream of this.#waiting) stream.wake();
    this.#waiting.clear();
  }

  /** What is waited for takes a while. */
  before<T>(pause: Promise<T>): Promise<T> {
    this.release();
    return pause;
  }
}
