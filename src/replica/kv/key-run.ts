/**
 * Many keys, in the order in which they were added, end to end in pages: some bytes for each beside
 * its own, and no object. They are read as they were added, from the first on.
 *
 * A page is never written again once it is read from, so keys that were given out stay as they are.
 */

import { assert } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';

const FIRST_PAGE_BYTES = KiB;
const PAGE_BYTES = 64 * KiB;
/** Of a key's length, before the key: little endian. */
const LENGTH_BYTES = 4;

function lengthAt(page: Uint8Array, at: number): number {
  const low = (page[at] as number) | ((page[at + 1] as number) << 8);
  return low | ((page[at + 2] as number) << 16) | ((page[at + 3] as number) << 24);
}

export class KeyRun implements Iterable<Uint8Array> {
  readonly #pages: Uint8Array[] = [];
  /** Bytes in use of each page. */
  readonly #ends: number[] = [];
  #size = 0;
  #bytes = 0;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The key is copied. */
  add(key: Uint8Array): void {
    const page = this.#room(LENGTH_BYTES + key.length);
    const last = this.#pages.length - 1;
    const at = this.#ends[last] as number;
    const { length } = key;
    page[at] = length;
    page[at + 1] = length >>> 8;
    page[at + 2] = length >>> 16;
    page[at + 3] = length >>> 24;
    page.set(key, at + LENGTH_BYTES);
    this.#ends[last] = at + LENGTH_BYTES + length;
    this.#size++;
  }

  /** Views of the pages; nothing may be added any more once one was given. */
  *[Symbol.iterator](): Generator<Uint8Array, void> {
    const { size } = this;
    for (let p = 0; p < this.#pages.length; p++) {
      const page = this.#pages[p] as Uint8Array;
      const end = this.#ends[p] as number;
      for (let at = 0; at < end; ) {
        const from = at + LENGTH_BYTES;
        at = from + lengthAt(page, at);
        yield page.subarray(from, at);
      }
    }
    assert(size === this.#size, 'no key is added to a run that is read');
  }

  /** The last page, with room for so many bytes. */
  #room(bytes: number): Uint8Array {
    const last = this.#pages.length - 1;
    const page = this.#pages[last];
    if (page !== undefined && page.length - (this.#ends[last] as number) >= bytes) return page;
    const usual = page === undefined ? FIRST_PAGE_BYTES : Math.min(PAGE_BYTES, 4 * page.length);
    const next = new Uint8Array(Math.max(usual, bytes));
    this.#pages.push(next);
    this.#ends.push(0);
    this.#bytes += next.length;
    return next;
  }
}
