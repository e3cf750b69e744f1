/**
 * Entries in the log of a member that is down, as they lie on its disk, and bytes of them spoiled.
 */

import { must } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { resolve, type Resolution } from '../../replica/log/resolve.js';
import { scanSegment } from '../../replica/log/scan.js';
import { generationOf, segmentName } from '../../replica/log/segment-layout.js';
import { rot } from './files.js';

/** Of {@link Cluster} unless a test asks for another one. */
const SEGMENT_BYTES = 64 * 1024;

export async function resolved(disk: Disk, segmentBytes = SEGMENT_BYTES): Promise<Resolution> {
  const generations = (await disk.list('log')).map(generationOf).filter((generation) => generation !== undefined);
  const scans = await Promise.all(generations.sort((a, b) => a - b).map((generation) =>
    scanSegment(disk, segmentName('log', generation), generation, segmentBytes)));
  return resolve(scans, { knownCommit: 0, flushedIndex: 0 });
}

/** Their bytes are others from now on; what proves that they existed stays. */
export async function rotEntries(disk: Disk, indexes: readonly number[], segmentBytes = SEGMENT_BYTES): Promise<void> {
  const { table } = await resolved(disk, segmentBytes);
  for (const index of indexes) {
    const { generation, offset, length } = table.place(index);
    must(offset >= 0, `entry ${index} has a place`);
    await rot(disk, segmentName('log', generation), offset, offset + length);
  }
}
