/**
 * The judgement over a scanned log: every entry is good, *faulty* or *torn*.
 *
 * R6 a batch is torn, and may be cut, only if nothing proves that its sync ever returned. Proof is:
 * an identity of it or of a later batch, a later batch whose header says so (`synced`), or what
 * stands where only something later can (`log-end.ts`). Batches
 * leave in order and one sync at a time, so proof of one is proof of all before it. Bad bytes with
 * proof are faulty, and so is what is missing altogether although a later sequence number is there.
 * The materialized index of the manifest is proof for indexes: what was applied was once here.
 *
 * Which of two batches with the same index counts is decided by sequence numbers alone: a batch
 * replaces everything from its first index on. So the identities of entries that a later batch
 * replaced prove nothing about their successors: they are of another sequence number and place, and
 * damage to them costs nothing.
 *
 * A proven batch of which nothing is left may have replaced entries before its successor's first
 * index. Its successor names the term of the entry before itself; if the entry there has that term,
 * then by the log matching property all before it are the right ones too. If not, every entry that
 * was not known to be committed before that batch may be one that it replaced: all of them are
 * faulty, of unknown term but for the last.
 *
 * A log that was renewed after a failure begins its fresh segment with a mark that says which batch
 * was the last one synced before: those between the two were given up, whatever is left of them.
 *
 * What lies behind the last row may be missing, too: a fault there has no end (`endsOpen`). A log
 * that was at rest (`rest-record.ts`) says itself where it ended.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Term } from '../../base/ids.js';
import { EntryTable } from './entry-table.js';
import { findLogEnd, type LogEnd } from './log-end.js';
import type { Judgement } from './log-ways.js';
import type { RestPoint } from './rest-record.js';
import { freeFrom, type BatchFact, type SegmentScan } from './scan.js';
import { areaAt } from './segment-layout.js';
import { inOrder, turnOf, withoutGivenUp } from './batch-turns.js';

export interface Fault {
  readonly index: LogIndex;
  /** 0 where it is not known. */
  readonly term: Term;
  /** 0 where no segment is known. */
  readonly generation: number;
  /** -1 where it is not known. */
  readonly offset: number;
  readonly length: number;
  readonly why: string;
}

/** Of a tail that nothing proves. */
export interface TornEntry {
  readonly index: LogIndex;
  /** 0 where its checksum does not match. */
  readonly term: Term;
  readonly generation: number;
  /** -1 where it is not known. */
  readonly offset: number;
}

export interface Cut {
  readonly generation: number;
  readonly offset: number;
  readonly entries: number;
  /** The least index that an entry of it may have. */
  readonly from: LogIndex;
}

export interface Resolution {
  readonly table: EntryTable;
  readonly commit: LogIndex;
  readonly snapshotThrough: LogIndex;
  readonly lastSequence: number;
  /** Of any batch that was seen, or that another one speaks of. */
  readonly highestSequence: number;
  /** It ends where it was at rest. */
  readonly rests: boolean;
  /** The batches that stay, in order. */
  readonly kept: readonly BatchFact[];
  /** What nothing proves, to be zeroed. */
  readonly cut: Cut | undefined;
  /** Of `cut`, those that follow the last entry. */
  readonly torn: readonly TornEntry[];
  /** Live entries that are known to have existed and are bad; ascending. */
  readonly faults: readonly Fault[];
  /** The last fault is behind the last row: how many entries there were is not known. */
  readonly endsOpen: boolean;
  /** Bad entries that were replaced later: of no consequence. */
  readonly replacedBad: number;
  /** Bad entries that durable tables cover: the log begins after them. */
  readonly coveredBad: number;
  /** How it came about. */
  readonly ways: ReadonlySet<Judgement>;
}

export interface Evidence {
  /** The materialized index of the manifest: up to here entries were once in the log. */
  readonly knownCommit: LogIndex;
  /** Of the manifest: up to here tables have what the entries did. */
  readonly flushedIndex: LogIndex;
  /** Where the log ended when it was at rest, if that is known. */
  readonly rest?: RestPoint | undefined;
}

/** More missing entries than this are reported as one. */
const MAX_PLACEHOLDERS = 100_000;

/** `scans` in ascending order of generation. */
export function resolve(scans: readonly SegmentScan[], evidence: Evidence): Resolution {
  return new Resolver(scans, evidence).run();
}

