/**
 * A store that is another one from some moment on: who holds it need not know. What was asked of
 * the one before is answered by it.
 */

import type { Store } from '../node/store.js';

export class SwitchedStore {
  readonly store: Store;
  #now: Store;

  constructor(first: Store) {
    this.#now = first;
    const get = (_: object, name: string | symbol): unknown => {
      const value: unknown = Reflect.get(this.#now, name, this.#now);
      return typeof value === 'function' ? value.bind(this.#now) : value;
    };
    this.store = new Proxy({}, { get }) as Store;
  }

  use(next: Store): void {
    this.#now = next;
  }
}
