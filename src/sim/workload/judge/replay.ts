/**
 * The order that the store itself claims: every answer carries a revision, and each revision after
 * the first belongs to exactly one write. If the reference store, given all writes in that order,
 * gives every answer again, and the order agrees with real time, then it *is* a linearization of
 * whole transactions.
 *
 * A revision that no answer and no trace accounts for was taken by a write of unknown outcome that
 * nobody saw. Those that could have taken it, by the time of their call, are tried in turn, until
 * every answer after it fits; a write is assumed to have happened only where a revision needs one.
 */

import { ReferenceStore } from './reference-store.js';
import type { OpRecord } from '../history/history.js';
import { changed, kvsOf, type Answer } from '../history/operation.js';
import { differs } from './differs.js';
import { revisionOf, type Evidence } from './evidence.js';
import { faultOf, type Fault } from './fault.js';
import { Observations } from './observations.js';
import { Footprints } from './footprints.js';
import type { NewestBefore } from './real-time.js';

export interface ReplayResult {
  readonly faults: readonly Fault[];
  readonly revisions: number;
  /** Revisions given to writes that nobody saw. */
  readonly inferred: number;
  readonly steps: number;
  /** After all revisions; undefined: nothing explains them. */
  readonly model: ReferenceStore | undefined;
}

/** Operations carried out in the search for writes that nobody saw. */
const MAX_STEPS = 100_000;

/** What takes each revision, and what is read at each. */
interface Schedule {
  readonly last: number;
  readonly writers: readonly (OpRecord | undefined)[];
  readonly reads: readonly (readonly OpRecord[])[];
  readonly faults: readonly Fault[];
}

/** A revision that was given to one of several writes. */
interface Choice {
  readonly revision: number;
  readonly candidates: readonly OpRecord[];
  /** Would be candidates, had not an earlier choice taken them. */
  readonly elsewhere: readonly OpRecord[];
  next: number;
  taken: OpRecord | undefined;
  /** Why its candidates did not do, so far. */
  readonly conflict: Conflict;
}

/**
 * A choice can mend a conflict only if one of its candidates has to do with one of the keys, or if
 * it holds one of the writes.
 */
interface Conflict {
  readonly keys: Set<string>;
  readonly writes: Set<OpRecord>;
}

const NO_READS: readonly OpRecord[] = [];

function schedule({ answered, traced }: Evidence): Schedule {
  const writers: (OpRecord | undefined)[] = [];
  const reads: OpRecord[][] = [];
  const faults: Fault[] = [];
  let last = 1;
  const take = (record: OpRecord, revision: number): void => {
    const other = writers[revision];
    if (other !== undefined) faults.push(faultOf('revisions', record, `revision ${revision} belongs to two writes`, [other]));
    else writers[revision] = record;
  };
  const most = 2 * answered.length + 10_000;
  for (const record of answered) {
    if (record.outcome?.kind !== 'answered') continue;
    const { answer } = record.outcome;
    if (!(answer.revision >= 1 && answer.revision <= most)) {
      faults.push(faultOf('revisions', record, `revision ${answer.revision} cannot be, after ${answered.length} operations`));
      continue;
    }
    last = Math.max(last, answer.revision);
    if (changed(answer)) take(record, answer.revision);
    else (reads[answer.revision] ??= []).push(record);
  }
  for (const { record, revision } of traced.values()) {
    if (revision > last) last = revision;
    take(record, revision);
  }
  return { last, writers, reads, faults };
}

/** Only the order in which writes are tried hangs on it. */
export type Likely = (revision: number, record: OpRecord) => boolean;

export function replay(evidence: Evidence, newest: NewestBefore, likely: Likely): ReplayResult {
  const plan = schedule(evidence);
  if (plan.faults.length > 0) return { faults: plan.faults, revisions: plan.last, inferred: 0, steps: 0, model: undefined };
  return new Replay(evidence, plan, newest, likely).run();
}

class Replay {
  readonly #plan: Schedule;
  readonly #evidence: Evidence;
  readonly #newest: NewestBefore;
  readonly #likely: Likely;
  readonly #store: ReferenceStore;
  readonly #choices: Choice[] = [];
  readonly #used = new Set<OpRecord>();
  readonly #footprints: Footprints;
  #observations: Observations | undefined;
  #earliest: Float64Array | undefined;
  #steps = 0;
  /** The keys that the latest misfit has to do with. */
  #stuckOn: Set<string> = new Set();
  /** What stopped the attempt that came furthest. */
  #furthest = 0;
  #fault: Fault | undefined;

  constructor(evidence: Evidence, plan: Schedule, newest: NewestBefore, likely: Likely) {
    this.#likely = likely;
    this.#evidence = evidence;
    this.#plan = plan;
    this.#newest = newest;
    this.#store = new ReferenceStore(evidence.keys);
    this.#footprints = new Footprints(evidence.keys, evidence.leased);
  }

