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

/** Bytes of one read, unless a single record is larger. */
const READ_BYTES = 1024 * 1024;

/** [lo, hi): as many as fit into `maxBytes`, at least one. */
export function readEntries(chain: SegmentChain, table: EntryTable, lo: LogIndex, hi: LogIndex, maxBytes: number): Entry[] {
  const out: Entry[] = [];
  let total = 0;
  for (let index = lo; index < hi; ) {
    const run = runFrom(table, index, hi, Math.min(READ_BYTES, maxBytes - total + RECORD_HEADER));
    for (const entry of readRun(chain, table, index, run)) {
      total += entrySize(entry);
      if (total > maxBytes && out.length > 0) return out;
      out.push(entry);
    }
    index = lo + out.length;
    if (total >= maxBytes) return out;
  }
  return out;
}

/**
 * Records that one read covers: in one segment, one behind the other, within `bytes`; at least one.
 */
function runFrom(table: EntryTable, from: LogIndex, hi: LogIndex, bytes: number): EntryPlace[] {
  const first = table.place(from);
  const run = [first];
  for (let index = from + 1; index < hi; index++) {
    const place = table.place(index);
    if (place.generation !== first.generation || place.offset + place.length - first.offset > bytes) break;
    run.push(place);
  }
  return run;
}

function readRun(chain: SegmentChain, table: EntryTable, from: LogIndex, run: readonly EntryPlace[]): Entry[] {
  const first = run[0] as EntryPlace;
  const last = run[run.length - 1] as EntryPlace;
  assert(first.offset >= 0 && last.generation === first.generation, `R6 a log with entries whose place is not known is not opened: ${from}`);
  const segment = chain.segment(first.generation);
  const bytes = new Uint8Array(last.offset + last.length - first.offset);
  let failure: unknown;
  try {
    if (segment.file.readSync(bytes, first.offset) < bytes.length) failure = 'the file is too short';
  } catch (error) {
    failure = error;
    segment.worn = true;
  }
  const view = new DataView(bytes.buffer);
  return run.map((place, i): Entry => {
    const at = place.offset - first.offset;
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
