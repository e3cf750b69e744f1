/**
 * Writes a log anew from its first hole on: one new segment with all that is behind it, which takes
 * the place of what is there by one rename.
 *
 * R6 why not in place: a write into a page can be torn by a crash and take the sound entries beside
 * the bad one with it, and of a missing file there is no place. Why not as further batches of the
 * log: a batch replaces everything from its first index on, so a crash between two of them would
 * lose sound entries. One file under a temporary name is nothing to anybody until it is complete,
 * synced, proven by identities and read back; then its name makes all of it count at once.
 *
 * Its sequence numbers are so far above all others that no batch of a file which cannot be read
 * today, and may be again tomorrow, can come after them.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import type { LogIndex } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';
import { BATCH_HEADER, recordLength } from './batch-codec.js';
import type { LogPoint } from './log-point.js';
import { LogError } from './errors.js';
import { LogWriter, type WrittenTo } from './log-writer.js';
import type { Resolution } from './resolve.js';
import { removeRest } from './rest-record.js';
import { scanSegment, type SegmentScan } from './scan.js';
import { layoutOf, MAX_SEGMENT_BYTES, segmentBytesFor, segmentName } from './segment-layout.js';
import { Segment, writeFrame, zeroRange, type SegmentStore } from './segment-store.js';

/** Can be gone through again. */
export interface MendedEntries {
  all(): AsyncIterable<Entry>;
}

/** What is written, and where it goes on from. */
export interface Mend {
  /** The entry before the first: what is here of it and before it stays, unless `anew`. */
  readonly after: LogPoint;
  /** The log begins after `after`. */
  readonly anew: boolean;
  readonly lastIndex: LogIndex;
  readonly commit: LogIndex;
  /** All that is written, in order; asked for again if there was not enough room. */
  readonly entries: MendedEntries;
  /** Of all of it. */
  readonly bytes: number;
}

const SEQUENCE_JUMP = 2 ** 32;
const CHUNK_BYTES = MiB;
const CHUNK_ENTRIES = 4096;

/** Rejects with DiskError, LogError NO_SPACE: the log is as it was. */
export async function writeMended(
  disk: Disk, store: SegmentStore, scans: readonly SegmentScan[], resolution: Resolution, mend: Mend,
): Promise<void> {
  const generation = await emptySegment(disk, store, scans);
  const temporary = `${store.dir}/mend-${generation}.tmp`;
  let bytes = Math.max(store.layout.bytes, segmentBytesFor(mend.bytes + 2 * BATCH_HEADER * (1 + Math.ceil(mend.bytes / CHUNK_BYTES))));
  for (; ; bytes = Math.min(2 * bytes, MAX_SEGMENT_BYTES)) {
    const segment = await newSegment(disk, temporary, generation, bytes);
    try {
      const writer = new LogWriter(new OneSegment(segment), resolution.highestSequence + SEQUENCE_JUMP, resolution.snapshotThrough);
      await fill(writer, mend);
      break;
    } catch (error) {
      if (!(error instanceof NoRoom) || bytes === MAX_SEGMENT_BYTES) throw error;
    } finally {
      segment.file.close();
    }
  }
  await proveWritten(disk, temporary, generation, bytes, mend);
  // It may end elsewhere now.
  await removeRest(disk, store.dir);
  await disk.rename(temporary, segmentName(store.dir, generation));
  await disk.syncDir(store.dir);
}

/**
 * The generation of one that was never written to, with another behind it: at no time may there be
 * a gap, or the last with entries be the last of all.
 */
async function emptySegment(disk: Disk, store: SegmentStore, scans: readonly SegmentScan[]): Promise<number> {
  const unused = ({ batches, oddities, ends }: SegmentScan): boolean =>
    batches.length === 0 && oddities.length === 0 && ends.every((end) => end === 'absent');
  const [first, second] = scans.slice(-2);
  if (first && second && unused(first) && unused(second) && second.generation === first.generation + 1) return first.generation;
  const generation = (scans.at(-1)?.generation ?? 0) + 1;
  for (const next of [generation, generation + 1]) (await store.prepare(next)).file.close();
  assert(disk.sizeOf(segmentName(store.dir, generation)) !== undefined, `R6 segment ${generation} is there before it is replaced`);
  return generation;
}

async function newSegment(disk: Disk, path: string, generation: number, bytes: number): Promise<Segment> {
  const file: DiskFile = await disk.open(path, 'create');
  try {
    await zeroRange(file, 0, bytes);
    await writeFrame(file, generation, layoutOf(bytes));
  } catch (error) {
    file.close();
    throw error;
  }
  return new Segment(generation, layoutOf(bytes), file);
}

class NoRoom extends Error {}

/**
 * There is no second one: what does not fit is written anew into a larger one. Its format is that
 * of a segment for large entries, which every version of the cluster can read.
 */
class OneSegment implements WrittenTo {
  readonly active: Segment;
  readonly outdated = false;

  constructor(segment: Segment) {
    this.active = segment;
  }

  roll(): Promise<void> {
    return Promise.reject(new NoRoom());
  }

  enlargeActive(): Promise<void> {
    return Promise.reject(new NoRoom());
  }

  reformatActive(): Promise<void> {
    assert(false, 'R6 a mended log is written in one format');
  }
}

async function fill(writer: LogWriter, { after, anew, lastIndex, commit, entries }: Mend): Promise<void> {
  let { index, term } = after;
  // It says that nothing follows, or that all before is gone.
  if (anew || lastIndex === index) await writer.writeMark(index, term, Math.min(commit, lastIndex), 0, anew);
  let chunk: Entry[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (chunk.length === 0) return;
    await writer.write(chunk, index, term, Math.min(commit, lastIndex));
    ({ index, term } = chunk.at(-1) as Entry);
    chunk = [];
    bytes = 0;
  };
  for await (const entry of entries.all()) {
    assert(entry.index === index + chunk.length + 1, `R3 entry ${entry.index} follows ${index + chunk.length}`);
    chunk.push(entry);
    bytes += entrySize(entry);
    if (bytes >= CHUNK_BYTES || chunk.length >= CHUNK_ENTRIES) await flush();
  }
  await flush();
  await writer.flush();
  assert(index === lastIndex, `R3 the log is mended up to ${lastIndex}, not to ${index}`);
}

/** As the next start will read it, before it counts. */
async function proveWritten(disk: Disk, path: string, generation: number, bytes: number, { after, lastIndex }: Mend): Promise<void> {
  const { batches, oddities } = await scanSegment(disk, path, generation, bytes);
  let { index } = after;
  for (const batch of batches) {
    if (batch.previousIndex === index && batch.records.every(({ good }) => good)) index += batch.records.length;
  }
  if (index === lastIndex && oddities.length === 0 && batches.at(-1)?.identified === true) return;
  throw new LogError('WRITE_FAILED', `${path} does not read back as it was written: entries up to ${index} of ${lastIndex}`, { path });
}

/** Bytes of a segment that the entry takes. */
export function mendedBytes(entry: Pick<Entry, 'data'>): number {
  return recordLength(entry as Entry);
}
