/**
 * Which tables are open: at most so many at a time, because each holds a descriptor and its index
 * and filter in memory. When one must be closed, those that were used since they were last looked
 * at are spared once (the CLOCK algorithm): cheaper than LRU, where each read would move its table.
 */

import { assert } from '../../base/assert.js';

export interface Closable {
  /** Used since the last look; whoever uses it says so, and the look takes it back. */
  recent: boolean;
  close(): void;
}

export class OpenTables {
  readonly #max: number;
  /** Least recently opened or spared first. */
  readonly #open = new Set<Closable>();

  constructor(max: number) {
    assert(max >= 1, 'at least one table can be open');
    this.#max = max;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Called before a table opens its file: makes room. */
  opening(table: Closable): void {
    this.#open.delete(table);
    while (this.#open.size >= this.#max) this.#closeOne();
    this.#open.add(table);
    assert(this.#open.size <= this.#max, `${this.#open.size} tables are open, ${this.#max} may be`);
  }

  /** It is closed already, or about to be. */
  forget(table: Closable): void {
    this.#open.delete(table);
  }

  #closeOne(): void {
    for (const table of this.#open) {
      this.#open.delete(table);
      if (!table.recent) {
        table.close();
        return;
      }
      table.recent = false;
      this.#open.add(table);
    }
  }
}
