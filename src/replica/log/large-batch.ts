/**
 * Writes a batch of one large entry at `offset`, its data from where it is and in slices, with
 * other work between them: to sum up and copy it at once would keep heartbeats waiting. The head
 * comes last, so that a batch whose data is not all there has none.
 */

import { MiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Entry } from '../../raft/types.js';
import { BATCH_HEADER, RECORD_HEADER, type BatchContext, type BatchEncoder } from './batch-codec.js';
import { encodeEndMark, hasRoomForMark } from './end-mark.js';
import { align8, areaAt } from './segment-layout.js';
import type { Segment } from './segment-store.js';

const SLICE_BYTES = MiB;

/** The length of the batch. */
export async function writeLarge(
  encoder: BatchEncoder, { file, seed, layout }: Segment, offset: number, context: BatchContext, entry: Entry,
): Promise<number> {
  const area = layout.areas[areaAt(layout, offset)];
  const { data } = entry;
  const dataAt = offset + BATCH_HEADER + RECORD_HEADER;
  let crc = encoder.crcBeforeData(seed, entry);
  for (let at = 0; at < data.length; at += SLICE_BYTES) {
    const slice = data.subarray(at, at + SLICE_BYTES);
    crc = crc32c(slice, crc);
    await file.write(slice, dataAt + at);
  }
  const end = align8(dataAt + data.length);
  if (hasRoomForMark(area, end)) await file.write(encodeEndMark(seed, end), end);
  await file.write(encoder.encodeHead(context, seed, entry, crc), offset);
  return BATCH_HEADER + RECORD_HEADER + data.length;
}
