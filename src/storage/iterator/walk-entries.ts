/** A walk as an iterator, with an object for each version: for readers that keep them. */

import type { KeyWalk, VersionedEntry } from '../base/read-view.js';
import { Entry } from './key-cursor.js';

export class WalkEntries implements IterableIterator<VersionedEntry> {
  readonly #walk: KeyWalk;
  #done = false;

  constructor(walk: KeyWalk) {
    this.#walk = walk;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<VersionedEntry, undefined> {
    const { slot } = this.#walk;
    do {
      if (this.#done || !this.#walk.next()) return this.return();
    } while (!this.#walk.visible);
    return { done: false, value: new Entry(slot.keyBytes.slice(0, slot.keyEnd), slot) };
  }

  return(): IteratorResult<VersionedEntry, undefined> {
    this.#done = true;
    return { done: true, value: undefined };
  }
}
