/**
 * Where every live entry lies: R3 one row per index, contiguous from the base on. Typed arrays and
 * no object per entry, since the core asks for terms on every step and the log may hold a million
 * entries.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';

export interface EntryPlace {
  readonly generation: number;
  /** Of the record in its segment; -1: not known. */
  readonly offset: number;
  readonly length: number;
}

export class EntryTable {
  #baseIndex: LogIndex = 0;
  #baseTerm: Term = 0;
  #count = 0;
  /** Rows before this one are dropped; they leave when the arrays are next moved. */
  #head = 0;
  #terms = new Float64Array(1024);
  #generations = new Float64Array(1024);
  #offsets = new Float64Array(1024);
  #lengths = new Uint32Array(1024);

  /** Index and term of the entry before the first. */
  get baseIndex(): LogIndex {
    return this.#baseIndex;
  }

  get lastIndex(): LogIndex {
    return this.#baseIndex + this.#count;
  }

  /** Empty, with another base. */
  reset(index: LogIndex, term: Term): void {
    assert(index >= 0 && term >= 0, `R3 the log begins after an entry, not after ${index} of term ${term}`);
    this.#baseIndex = index;
    this.#baseTerm = term;
    this.#count = 0;
    this.#head = 0;
  }

  /** The next entry. */
  push(term: Term, generation: number, offset: number, length: number): void {
    const row = this.#head + this.#count;
    if (row === this.#terms.length) return this.#makeRoom(() => this.push(term, generation, offset, length));
    this.#terms[row] = term;
    this.#generations[row] = generation;
    this.#offsets[row] = offset;
    this.#lengths[row] = length;
    this.#count++;
  }

  /** Forgets everything after `index`. */
  truncateAfter(index: LogIndex): void {
    if (index >= this.lastIndex) return;
    assert(index >= this.#baseIndex, `R3 the log is not cut below its base: ${index} below ${this.#baseIndex}`);
    this.#count = index - this.#baseIndex;
  }

  /** `index` becomes the base. */
  dropThrough(index: LogIndex): void {
    if (index <= this.#baseIndex) return;
    assert(index <= this.lastIndex, `R3 the base is an entry of the log: ${index} after ${this.lastIndex}`);
    this.#baseTerm = this.term(index);
    this.#head += index - this.#baseIndex;
    this.#count -= index - this.#baseIndex;
    this.#baseIndex = index;
  }

  term(index: LogIndex): Term {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#terms[this.#row(index)] as number;
  }

  place(index: LogIndex): EntryPlace {
    const row = this.#row(index);
    return {
      generation: this.#generations[row] as number,
      offset: this.#offsets[row] as number,
      length: this.#lengths[row] as number,
    };
  }

  /** The last entry that lies in `generation` or an older segment; the base if there is none. */
  lastIn(generation: number): LogIndex {
    // Later entries lie in the same or a later segment: a batch replaces everything from its first
    // index on.
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#generations[this.#head + middle] as number) <= generation) low = middle + 1;
      else high = middle;
    }
    return this.#baseIndex + low;
  }

  #row(index: LogIndex): number {
    assert(index > this.#baseIndex && index <= this.lastIndex, `R3 entry ${index} is in (${this.#baseIndex}, ${this.lastIndex}]`);
    return this.#head + index - this.#baseIndex - 1;
  }

  #makeRoom(then: () => void): void {
    assert(this.#head + this.#count === this.#terms.length, `R3 rows move when all ${this.#terms.length} are used`);
    const capacity = this.#head > this.#count ? this.#terms.length : this.#terms.length * 2;
    const move = <A extends Float64Array | Uint32Array>(from: A, to: A): A => {
      to.set(from.subarray(this.#head, this.#head + this.#count));
      return to;
    };
    this.#terms = move(this.#terms, new Float64Array(capacity));
    this.#generations = move(this.#generations, new Float64Array(capacity));
    this.#offsets = move(this.#offsets, new Float64Array(capacity));
    this.#lengths = move(this.#lengths, new Uint32Array(capacity));
    this.#head = 0;
    then();
  }
}
