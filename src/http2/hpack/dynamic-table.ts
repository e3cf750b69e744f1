/**
 * The fields that the peer had us remember (RFC 7541, 2.3.2 and 4): the newest first, and never
 * more bytes than the capacity. They lie in a ring, so that neither a new field nor an old one that
 * must go moves the others.
 */

import type { Field } from './field.js';

/** Bytes of a table before anybody said otherwise (RFC 9113, 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096;

/** Fields: room at first. It doubles, up to what the capacity holds. */
const FIRST_ROOM = 16;

export class DynamicTable {
  /** Its length is a power of two. */
  #ring = new Array<Field | undefined>(FIRST_ROOM).fill(undefined);
  #newest = 0;
  #count = 0;
  #bytes = 0;
  #capacity: number;

  constructor(capacityBytes: number) {
    this.#capacity = capacityBytes;
  }

  /** 0 is the newest; undefined where there are not so many. */
  at(age: number): Field | undefined {
    if (age >= this.#count) return undefined;
    return this.#ring[(this.#newest - age) & (this.#ring.length - 1)];
  }

  /** A field that is larger than the table leaves it empty (4.4). */
  insert(field: Field): void {
    this.#evict(this.#capacity - field.size);
    if (field.size > this.#capacity) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#bytes += field.size;
  }

  resize(capacityBytes: number): void {
    this.#capacity = capacityBytes;
    this.#evict(capacityBytes);
  }

  /** Until the table has no more than so many bytes, or nothing. */
  #evict(bytes: number): void {
    while (this.#count > 0 && this.#bytes > bytes) {
      const oldest = (this.#newest - this.#count + 1) & (this.#ring.length - 1);
      this.#bytes -= (this.#ring[oldest] as Field).size;
      this.#ring[oldest] = undefined;
      this.#count--;
    }
  }

  #grow(): void {
    const count = this.#count;
    const ring = new Array<Field | undefined>(this.#ring.length * 2).fill(undefined);
    for (let age = 0; age < count; age++) ring[count - 1 - age] = this.at(age);
    this.#ring = ring;
    this.#newest = count - 1;
  }
}
