/**
 * A damaged log while it is mended: what the disk has, what others gave so far, and what is to go.
 * All of that is in memory until nothing is missing; then the log is written anew from the first
 * change on, and nothing of it counts before that is durable. Meanwhile it answers others with what
 * it has, too: all of them may be mending their logs at once.
 *
 * Always: base.index <= lastIndex; what is held is in (base.index, lastIndex].
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { LogIndex, Term } from '../../base/ids.js';
import { entrySize, type Entry } from '../../raft/types.js';
import type { DamagedLog } from '../log/damaged-log.js';
import type { LogPoint } from '../log/log-point.js';
import { LogError } from '../log/errors.js';
import { mendedBytes, type MendedEntries } from '../log/mend-log.js';
import { MAX_WANTED, type WantedEntry } from './entries-call.js';
import type { Place } from './says.js';
import { termBetween } from './terms.js';

/** More than memtables hold: what is missing below that is in tables. */
const MAX_HELD_BYTES = 512 * MiB;
/** Asked for at once behind an end that is not known. */
const WANTED_BEHIND = 256;

class Unread extends Error {}

/** All that follows. Throws Unread. */
class EntriesFrom implements MendedEntries {
  readonly #log: MendingLog;
  readonly #from: LogIndex;

  constructor(log: MendingLog, from: LogIndex) {
    this.#log = log;
    this.#from = from;
  }

  async *all(): AsyncGenerator<Entry> {
    for (let index = this.#from; index <= this.#log.lastIndex; index++) {
      const entry = await this.#log.read(index);
      if (entry === undefined) throw new Unread();
      yield entry;
    }
  }
}

export class MendingLog {
  readonly #damaged: DamagedLog;
  #base: LogPoint;
  #anew: boolean;
  #lastIndex: LogIndex;
  #endsOpen: boolean;
  readonly #held = new Map<LogIndex, Entry>();
  #heldBytes = 0;
  /** The first entry that is not what the disk has: at most lastIndex + 1. */
  #changedFrom = Infinity;
  /** All before it is whole. */
  #wholeBefore: LogIndex;
  #raiseTo: Term = 0;
  /** The terms of the entries in [from, at) are not known. */
  #nextKnown = { from: 0, at: -1 };
  #taken = 0;

  constructor(damaged: DamagedLog) {
    this.#damaged = damaged;
    this.#base = damaged.base;
    this.#anew = damaged.beginsAnew;
    this.#lastIndex = damaged.lastIndex;
    this.#endsOpen = damaged.endsOpen;
    this.#wholeBefore = damaged.base.index + 1;
  }

  get base(): LogPoint {
    return this.#base;
  }

  get lastIndex(): LogIndex {
    return this.#lastIndex;
  }

  /** No term below may be that of this member before what was decided is carried out. */
  get raiseTo(): Term {
    return this.#raiseTo;
  }

  /** Entries that others gave. */
  get taken(): number {
    return this.#taken;
  }