class Resolver {
  readonly #scans: readonly SegmentScan[];
  readonly #evidence: Evidence;
  readonly #table = new EntryTable();
  /** By index: the bad ones among the rows of the table. */
  readonly #bad = new Map<LogIndex, Fault>();
  /** In order of sequence. */
  readonly #kept: BatchFact[] = [];
  #cut: Cut | undefined;
  readonly #torn: TornEntry[] = [];
  #commit: LogIndex = 0;
  #snapshotThrough: LogIndex = 0;
  #replacedBad = 0;
  #coveredBad = 0;
  readonly #ways = new Set<Judgement>();

  constructor(scans: readonly SegmentScan[], evidence: Evidence) {
    this.#scans = scans;
    this.#evidence = evidence;
  }

  run(): Resolution {
    const all = inOrder(this.#scans);
    const batches = withoutGivenUp(all);
    if (batches.length < all.length) this.#ways.add('given up');
    let proven = 0;
    let highest = 0;
    for (const { sequence, synced } of all) highest = Math.max(highest, sequence, synced);
    for (const batch of batches) proven = Math.max(proven, batch.synced, batch.identified ? batch.sequence : 0);
    const rest = restOf(this.#evidence.rest, batches, highest);
    if (this.#evidence.rest !== undefined) this.#ways.add(rest === undefined ? 'rest outlived' : 'at rest');
    const { provesLast, open } = rest === undefined ? findLogEnd(this.#scans, batches) : AT_REST;
    if (provesLast) proven = Math.max(proven, batches.at(-1)?.sequence ?? 0);
    this.#walk(batches, Math.max(proven, rest?.sequence ?? 0));
    if (rest === undefined) this.#checkFiles();
    else this.#endAt(rest);
    this.#checkEvidence();
    if (open !== undefined) this.#fault(this.#table.lastIndex + 1, 0, open.generation, -1, 0, 'what was written behind the last one is damaged');
    this.#skipCovered();
    if (this.#replacedBad > 0) this.#ways.add('bad replaced');
    if (this.#coveredBad > 0) this.#ways.add('bad covered');
    const endsOpen = this.#bad.has(this.#table.lastIndex + 1);
    if (endsOpen) this.#ways.add('ends open');
    return {
      table: this.#table,
      commit: Math.max(this.#table.baseIndex, Math.min(this.#commit, this.#table.lastIndex)),
      snapshotThrough: this.#snapshotThrough,
      lastSequence: Math.max(this.#kept.at(-1)?.sequence ?? 0, rest?.sequence ?? 0),
      highestSequence: Math.max(highest, rest?.sequence ?? 0),
      rests: rest !== undefined,
      kept: this.#kept,
      cut: this.#cut,
      torn: this.#torn,
      faults: [...this.#bad.values()].sort((a, b) => a.index - b.index),
      endsOpen,
      replacedBad: this.#replacedBad,
      coveredBad: this.#coveredBad,
      ways: this.#ways,
    };
  }

  #walk(batches: readonly BatchFact[], proven: number): void {
    const oldest = this.#scans[0];
    let expected = batches[0] === undefined ? 0 : turnOf(batches[0]);
    // The oldest segment begins with a batch. Where it does not, the one before the first we know
    // of is lost.
    const begins = batches[0]?.generation === oldest?.generation && batches[0]?.offset === oldest?.layout.dataStart;
    if (batches.length > 0 && !begins) expected--;
    for (const batch of batches) {
      const missing = turnOf(batch) !== expected;
      const torn = missing ? expected > proven : batch.sequence > proven && batch.records.some((record) => !record.good);
      if (torn) {
        assert(batch.sequence > proven, `R6 only what nothing proves is cut: batch ${batch.sequence}, proven are all up to ${proven}`);
        return this.#cutFrom(batch, batches);
      }
      this.#apply(batch, missing);
      this.#kept.push(batch);
      expected = batch.sequence + 1;
    }
  }

  /** From where what stays ends: what is missing before `batch` goes too. */
  #cutFrom(batch: BatchFact, batches: readonly BatchFact[]): void {
    this.#ways.add('torn');
    const scan = this.#scans.find(({ generation }) => generation === batch.generation);
    const offset = scan === undefined ? batch.offset : freeFrom(scan, this.#kept)[areaAt(scan.layout, batch.offset)];
    let entries = 0;
    let from = this.#table.lastIndex + 1;
    for (const { sequence, records, previousIndex } of batches) {
      if (sequence < batch.sequence) continue;
      entries += records.length;
      from = Math.min(from, previousIndex + 1);
    }
    this.#cut = { generation: batch.generation, offset, entries, from };
    this.#noteTorn(batches.slice(batches.indexOf(batch)));
    const lost = batch.previousIndex + batch.records.length;
    if (this.#table.lastIndex < this.#expectedEnd() && lost > this.#table.lastIndex) {
      this.#fault(this.#table.lastIndex + 1, batch.records[0]?.term ?? 0, batch.generation, batch.offset, 0, 'the manifest contains its effects');
    }
  }

  #noteTorn(batches: readonly BatchFact[]): void {
    let last = this.#table.lastIndex;
    for (const { previousIndex, previousTerm, generation, records } of batches) {
      const follows = previousIndex === last && (this.#torn.length > 0 || this.#table.term(last) === previousTerm);
      if (!follows) return;
      for (const { term, offset, good } of records) this.#torn.push({ index: ++last, term: good ? term : 0, generation, offset });
    }
  }

  #apply(batch: BatchFact, afterMissing: boolean): void {
    if (afterMissing) this.#ways.add('batch missing');
    const table = this.#table;
    const before = batch.previousIndex;
    const certain = this.#commit;
    this.#commit = Math.max(this.#commit, batch.commit);
    this.#snapshotThrough = Math.max(this.#snapshotThrough, batch.snapshotThrough);
    const first = this.#kept.length === 0;
    if (batch.reset || first || before < table.baseIndex) {
      this.#replacedBad += this.#bad.size;
      this.#bad.clear();
      table.reset(before, batch.previousTerm);
      if (first && afterMissing && !batch.reset) {
        this.#fault(before, batch.previousTerm, batch.generation, -1, 0, 'the batch that held it is unreadable');
      }
    } else {
      this.#forgetAfter(before);
      if (before > table.lastIndex || table.term(before) !== batch.previousTerm) {
        this.#doubt(Math.max(certain, this.#lastOf(batch.previousTerm, before)));
        this.#fillGap(before, batch.previousTerm);
      }
      assert(table.lastIndex === before && table.term(before) === batch.previousTerm, `R3 batch ${batch.sequence} follows ${before}`);
    }
    batch.records.forEach((record, i) => {
      table.push(record.term, batch.generation, record.offset, record.length);
      const index = before + 1 + i;
      if (!record.good) this.#fault(index, record.term, batch.generation, record.offset, record.length, proofOf(batch));
    });
  }

  #forgetAfter(index: LogIndex): void {
    this.#table.truncateAfter(index);
    for (const bad of this.#bad.keys()) {
      if (bad <= index) continue;
      this.#bad.delete(bad);
      this.#replacedBad++;
    }
  }

  /** What comes after `certain` may have been replaced by a batch of which nothing is left. */
  #doubt(certain: LogIndex): void {
    const table = this.#table;
    const from = Math.max(certain, table.baseIndex);
    const doubted = table.lastIndex - from;
    if (doubted > 0) this.#ways.add('doubted');
    this.#forgetAfter(from);
    for (let i = 0; i < doubted; i++) this.#missing(0);
  }

  /** The last entry of a term up to `index`; 0: there is none. */
  #lastOf(term: Term, index: LogIndex): LogIndex {
    const table = this.#table;
    for (let at = Math.min(index, table.lastIndex); term > 0 && at > table.baseIndex; at--) if (table.term(at) === term) return at;
    return 0;
  }

  #missing(term: Term): void {
    const table = this.#table;
    table.push(term, 0, -1, 0);
    this.#fault(table.lastIndex, term, 0, -1, 0, 'the batch that held it is unreadable');
  }

  /** The log ended there, whatever is left of it: nothing else needs to say so. */
  #endAt({ sequence, index, term, commit }: RestPoint): void {
    const last = this.#kept.at(-1);
    const end: BatchFact = {
      generation: last?.generation ?? 0, offset: -1, sequence: sequence + 1, synced: sequence, previousIndex: index, previousTerm: term,
      commit, snapshotThrough: 0, reset: false, ended: false, identified: false, records: [],
    };
    this.#apply(end, last?.sequence !== sequence);
    assert(this.#table.lastIndex === index, `R6 a log that was at rest ends with ${index}, not with ${this.#table.lastIndex}`);
  }

  /** Entries up to `to` were in a batch of which nothing is left. */
  #fillGap(to: LogIndex, term: Term): void {
    const from = this.#table.lastIndex + 1;
    const skips = to - from >= MAX_PLACEHOLDERS || to === this.#table.baseIndex;
    this.#ways.add(skips ? 'gap skipped' : 'gap filled');
    if (skips) {
      this.#table.reset(to, term);
      this.#fault(to, term, 0, -1, 0, `it and all from ${Math.min(from, to)} on are unreadable`);
      return;
    }
    if (from > to) this.#table.truncateAfter(to - 1);
    while (this.#table.lastIndex < to) this.#missing(this.#table.lastIndex + 1 === to ? term : 0);
  }

  /**
   * Generations follow on without a gap, and one that was never written stands behind the last: see
   * SegmentStore.
   */
  #checkFiles(): void {
    const used = this.#scans.filter((scan) => scan.batches.length > 0).at(-1)?.generation ?? 0;
    const newest = this.#scans.at(-1)?.generation ?? 0;
    const next = this.#table.lastIndex + 1;
    const known = this.#bad.get(next);
    let previous: number | undefined;
    for (const { generation, wrecked } of this.#scans) {
      // Segments before the last used one are held to the sequence numbers; from there on nothing
      // else would show.
      if (wrecked && generation >= used) this.#fault(next, 0, generation, -1, 0, 'its segment file is cut short or overwritten');
      const gap = previous !== undefined && generation !== previous + 1;
      // A gap before the last used segment shows in the sequence numbers.
      if (gap && generation > used) this.#fault(next, 0, (previous as number) + 1, -1, 0, 'its segment file is missing');
      previous = generation;
    }
    const oldest = this.#scans[0]?.generation ?? 1;
    if (used > 0 && newest === used) this.#fault(next, 0, newest + 1, -1, 0, 'the segment file after the last is missing');
    if (used === 0 && oldest > 1) this.#fault(next, 0, oldest - 1, -1, 0, 'all segment files with entries are missing');
    if (this.#bad.get(next) !== known) this.#ways.add('files missing');
  }

  #expectedEnd(): LogIndex {
    const { knownCommit } = this.#evidence;
    return knownCommit > this.#snapshotThrough ? knownCommit : 0;
  }

  #checkEvidence(): void {
    const next = this.#table.lastIndex + 1;
    assert(this.#kept.every((batch, i) => i === 0 || batch.sequence > (this.#kept[i - 1] as BatchFact).sequence), 'R6 batches stay in the order in which they were written');
    if (next > this.#expectedEnd() || this.#bad.has(next)) return;
    this.#ways.add('manifest knows more');
    this.#fault(next, 0, this.#scans.at(-1)?.generation ?? 0, -1, 0, 'the manifest contains its effects');
  }

  /** What lies in durable tables is not needed from the log: it may begin after the damage. */
  #skipCovered(): void {
    const table = this.#table;
    let through = 0;
    for (const index of this.#bad.keys()) if (index <= this.#evidence.flushedIndex) through = Math.max(through, index);
    if (through > table.lastIndex || (through > table.baseIndex && table.term(through) === 0)) return;
    table.dropThrough(through);
    assert(table.baseIndex >= through, `R6 the log begins after what tables cover: ${through}`);
    for (const index of this.#bad.keys()) if (index <= through && this.#bad.delete(index)) this.#coveredBad++;
  }

  #fault(index: LogIndex, term: Term, generation: number, offset: number, length: number, why: string): void {
    this.#bad.set(index, { index, term, generation, offset, length, why });
  }
}

const AT_REST: LogEnd = { provesLast: true, open: undefined };

/**
 * Undefined: unknown, or it is not the end of this log, which has gone on since then or was another
 * one.
 */
function restOf(rest: RestPoint | undefined, batches: readonly BatchFact[], highest: number): RestPoint | undefined {
  if (rest === undefined || rest.sequence < highest) return undefined;
  const last = batches.at(-1);
  if (last?.sequence !== rest.sequence) return rest;
  const term = last.records.at(-1)?.term ?? last.previousTerm;
  // Of a bad entry it may not be known.
  const isThis = last.previousIndex + last.records.length === rest.index && (term === rest.term || term === 0);
  return isThis ? rest : undefined;
}

function proofOf(batch: BatchFact): string {
  return batch.identified ? 'its identity record says so' : 'a later batch says so';
}
