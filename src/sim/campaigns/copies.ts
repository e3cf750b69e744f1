/**
 * What is left on damaged disks, counted from bytes: an item has a copy where the bytes are as they
 * were, or within parity, in a file that has its name and can be read. Nothing of what recovers is
 * asked.
 *
 * A member whose hard state is beyond its four slots, or that has no log, does not take part until
 * it is re-admitted: its copies do not count.
 */

import { must } from '../../base/assert.js';
import type { LogIndex } from '../../base/ids.js';
import { decodeSlot, SLOT_BYTES, SLOT_PAGES, slotOffset } from '../../replica/hard-state/slots.js';
import { generationOf, HEADER_BYTES } from '../../replica/log/segment-layout.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { SimNode } from '../cluster/sim-node.js';
import { SECTOR } from '../disk/inode.js';
import { isWithinParity } from '../oracle/parity-reach.js';
import { PristineTable, sameBytes } from '../oracle/pristine-tables.js';
import type { Expected } from './case-result.js';
import type { EntryCopy, Past, PastMember, Stretch } from './past.js';

/** Slots of the newest record that a start needs. */
const SLOTS_NEEDED = 2;
const COPIES_OF_REST_NEEDED = 2;

export interface Expectation {
  readonly expected: Expected;
  /** Why it is not that all is recovered. */
  readonly why: string;
}

export class Copies {
  readonly #past: Past;
  readonly #nodes: readonly SimNode[];
  readonly #majority: number;
  /** Positions in `members` and `nodes` of those that can take part. */
  readonly usable: readonly number[];
  readonly #manifests: ReadonlySet<number>;
  readonly #pristine = new Map<string, PristineTable>();

