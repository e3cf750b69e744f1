/**
 * Entries from the segments, synchronously, with every checksum verified: S4's rule for the log.
 */

import { assert } from '../../base/assert.js';
import { messageOf } from '../../base/errors.js';
import type { LogIndex } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';
import { decodeRecordHead, RECORD_HEADER } from './batch-codec.js';
import type { EntryPlace, EntryTable } from './entry-table.js';
import { LogError } from './errors.js';
import type { SegmentChain } from './segment-chain.js';
import { areaAt } from './segment-layout.js';
import type { Segment } from './segment-store.js';

/** Bytes of what is read at once, unless a single record is larger. */
const READ_BYTES = 1024 * 1024;

/** [lo, hi): as many as fit into `maxBytes`, at least one. */
export function readEntries(chain: SegmentChain, table: EntryTable, lo: LogIndex, hi: LogIndex, maxBytes: number): Entry[] {
  const out: Entry[] = [];
  let total = 0;
  for (let index = lo; index < hi; ) {
    const run = runFrom(chain, table, index, hi, Math.min(READ_BYTES, maxBytes - total + RECORD_HEADER));
    for (const entry of readRun(table, index, run)) {
      total += entrySize(entry);
      if (total > maxBytes && out.length > 0) return out;
      out.push(entry);
    }
    index = lo + out.length;
    if (total >= maxBytes) return out;
  }
  return out;
}

/** What is read of one area at once. */
interface Stretch {
  readonly start: number;
  end: number;
}

interface Run {
  readonly segment: Segment;
  readonly places: EntryPlace[];
  /** By area: all places lie in them. */
  readonly stretches: [Stretch | undefined, Stretch | undefined];
}

/**
 * Records that one read of each area covers: in one segment, one behind the other there, within
 * `bytes` in all; at least one.
 */
function runFrom(chain: SegmentChain, table: EntryTable, from: LogIndex, hi: LogIndex, bytes: number): Run {
  const first = table.place(from);
  assert(first.offset >= 0, `R6 a log with entries whose place is not known is not opened: ${from}`);
  const run: Run = { segment: chain.segment(first.generation), places: [], stretches: [undefined, undefined] };
  let taken = 0;
  for (let index = from; index < hi; index++) {
    const place = table.place(index);
    if (place.generation !== first.generation) break;
    const area = areaAt(run.segment.layout, place.offset);
    const stretch = (run.stretches[area] ??= { start: place.offset, end: place.offset });
    const end = place.offset + place.length;
    // Places ascend, but for entries that lie where a fault put them.
    if (place.offset < stretch.end && index > from) break;
    taken += end - stretch.end;
    if (taken > bytes && index > from) break;
    stretch.end = end;
    run.places.push(place);
  }
  return run;
}

function readRun(table: EntryTable, from: LogIndex, { segment, places, stretches }: Run): Entry[] {
  const read = stretches.map((stretch) => readStretch(segment, stretch ?? { start: 0, end: 0 }));
  return places.map((place, i): Entry => {
    const area = areaAt(segment.layout, place.offset);
    const { bytes, view, failure } = read[area] as Bytes;
    const at = place.offset - (stretches[area] as Stretch).start;
    const index = from + i;
    const head = failure === undefined ? decodeRecordHead(bytes, view, at, at + place.length, segment.seed) : undefined;
    const term = table.term(index);
    if (head?.index !== index || head.term !== term) {
      const why = failure === undefined ? 'its checksum does not match' : messageOf(failure);
      throw new LogError('ENTRY_UNREADABLE', `log entry ${index} of term ${term} in ${segment.file.path} at ${place.offset}: ${why}`, {
        index, term, segment: segment.file.path, offset: place.offset,
      }, failure);
    }
    return { index, term, type: head.type, data: bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + head.dataLength) };
  });
}

interface Bytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly failure: unknown;
}

function readStretch(segment: Segment, { start, end }: Stretch): Bytes {
  const bytes = new Uint8Array(end - start);
  const view = new DataView(bytes.buffer);
  try {
    const short = bytes.length > 0 && segment.file.readSync(bytes, start) < bytes.length;
    return { bytes, view, failure: short ? 'the file is too short' : undefined };
  } catch (failure) {
    segment.worn = true;
    return { bytes, view, failure };
  }
}
