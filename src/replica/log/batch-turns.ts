/**
 * In which order the batches of a log were written, by their sequence numbers alone: each has a
 * turn of its own, and the next follows it. A log that was renewed after a failure goes on after
 * the last batch that was synced before, and what was given up in between has no turn.
 */

import type { BatchFact, SegmentScan } from './scan.js';

/** Any other mark follows a batch that was synced. */
function isRenewal({ records, sequence, synced }: BatchFact): boolean {
  return records.length === 0 && synced > 0 && sequence > synced + 1;
}

/** Its sequence number, but for those that were given up before it. */
export function turnOf(batch: BatchFact): number {
  return isRenewal(batch) ? batch.synced + 1 : batch.sequence;
}

export function withoutGivenUp(batches: readonly BatchFact[]): BatchFact[] {
  const renewals = batches.filter(isRenewal);
  return batches.filter(({ sequence }) => !renewals.some((mark) => sequence > mark.synced && sequence < mark.sequence));
}

/**
 * By sequence number. Of two with one number (bytes in the wrong place) the one that an identity
 * names is meant.
 */
export function inOrder(scans: readonly SegmentScan[]): BatchFact[] {
  const bySequence = new Map<number, BatchFact>();
  for (const scan of scans) {
    for (const batch of scan.batches) {
      const other = bySequence.get(batch.sequence);
      if (other === undefined || (!other.identified && batch.identified)) bySequence.set(batch.sequence, batch);
    }
  }
  return [...bySequence.values()].sort((a, b) => a.sequence - b.sequence);
}