  /** To be made when the damage is done, and before anything starts. */
  constructor(past: Past, nodes: readonly SimNode[]) {
    this.#past = past;
    this.#nodes = nodes;
    this.#majority = Math.floor(nodes.length / 2) + 1;
    const all = nodes.map((_, member) => member);
    this.usable = all.filter((member) => this.#knowsItsVote(member));
    this.#manifests = new Set(this.usable.filter((member) => this.#hasManifest(member)));
  }

  /** Of all members, once they are all up. */
  expectation(): Expectation {
    if (this.usable.length < this.#majority) return { expected: 'safe', why: 'a majority lost its hard state, or its log' };
    if (this.#manifests.size === 0) return { expected: 'safe', why: 'every manifest is damaged' };
    const block = this.#lostBlock();
    if (block !== undefined) return { expected: 'safe', why: `a block is lost: ${block}` };
    // Those that know theirs must be able to choose a leader, which tells the others.
    const ends = this.usable.filter((member) => this.#knowsItsEnd(member));
    if (ends.length < this.#majority) return { expected: 'safe', why: 'a majority does not know where its log ended' };
    return this.#lostEntry() ?? { expected: 'recovered', why: '' };
  }

  #member(member: number): PastMember {
    return must(this.#past.members[member], 'it is one of them');
  }

  #isIntact(member: number, { path, offset, length }: Stretch): boolean {
    const born = this.#member(member).files.get(path);
    const node = must(this.#nodes[member], 'it is one of them');
    const now = node.disk.medium(path);
    if (born === undefined || now === undefined || now.length < offset + length || node.disk.isLocked(path)) return false;
    if (node.disk.badSectors(path).some((at) => at < offset + length && offset < at + SECTOR)) return false;
    return sameBytes(now.subarray(offset, offset + length), born.subarray(offset, offset + length));
  }

  #knowsItsVote(member: number): boolean {
    const born = this.#member(member).files.get('hardstate');
    if (born === undefined || !this.#hasLog(member)) return false;
    const slots = SLOT_PAGES.map((_, slot) => decodeSlot(born.subarray(slotOffset(slot), slotOffset(slot) + SLOT_BYTES), slot));
    const newest = Math.max(...slots.map((record) => record?.sequence ?? 0));
    const left = slots.filter((record, slot) =>
      record?.sequence === newest && this.#isIntact(member, { path: 'hardstate', offset: slotOffset(slot), length: SLOT_BYTES }));
    return left.length >= SLOTS_NEEDED;
  }

  /** One without any segment does not know what it acknowledged, and where its log ended. */
  #hasLog(member: number): boolean {
    const { disk } = must(this.#nodes[member], 'it is one of them');
    return disk.list().some(({ path }) => path.startsWith('log/') && generationOf(path.slice(4)) !== undefined);
  }

  /** Of each record one of the two copies is as it was. */
  #hasManifest(member: number): boolean {
    const { records } = this.#member(member);
    return records.every((copies) => copies.some((copy) => this.#isIntact(member, copy)));
  }

  /**
   * What was the last entry of its log is there, or what says which one it was; what says that
   * nothing follows is as it was; and of the segments behind it enough is left to see that they are
   * all.
   */
  #knowsItsEnd(member: number): boolean {
    if (this.#rests(member)) return true;
    const { entries, ends, files } = this.#member(member);
    if (!ends.every((end) => this.#isIntact(member, end))) return false;
    const last = entries.at(-1);
    for (const [path, { length }] of files) {
      if (!path.startsWith('log/') || (last !== undefined && path < last.path)) continue;
      const headers = [0, length - HEADER_BYTES].filter((offset) => this.#isIntact(member, { path, offset, length: HEADER_BYTES }));
      if (headers.length === 0 || !this.#isIntact(member, { path, offset: length - HEADER_BYTES, length: 0 })) return false;
    }
    if (last === undefined || this.#covers(member, last.index)) return true;
    return this.#hasEntry(member, last) || (last.identity !== undefined && this.#isIntact(member, last.identity));
  }

  /** What says where the log ended when it was at rest is left in as many copies as are needed. */
  #rests(member: number): boolean {
    const { rest } = this.#member(member);
    return rest !== undefined && rest.slots.filter((slot) => this.#isIntact(member, slot)).length >= COPIES_OF_REST_NEEDED;
  }

  /** The index is in tables there, and its manifest says so. */
  #covers(member: number, index: LogIndex): boolean {
    return this.#manifests.has(member) && this.#member(member).durable.flushed.index >= index;
  }

  /**
   * Nobody has it, nor a version that begins later: it is waited for if what is left proves that it
   * was there; if a minority had it alone, the others say so, and it is cut. R6 who does not know
   * where its log ended may have had it.
   */
  #lostEntry(): Expectation | undefined {
    const { members, commit } = this.#past;
    const terms = new Map<LogIndex, Map<number, EntryCopy[]>>();
    members.forEach(({ entries }, member) => {
      for (const copy of entries) {
        const byTerm = terms.get(copy.index) ?? new Map<number, EntryCopy[]>();
        const copies = byTerm.get(copy.term) ?? [];
        copies[member] = copy;
        byTerm.set(copy.term, copies);
        terms.set(copy.index, byTerm);
      }
    });
    let unsure = this.#lostTables(new Set(terms.keys()));
    for (const [index, byTerm] of terms) {
      for (const [term, copies] of byTerm) {
        const holders = [...copies.keys()].filter((member) => copies[member] !== undefined);
        const good = this.usable.filter((member) => this.#covers(member, index) || this.#hasEntry(member, copies[member]));
        if (good.length > 0) continue;
        const what = `entry ${index} of term ${term}`;
        const all = holders.length >= this.#majority || (index <= commit && this.#isCommitted(index, term));
        const outside = holders.some((member) => !this.usable.includes(member));
        const lacking = this.usable.filter((member) => copies[member] === undefined && this.#knowsItsEnd(member));
        if (!all && lacking.length >= this.#majority && this.usable.length === members.length) continue;
        const covered = this.usable.some((member) => this.#member(member).durable.flushed.index >= index);
        // A damaged manifest may still be read: its parity is not counted here.
        if (all && !outside && !covered && this.#isProven(index, holders)) return { expected: 'waits', why: `${what} is lost everywhere` };
        const why = covered ? 'but for a damaged manifest' : all ? 'and so is the proof of it' : 'and not all can say that they lack it';
        unsure ??= { expected: 'safe', why: `${what} is lost, ${why}` };
      }
    }
    return unsure;
  }

  /** Entries that are in no log, and in tables of which only damaged manifests know. */
  #lostTables(logged: ReadonlySet<LogIndex>): Expectation | undefined {
    const flushed = [...this.#manifests].map((member) => this.#member(member).durable.flushed.index);
    for (let index = Math.max(0, ...flushed) + 1; index <= this.#past.commit; index++) {
      if (!logged.has(index)) return { expected: 'safe', why: `entry ${index} is in tables alone, and their manifests are damaged` };
    }
    return undefined;
  }

  /** Of two entries of one index the one of the newest term among those who hold a majority. */
  #isCommitted(index: LogIndex, term: number): boolean {
    const holders = this.#past.members.filter(({ entries }) => entries.some((copy) => copy.index === index && copy.term === term));
    return holders.length >= this.#majority;
  }

  /** The record, and what says that there is one: the head of its batch, or the identity of it. */
  #hasEntry(member: number, copy: EntryCopy | undefined): boolean {
    return copy !== undefined && this.#isIntact(member, copy) && copy.proofs.some((proof) => this.#isIntact(member, proof));
  }

  /**
   * A later entry, or the identity of its batch, or what says where the log ended, is left with
   * somebody who had it.
   */
  #isProven(index: LogIndex, holders: readonly number[]): boolean {
    return holders.some((member) => this.#rests(member) || this.#member(member).entries.some((copy) => {
      if (copy.index < index) return false;
      const identified = copy.identity !== undefined && this.#isIntact(member, copy.identity);
      return identified || (copy.index > index && this.#hasEntry(member, copy));
    }));
  }

  /** A block that no usable member has of a table that one of them needs. */
  #lostBlock(): string | undefined {
    const seen = new Set<string>();
    for (const of of this.usable) {
      for (const meta of this.#member(of).durable.levels.flat()) {
        if (seen.has(meta.fileDigest)) continue;
        seen.add(meta.fileDigest);
        const pristine = this.#table(of, meta);
        const lost = pristine.regions.find((region) => !this.usable.some((member) => this.#hasBlock(member, pristine, region)));
        if (lost !== undefined) return `${lost.kind} at ${lost.offset} of table ${meta.id}`;
      }
    }
    return undefined;
  }

  #hasBlock(member: number, pristine: PristineTable, region: PristineTable['regions'][number]): boolean {
    const meta = this.#member(member).durable.levels.flat().find(({ fileDigest }) => fileDigest === pristine.meta.fileDigest);
    if (meta === undefined) return false;
    const path = tablePath(meta.id);
    if (this.#isIntact(member, { path, offset: region.offset, length: region.length })) return true;
    const node = must(this.#nodes[member], 'it is one of them');
    const now = node.disk.medium(path);
    if (now === undefined || node.disk.isLocked(path) || node.disk.badSectors(path).length > 0) return false;
    const end = region.offset + region.length;
    return isWithinParity(now.subarray(region.offset, end), pristine.bytes.subarray(region.offset, end), region.spec);
  }

  #table(member: number, meta: TableMeta): PristineTable {
    let table = this.#pristine.get(meta.fileDigest);
    if (table === undefined) {
      table = new PristineTable(meta, must(this.#member(member).files.get(tablePath(meta.id)), `table ${meta.id} has a file`));
      this.#pristine.set(meta.fileDigest, table);
    }
    return table;
  }
}
