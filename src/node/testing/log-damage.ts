/**
 * Entries in the log of a member that is down, as they lie on its disk, and bytes of them spoiled.
 */

import { assert, must } from '../../base/assert.js';
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

const SECTOR_BYTES = 512;

/** A sector in the middle of the entry never came to the disk: as a write that power loss tore. */
export async function tearEntry(disk: Disk, index: number, segmentBytes = SEGMENT_BYTES): Promise<void> {
  const { table } = await resolved(disk, segmentBytes);
  const { generation, offset, length } = table.place(index);
  assert(offset >= 0 && length >= 2 * SECTOR_BYTES, `entry ${index} has a whole sector of its own`);
  const file = await disk.open(segmentName('log', generation), 'write');
  file.writeSync(new Uint8Array(SECTOR_BYTES), Math.ceil(offset / SECTOR_BYTES) * SECTOR_BYTES);
  await file.sync();
  file.close();
}
