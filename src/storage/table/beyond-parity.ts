/**
 * Regions that no correction could make good, by the bytes that were read: a correction beyond
 * parity tries many choices of shards (1.4 ms for a block of 16 KiB, close to a second for the
 * largest), and every reader of such a block would have it tried again while it waits for a peer's.
 * The same bytes have the same outcome, so nothing is forgone: any other bytes are tried.
 */

import { assert } from '../../base/assert.js';
import { digest64 } from '../../base/digest.js';
import type { Digest64 } from '../../base/ids.js';
import { decodeBlock, type DecodedBlock } from '../block/block-codec.js';
import type { BlockSpec } from '../block/handle.js';
import type { TableMeta } from './table-meta.js';

const KNOWN_MAX = 1_024;

interface Known {
  /** Of the bytes as they were read. */
  readonly bytes: Digest64;
  /** Of the payload that they should give. */
  readonly wanted: BlockSpec['digest'];
  readonly outcome: Extract<DecodedBlock, { kind: 'unreadable' }>;
}

export class BeyondParity {
  /** By table and offset, the oldest first. */
  readonly #known = new Map<string, Known>();
  #tried = 0;

  /** Regions that were tried in vain, since the start. */
  get tried(): number {
    return this.#tried;
  }

  /** As {@link decodeBlock}. */
  decode(meta: TableMeta, offset: number, bytes: Uint8Array, spec: BlockSpec): DecodedBlock {
    const key = `${meta.id}:${offset}`;
    const known = this.#known.get(key);
    const digest = known === undefined ? undefined : digest64(bytes);
    if (known !== undefined && known.bytes === digest && known.wanted === spec.digest) return known.outcome;
    const outcome = decodeBlock(bytes, spec);
    this.#known.delete(key);
    if (outcome.kind !== 'unreadable') return outcome;
    this.#tried++;
    this.#known.set(key, { bytes: digest ?? digest64(bytes), wanted: spec.digest, outcome });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
    assert(this.#known.size <= KNOWN_MAX, `${this.#known.size} regions are remembered`);
    return outcome;
  }
}