  term(index: LogIndex): Term {
    if (index === this.#base.index) return this.#base.term;
    if (index < this.#base.index || index > this.#lastIndex) return 0;
    return this.#held.get(index)?.term ?? this.#damaged.term(index);
  }

  place(index: LogIndex): Place {
    if (index <= this.#base.index) return { at: 'compacted' };
    if (index > this.#lastIndex) return { at: this.#endsOpen ? 'hole' : 'nothing' };
    return this.#isHole(index) ? { at: 'hole' } : { at: 'entry', term: this.term(index) };
  }

  async read(index: LogIndex): Promise<Entry | undefined> {
    return this.#held.get(index) ?? (index <= this.#damaged.lastIndex ? this.#damaged.read(index) : undefined);
  }

  /**
   * What is asked for next; empty: nothing is missing. Behind a hole whose term is not known the
   * entry that follows it is named as well, if it is here: a log that has it has what was lost.
   */
  wanted(): WantedEntry[] {
    const wanted: WantedEntry[] = [];
    while (this.#wholeBefore <= this.#lastIndex && !this.#isHole(this.#wholeBefore)) this.#wholeBefore++;
    let lower = this.term(this.#wholeBefore - 1);
    for (let index = this.#wholeBefore; index <= this.#lastIndex && wanted.length < MAX_WANTED; index++) {
      const term = this.term(index) || termBetween(lower, this.#nextTerm(index));
      const last = wanted.at(-1);
      if (this.#isHole(index) || (last?.index === index - 1 && last.term === 0)) wanted.push({ index, term });
      lower = Math.max(lower, term);
    }
    if (wanted.length > 0 || !this.#endsOpen) return wanted;
    return Array.from({ length: WANTED_BEHIND }, (_, i) => ({ index: this.#lastIndex + 1 + i, term: 0 }));
  }

  /** It is what was lost here. */
  take(entry: Entry): void {
    const { index, term } = entry;
    assert(this.#isHole(index) && (this.term(index) === 0 || this.term(index) === term), `R6 entry ${index} of term ${term} is what is missing`);
    this.#hold(entry);
  }

  /** It follows what is here in the log of a member that has all that is here. */
  extend(entry: Entry): void {
    assert(entry.index === this.#lastIndex + 1, `R3 entry ${entry.index} follows ${this.#lastIndex}`);
    this.#lastIndex = entry.index;
    this.#raise(entry.term);
    this.#hold(entry);
  }

  /** A leader of `term` has it: what was here from there on goes. */
  follow(entry: Entry, term: Term): void {
    const { index } = entry;
    assert(index > this.#base.index && index <= this.#lastIndex + 1, `R3 entry ${index} follows what is here`);
    if (index <= this.#lastIndex) this.cut(index, term);
    this.#endsOpen = true;
    this.#lastIndex = index;
    this.#raise(Math.max(term, entry.term));
    this.#hold(entry);
  }

  /** R6 It was never committed, nor was what follows. */
  cut(index: LogIndex, term: Term): void {
    assert(index > this.#base.index && index <= this.#lastIndex + 1, `R6 entry ${index} is cut off a log from ${this.#base.index} to ${this.#lastIndex}`);
    for (const held of [...this.#held.keys()]) if (held >= index) this.#drop(held);
    this.#lastIndex = index - 1;
    this.#endsOpen = false;
    this.#raise(term);
    this.#changed(index);
  }

  /**
   * All up to there was committed, and a version of a peer's will have it. `bound`: as in `decide`;
   * what is cut may have been acknowledged in a term up to there.
   */
  beginAt(base: LogPoint, bound: Term): void {
    const here = this.#termThere(base.index);
    assert(base.index > this.#base.index, `R6 the log begins later than after ${this.#base.index}: after ${base.index}`);
    for (const held of [...this.#held.keys()]) if (held <= base.index) this.#drop(held);
    if (base.index > this.#lastIndex) this.#lastIndex = base.index;
    else if (here !== base.term) {
      // Another entry was committed there: what follows the one here was not. If it is not known
      // which one was here, neither is what followed.
      const known = here !== 0;
      this.cut(base.index + 1, bound + 1);
      this.#endsOpen = !known;
    }
    this.#base = base;
    this.#anew = true;
    this.#wholeBefore = Math.max(this.#wholeBefore, base.index + 1);
    this.#raise(base.term);
  }

  /** False: something more is missing. Rejects as `DamagedLog.write` does. */
  async write(): Promise<boolean> {
    assert(this.wanted().length === 0, 'R6 a log is written anew when nothing is missing');
    const from = this.#anew ? this.#base.index + 1 : Math.min(this.#changedFrom, this.#lastIndex + 1, this.#damaged.writtenFrom);
    const after = { index: from - 1, term: this.term(from - 1) };
    try {
      const entries = new EntriesFrom(this, from);
      let bytes = 0;
      for await (const entry of entries.all()) bytes += mendedBytes(entry);
      await this.#damaged.write({ after, anew: this.#anew, lastIndex: this.#lastIndex, commit: this.#damaged.commit, entries, bytes });
      return true;
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      this.#wholeBefore = this.#base.index + 1;
      return false;
    }
  }

  /** Known, or told by its neighbours. 0: it is not known. */
  #termThere(index: LogIndex): Term {
    if (index > this.#lastIndex || this.term(index) > 0) return this.term(index);
    let before = index - 1;
    while (before > this.#base.index && this.term(before) === 0) before--;
    return termBetween(this.term(before), this.#nextTerm(index));
  }

  /** Of the nearest entry from there on whose term is known; 0: there is none. */
  #nextTerm(index: LogIndex): Term {
    if (index >= this.#nextKnown.from && index <= this.#nextKnown.at) return this.term(this.#nextKnown.at);
    let at = index;
    while (at < this.#lastIndex && this.term(at) === 0) at++;
    this.#nextKnown = { from: index, at };
    return this.term(at);
  }

  #isHole(index: LogIndex): boolean {
    return !this.#held.has(index) && (index > this.#damaged.lastIndex || this.#damaged.isHole(index));
  }

  #hold(entry: Entry): void {
    this.#drop(entry.index);
    this.#held.set(entry.index, entry);
    this.#heldBytes += entrySize(entry);
    this.#taken++;
    this.#changed(entry.index);
    if (this.#heldBytes > MAX_HELD_BYTES) throw new LogError('ENTRY_FAULTY', `more than ${MAX_HELD_BYTES} bytes of the log are lost: ${this.#damaged.error.message}`);
  }

  #drop(index: LogIndex): void {
    const entry = this.#held.get(index);
    if (entry === undefined) return;
    this.#held.delete(index);
    this.#heldBytes -= entrySize(entry);
    assert(this.#heldBytes >= 0, 'R6 bytes leave as often as they came');
  }

  #changed(index: LogIndex): void {
    this.#changedFrom = Math.min(this.#changedFrom, index);
  }

  #raise(term: Term): void {
    this.#raiseTo = Math.max(this.#raiseTo, term);
  }
}
