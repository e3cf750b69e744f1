/**
 * Entries that stay when a log is opened count for votes and acknowledgements from now on, so from
 * now on there is proof of them: identities for all sound batches of the segment that is written to
 * which have none. R6 the newest first, should there not be room for all: the older ones are proven
 * by what the later ones say as well. Those that a later batch proves may stay without; of the last
 * one nothing else would tell.
 */

import { assert } from '../../base/assert.js';
import { hasRoomForMark } from './end-mark.js';
import { identityBound, IdentityEncoder } from './identity-codec.js';
import { endOf, type BatchFact } from './scan.js';
import { areaAt, otherArea, type AreaIndex } from './segment-layout.js';
import type { Segment } from './segment-store.js';

export async function vouch(active: Segment, kept: readonly BatchFact[]): Promise<void> {
  const waiting = [new IdentityEncoder(), new IdentityEncoder()] as const;
  for (let i = kept.length - 1; i >= 0; i--) {
    const batch = kept[i] as BatchFact;
    // Bad records here are such that were replaced later.
    if (batch.generation !== active.generation || batch.identified || batch.records.some((record) => !record.good)) continue;
    const target = otherArea(areaAt(active.layout, batch.offset));
    if (active.cursors[target] + waiting[target].length + identityBound(batch.records.length) > active.layout.areas[target].end) break;
    addTo(waiting[target], active, batch);
  }
  // One after the other: of two areas at most one may look torn.
  for (const target of [0, 1] as const) {
    if (waiting[target].length === 0) continue;
    write(active, target, waiting[target]);
    await active.file.sync();
  }
}

function addTo(encoder: IdentityEncoder, { seed, layout, cursors }: Segment, batch: BatchFact): void {
  const { records, offset } = batch;
  assert(endOf(batch) <= cursors[areaAt(layout, offset)], 'R6 an identity is written for a batch that stays');
  const lengths = Uint32Array.from(records, (record) => record.length);
  const checksums = Uint32Array.from(records, (record) => record.checksum);
  encoder.add(batch, seed, offset, records, 0, records.length, lengths, checksums);
}

function write({ file, cursors, layout, seed }: Segment, target: AreaIndex, encoder: IdentityEncoder): void {
  const end = cursors[target] + encoder.length;
  const isMarked = hasRoomForMark(layout.areas[target], end);
  file.writeSync(isMarked ? encoder.viewWithEndMark(seed, cursors[target]) : encoder.view(), cursors[target]);
  cursors[target] = end;
}
