/**
 * A block of a table is found by its index, and that by its footer. Where one of these is beyond
 * parity in a file of a member that is not a replica yet, the block behind it may be whole, and the
 * only copy. So what leads to it is taken from the others, as a replica does for its own reads:
 * else this member may wait for one that waits for that block.
 *
 * D1 S4 what they give is verified by the digest of what refers to it, is kept in memory alone, and
 * only leads to bytes of this member's own. C1 few blocks are asked for at a time, each once; what
 * was given longest ago goes first.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import type { StorageError } from '../../storage/base/errors.js';
import type { BlockFaults } from '../../storage/table/block-faults.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { TableFetcher } from '../fetch/table-fetcher.js';

/** Who can be asked, now. */
export interface Asked {
  readonly peers: readonly NodeId[];
}

const ASKED_MAX = 4;
const GIVEN_BYTES_MAX = 64 * MiB;

export class LeftPaths implements BlockFaults {
  readonly #fetcher: TableFetcher;
  readonly #asked: Asked;
  /** Being asked for: 0 to ASKED_MAX. */
  readonly #wanted = new Set<string>();
  readonly #given = new Map<string, Uint8Array>();
  #givenBytes = 0;

  constructor(env: Env, asked: Asked) {
    this.#fetcher = new TableFetcher(env);
    this.#asked = asked;
  }

  corrected(): void {
    // It is given as it was corrected.
  }

  unreadable(): void {
    // Whoever asked is told so.
  }

  patch(meta: TableMeta, offset: number): Uint8Array | undefined {
    return this.#given.get(keyOf(meta, offset));
  }

  /** The read that failed names the block that it lacks: it is asked for meanwhile. */
  lacks(meta: TableMeta, { data: { offset, digest } }: StorageError): void {
    if (typeof offset !== 'number' || typeof digest !== 'string') return;
    const key = keyOf(meta, offset);
    if (this.#wanted.has(key) || this.#wanted.size >= ASKED_MAX) return;
    this.#wanted.add(key);
    void this.#fetcher.fetchBlock(meta, { offset, digest }, this.#asked.peers).then((outcome) => {
      this.#wanted.delete(key);
      if (outcome.kind === 'good') this.#keep(key, outcome.payload);
    });
  }

  #keep(key: string, payload: Uint8Array): void {
    if (this.#given.has(key)) return;
    // The frame that it came in is used again.
    this.#given.set(key, payload.slice());
    this.#givenBytes += payload.length;
    for (const [first, { length }] of this.#given) {
      if (this.#givenBytes <= GIVEN_BYTES_MAX || this.#given.size === 1) break;
      this.#given.delete(first);
      this.#givenBytes -= length;
    }
    assert(this.#givenBytes > 0 || payload.length === 0, `S4 ${this.#givenBytes} bytes are kept`);
  }
}

function keyOf({ fileDigest }: TableMeta, offset: number): string {
  return `${fileDigest}:${offset}`;
}