  run(): ReplayResult {
    const { last } = this.#plan;
    let fits = this.#readsFit(1);
    for (let revision = 2; fits && revision <= last; revision++) {
      if (this.#take(revision) && this.#readsFit(revision)) continue;
      const again = this.#nextChoice();
      if (again === undefined) fits = false;
      else revision = again;
    }
    const faults = fits || this.#fault === undefined ? [] : [this.#fault];
    return { faults, revisions: last, inferred: this.#choices.length, steps: this.#steps, model: fits ? this.#store : undefined };
  }

  /**
   * Goes back to the latest choice that can have to do with the conflict and has another candidate.
   * Returns its revision, which is in place then.
   */
  #nextChoice(): number | undefined {
    let conflict: Conflict = { keys: this.#stuckOn, writes: new Set() };
    for (let choice = this.#choices.at(-1); choice !== undefined; choice = this.#choices.at(-1)) {
      if (this.#steps > MAX_STEPS) return this.#giveUp();
      if (this.#matters(choice, conflict)) {
        for (const key of conflict.keys) choice.conflict.keys.add(key);
        for (const write of conflict.writes) choice.conflict.writes.add(write);
        while (this.#tryNext(choice)) {
          if (this.#readsFit(choice.revision)) return choice.revision;
          for (const key of this.#stuckOn) choice.conflict.keys.add(key);
        }
        for (const write of choice.elsewhere) choice.conflict.writes.add(write);
        conflict = choice.conflict;
      }
      this.#release(choice);
      this.#choices.pop();
    }
    return undefined;
  }

  #matters({ candidates, taken }: Choice, { keys, writes }: Conflict): boolean {
    if (taken !== undefined && writes.has(taken)) return true;
    return candidates.some((candidate) => this.#footprints.of(candidate).some((key) => keys.has(key)));
  }

  #giveUp(): undefined {
    const { check, message, atUs, node } = this.#fault ?? { check: '', message: '', atUs: 0, node: 0 };
    this.#fault = { check, message: `not explained within ${MAX_STEPS} steps; the attempt that came furthest ended so: ${message}`, atUs, node };
    this.#choices.length = 0;
    return undefined;
  }

  #take(revision: number): boolean {
    const writer = this.#plan.writers[revision];
    if (writer !== undefined) return this.#write(writer, revision);
    const eligible = this.#eligible(revision);
    const choice: Choice = {
      revision, next: 0, taken: undefined, conflict: { keys: new Set(), writes: new Set() },
      candidates: eligible.filter((record) => !this.#used.has(record)), elsewhere: eligible.filter((record) => this.#used.has(record)),
    };
    this.#choices.push(choice);
    if (this.#tryNext(choice)) return true;
    this.#note(revision, () => this.#nobody(revision, choice.candidates.length));
    this.#stuckOn = choice.conflict.keys;
    return false;
  }

  /**
   * True: the next candidate that can take the revision has taken it. False: none is left, and the
   * store is as before it.
   */
  #tryNext(choice: Choice): boolean {
    const { answered, seen, keys } = this.#evidence;
    const observations = (this.#observations ??= new Observations([...answered, ...seen], keys));
    this.#release(choice);
    while (choice.next < choice.candidates.length) {
      const candidate = choice.candidates[choice.next++] as OpRecord;
      this.#steps++;
      this.#store.apply(candidate.op);
      if (this.#store.revision === choice.revision && observations.allow(choice.revision, this.#store.newestChanges())) {
        choice.taken = candidate;
        this.#used.add(candidate);
        return true;
      }
      this.#store.backTo(choice.revision - 1);
      for (const key of this.#footprints.of(candidate)) choice.conflict.keys.add(key);
    }
    return false;
  }

  #release(choice: Choice): void {
    if (choice.taken !== undefined) this.#used.delete(choice.taken);
    choice.taken = undefined;
    this.#store.backTo(choice.revision - 1);
  }

  /**
   * Unknown writes without a trace that may have been carried out between the answers before and
   * after the revision.
   */
  #eligible(revision: number): OpRecord[] {
    const latest = (this.#earliest ??= this.#earliestReturns())[revision] as number;
    const eligible = this.#evidence.untraced
      .filter((record) => record.callUs <= latest && this.#newest.revisionAt(record.callUs) < revision)
      .sort((a, b) => b.callUs - a.callUs);
    const first = eligible.filter((record) => this.#likely(revision, record));
    const rest = first.length === 0 ? eligible : eligible.filter((record) => !first.includes(record));
    return [...this.#revokesAt(revision), ...first, ...rest];
  }

  /** That were answered with the revision, which is one of them's if that lease had keys. */
  #revokesAt(revision: number): readonly OpRecord[] {
    return (this.#plan.reads[revision] ?? NO_READS).filter(({ op }) => op.kind === 'revoke');
  }

  /** By revision: when somebody was first told of it or of a later one. */
  #earliestReturns(): Float64Array {
    const earliest = new Float64Array(this.#plan.last + 1).fill(Infinity);
    for (const record of this.#evidence.answered) {
      const revision = revisionOf(record);
      if (record.retUs < (earliest[revision] as number)) earliest[revision] = record.retUs;
    }
    for (let r = this.#plan.last - 1; r >= 0; r--) earliest[r] = Math.min(earliest[r] as number, earliest[r + 1] as number);
    return earliest;
  }

  #write(record: OpRecord, revision: number): boolean {
    this.#steps++;
    const expected = this.#store.apply(record.op);
    const trace = this.#evidence.traced.get(record);
    if (this.#store.revision !== revision) {
      const why = `revision ${revision} should be of this write, which changes nothing after revision ${revision - 1}`;
      this.#note(revision, () => faultOf('linearizable', record, this.#because(why, record), trace ? [trace.seenBy] : []));
      this.#stuckOn = new Set(this.#footprints.of(record));
      return false;
    }
    if (record.outcome?.kind === 'answered') return this.#fits(record, expected, record.outcome.answer, revision);
    if (trace === undefined || this.#shows(trace.seenBy, revision)) return true;
    const why = `a value of this write was seen at revision ${revision}, but there it takes another branch`;
    this.#note(revision, () => faultOf('linearizable', record, this.#because(why, record), [trace.seenBy]));
    this.#stuckOn = new Set(this.#footprints.of(record));
    return false;
  }

  /**
   * Whether what was seen of the newest revision is among what it changed: a transaction has more
   * than one branch.
   */
  #shows(seenBy: OpRecord, revision: number): boolean {
    const changes = this.#store.newestChanges();
    let holds = true;
    if (seenBy.outcome?.kind === 'answered') {
      kvsOf(seenBy.outcome.answer, (kv) => {
        if (kv.mod === revision && !changes.some(({ key, value }) => key === kv.key && (kv.value < 0 || value === kv.value))) holds = false;
      });
    }
    return holds;
  }

  #readsFit(revision: number): boolean {
    for (const record of this.#plan.reads[revision] ?? NO_READS) {
      if (this.#used.has(record)) continue;
      this.#steps++;
      const expected = this.#store.apply(record.op);
      if (this.#store.revision !== revision) {
        const change = this.#store.newestChanges().map(({ key }) => JSON.stringify(key)).join(', ');
        this.#store.backTo(revision);
        this.#note(revision, () => faultOf('linearizable', record, this.#because(`at revision ${revision} it should have changed ${change}`, record)));
        this.#stuckOn = new Set(this.#footprints.of(record));
        return false;
      }
      if (record.outcome?.kind === 'answered' && !this.#fits(record, expected, record.outcome.answer, revision)) return false;
    }
    return true;
  }

  #fits(record: OpRecord, expected: Answer | undefined, actual: Answer, revision: number): boolean {
    const wrong = expected === undefined ? 'it reads at a revision that was not there yet' : differs(expected, actual);
    if (wrong === undefined) return true;
    this.#note(revision, () => faultOf('linearizable', record, this.#because(`at revision ${revision}: ${wrong}`, record)));
    this.#stuckOn = new Set(this.#misfits(record, expected, actual));
    return false;
  }

  /**
   * A key that by itself makes the answer wrong, whatever others hold; or all that the answer may
   * depend on.
   */
  #misfits(record: OpRecord, expected: Answer | undefined, actual: Answer): readonly string[] {
    const all = this.#footprints.of(record);
    if (record.op.kind !== 'range' || expected?.kind !== 'range' || actual.kind !== 'range') return all;
    const right = new Map(expected.kvs.map((kv) => [kv.key, kv]));
    for (const { key, mod, create, version } of actual.kvs) {
      const kv = right.get(key);
      if (kv !== undefined && (kv.mod !== mod || kv.create !== create || kv.version !== version)) return [key];
      if (kv === undefined && !expected.more) return [key];
      right.delete(key);
    }
    const [extra] = right.keys();
    return extra === undefined || actual.more || record.op.minMod > 0 ? all : [extra];
  }

  /**
   * Only the fault of the attempt that came furthest is told: those before it come from a wrong
   * guess.
   */
  #note(revision: number, make: () => Fault): void {
    if (revision <= this.#furthest) return;
    this.#furthest = revision;
    this.#fault = make();
  }

  #because(why: string, record: OpRecord): string {
    const guessed = this.#choices.map(({ revision, taken }) => `${revision} = operation ${taken?.id}`);
    const shown = guessed.slice(-8).join(', ');
    const doubt = this.#evidence.untraced.filter(({ callUs }) => callUs <= record.retUs).length;
    return guessed.length === 0 ? why : `${why} (revisions without an answer were taken as: ${shown}; ${doubt} writes left no trace)`;
  }

  #nobody(revision: number, candidates: number): Fault {
    const later = this.#evidence.answered.find((record) => revisionOf(record) >= revision) as OpRecord;
    const neighbours = [this.#plan.writers[revision - 1], this.#plan.writers[revision + 1]].filter((record) => record !== undefined);
    const why = `revision ${revision} belongs to no operation: none of ${candidates} writes of unknown outcome can have taken it`;
    return faultOf('revisions', later, why, neighbours);
  }
}

