/** What was seen lately: a map that forgets its oldest entry beyond a bound. */

import { assert } from '../../base/assert.js';

export class Recent<K, V> {
  readonly #max: number;
  /** Oldest first. */
  readonly #entries = new Map<K, V>();

  constructor(max: number) {
    assert(max >= 1, 'something can be remembered');
    this.#max = max;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** The key becomes the newest. */
  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) for (const oldest of this.#entries.keys()) return void this.#forgetOldest(oldest);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  #forgetOldest(oldest: K): void {
    this.#entries.delete(oldest);
    assert(this.#entries.size === this.#max, `${this.#entries.size} are remembered, not ${this.#max}`);
  }
}
