/**
 * All sound identities of a segment. In a striped one they stand between batches, whose entries may
 * hold any bytes, also such as look like an identity: clients choose them. So an area is walked
 * from record to record, and the inside of a batch is not looked at. Where the header of a batch is
 * bad, its identity in the other area says how far it goes; hence each area is walked once to learn
 * what it says of the other, and once more knowing what the other says of it. What is sound where
 * it stands goes before what is said of it, so that damage to one area cannot hide a record of the
 * other.
 */

import { BATCH_HEADER, BATCH_MAGIC, decodeBatchHeader } from './batch-codec.js';
import { decodeIdentities, decodeIdentity, IDENTITY_MAGIC, type BatchIdentity } from './identity-codec.js';
import { align8, STRIPED, type Area, type SegmentLayout } from './segment-layout.js';

export function findIdentities(bytes: Uint8Array, layout: SegmentLayout, seed: number, generation: number): BatchIdentity[] {
  const [first, second] = layout.areas;
  if (layout.format !== STRIPED) return decodeIdentities(bytes, second.start, second.end, seed, generation);
  const walk = (area: Area, known: readonly BatchIdentity[]): BatchIdentity[] => walkArea(bytes, area, seed, generation, known);
  const inFirst = walk(first, walk(second, []));
  return [...inFirst, ...walk(second, inFirst)];
}

function walkArea(
  bytes: Uint8Array, { start, end }: Area, seed: number, generation: number, known: readonly BatchIdentity[],
): BatchIdentity[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const byOffset = new Map(known.map((identity) => [identity.offset, identity]));
  const found: BatchIdentity[] = [];
  for (let at = start; at + 8 <= end; ) {
    const magic = view.getUint32(at, true);
    const identity = magic === IDENTITY_MAGIC ? decodeIdentity(bytes, view, at, end, seed, generation) : undefined;
    if (identity !== undefined) found.push(identity);
    const header = magic === BATCH_MAGIC ? decodeBatchHeader(bytes, view, at, seed, generation) : undefined;
    const batch = header?.length ?? batchLength(byOffset.get(at));
    const next = identity?.end ?? (batch === undefined ? at + 8 : align8(at + BATCH_HEADER + batch));
    at = next <= end ? next : at + 8;
  }
  return found;
}

function batchLength(identity: BatchIdentity | undefined): number | undefined {
  return identity?.lengths.reduce((sum, length) => sum + length, 0);
}
