/**
 * A log with holes: entries that are known to have existed and whose bytes are bad. It is read and
 * nothing of it is changed, until what its holes held is known: then `mend-log.ts` writes the log
 * anew from the first of them on.
 *
 * R6 an entry that is good here is read back with its checksum; one that cannot be read any more
 * has become a hole. Where the log `endsOpen`, entries may be missing behind the last row.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { decodeRecordHead, getU53, RECORD_HEADER } from './batch-codec.js';
import type { LogError } from './errors.js';
import type { EntryPlace, EntryTable } from './entry-table.js';
import type { LogPoint } from './log-point.js';
import { writeMended, type Mend } from './mend-log.js';
import type { Examined } from './open-log.js';
import { generationSeed, segmentName } from './segment-layout.js';
import type { SegmentStore } from './segment-store.js';

/** Of one read ahead, for who reads entry by entry. */
const READ_BYTES = MiB;

interface Piece {
  readonly generation: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class DamagedLog {
  /** What is wrong with it, for people. */
  readonly error: LogError;
  /** What comes before its first entry: what tables hold, or an entry before that. */
  readonly base: LogPoint;
  /** What it has at and before `base` is of no use. */
  readonly beginsAnew: boolean;
  readonly lastIndex: LogIndex;
  readonly endsOpen: boolean;
  /**
   * What is written anew begins here at the latest: what is cut off may have replaced entries from
   * here on, and is not to be taken for what came before.
   */
  readonly writtenFrom: LogIndex;
  /** Recorded with its batches. */
  readonly commit: LogIndex;
  readonly #disk: Disk;
  readonly #store: SegmentStore;
  readonly #examined: Examined;
  readonly #bad: Set<LogIndex>;
  #piece: Piece | undefined;

  constructor(disk: Disk, store: SegmentStore, examined: Examined, error: LogError, flushed: LogPoint) {
    const { table, faults, endsOpen, commit, cut } = examined.resolution;
    this.#disk = disk;
    this.#store = store;
    this.#examined = examined;
    this.error = error;
    this.#bad = new Set(faults.map(({ index }) => index));
    // What tables hold is not needed from the log; what is missing before its first row is missing
    // behind what they hold.
    const whole = table.baseIndex <= flushed.index && faults.every(({ index }) => index > flushed.index);
    const other = flushed.index >= table.baseIndex && !leadsTo(table, flushed);
    this.beginsAnew = other || !whole;
    this.base = this.beginsAnew ? flushed : { index: table.baseIndex, term: table.term(table.baseIndex) };
    this.lastIndex = other ? flushed.index : Math.max(table.lastIndex, flushed.index);
    this.endsOpen = other || endsOpen;
    this.commit = commit;
    this.writtenFrom = Math.max(this.base.index + 1, Math.min(this.lastIndex + 1, cut?.from ?? Infinity));
    assert(this.base.index <= this.lastIndex, `R3 the log begins after ${this.base.index} and ends with ${this.lastIndex}`);
  }

  /** 0: not known. Of an entry, or of the one before the first. */
  term(index: LogIndex): Term {
    if (index === this.base.index) return this.base.term;
    const { table } = this.#examined.resolution;
    return index < table.baseIndex ? 0 : table.term(index);
  }

  isHole(index: LogIndex): boolean {
    assert(index > this.base.index && index <= this.lastIndex, `R3 entry ${index} is in (${this.base.index}, ${this.lastIndex}]`);
    return index <= this.#examined.resolution.table.baseIndex || this.#bad.has(index);
  }

  /** Nothing of it is missing but, perhaps, a tail that nothing proves. */
  get isWhole(): boolean {
    return this.#bad.size === 0 && !this.endsOpen && this.#examined.resolution.table.baseIndex <= this.base.index;
  }

  /**
   * What follows the last entry and was never proven to have been durable, in order, as far as it
   * can be told which entries they are. No term is above `highest`.
   */
  async torn(highest: Term): Promise<LogPoint[]> {
    const out: LogPoint[] = [];
    let least = this.term(this.lastIndex);
    for (const { index, term, generation, offset } of this.#examined.resolution.torn) {
      const known = least === highest ? highest : term > 0 ? term : await this.#termAsWritten(generation, offset, index);
      if (known === undefined || known > highest || known < least) break;
      out.push({ index, term: known });
      least = known;
    }
    return out;
  }

  /** Of a record whose checksum does not match: what stands in its place, for asking. */
  async #termAsWritten(generation: number, offset: number, index: LogIndex): Promise<Term | undefined> {
    const bytes = offset < 0 ? undefined : await this.#read(generation, offset, RECORD_HEADER);
    if (bytes === undefined || bytes.length < RECORD_HEADER) return undefined;
    const said = headOf(bytes);
    return said.index === index && said.term > 0 ? said.term : undefined;
  }

  /** Undefined: it is a hole, as it was or from now on. */
  async read(index: LogIndex): Promise<Entry | undefined> {
    if (this.isHole(index)) return undefined;
    const place = this.#examined.resolution.table.place(index);
    const bytes = await this.#bytes(place);
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const head = bytes && view && decodeRecordHead(bytes, view, 0, bytes.length, generationSeed(place.generation));
    if (bytes === undefined || head?.index !== index || head.term !== this.term(index)) {
      this.#bad.add(index);
      return undefined;
    }
    return { index, term: head.term, type: head.type, data: bytes.slice(RECORD_HEADER, RECORD_HEADER + head.dataLength) };
  }

  /**
   * Writes what takes the place of the entries from `mend.from` on. A crash before it resolves
   * leaves the log as it was, or mended.
   */
  write(mend: Mend): Promise<void> {
    const { scans, resolution } = this.#examined;
    return writeMended(this.#disk, this.#store, scans, resolution, mend);
  }

  async #bytes({ generation, offset, length }: EntryPlace): Promise<Uint8Array | undefined> {
    const piece = this.#piece;
    if (piece?.generation === generation && offset >= piece.offset && offset + length <= piece.offset + piece.bytes.length) {
      return piece.bytes.subarray(offset - piece.offset, offset - piece.offset + length);
    }
    const ahead = (await this.#read(generation, offset, Math.max(length, READ_BYTES))) ?? (await this.#read(generation, offset, length));
    if (ahead === undefined || ahead.length < length) return undefined;
    this.#piece = { generation, offset, bytes: ahead };
    return ahead.subarray(0, length);
  }

  async #read(generation: number, offset: number, length: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#disk.readDirect(segmentName(this.#store.dir, generation), offset, length)).bytes;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }
}

/** Undamaged, the log would have this very entry, as far as is known. */
function leadsTo(table: EntryTable, { index, term }: LogPoint): boolean {
  return index <= table.lastIndex && (index === 0 || table.term(index) === 0 || table.term(index) === term);
}

/** Whatever its checksum says. */
function headOf(bytes: Uint8Array): LogPoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { index: getU53(view, 8), term: getU53(view, 16) };
}
