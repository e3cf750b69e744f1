/**
 * A block as one who lacks it names it: the digest is the asker's own, so what a peer sends is
 * judged by it alone (S4).
 */

import { assert } from '../../base/assert.js';
import { digest128, digest64 } from '../../base/digest.js';
import { formatDigest } from '../../storage/block/handle.js';

/** A block by where it lies in its table's file and what it must hold. Every BlockName is one. */
export interface WantedBlock {
  readonly offset: number;
  /** Hex: 16 digits (XXH64), or 32 (XXH128) for a footer. */
  readonly digest: string;
}

export function payloadMatches(payload: Uint8Array, digest: string): boolean {
  assert(digest.length === 16 || digest.length === 32, `S4 a block is named by a digest, not by ${digest.length} digits`);
  return (digest.length === 32 ? digest128(payload) : formatDigest(digest64(payload))) === digest;
}
