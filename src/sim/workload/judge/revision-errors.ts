/**
 * "Compacted" and "future revision" are answers like others: they are right only where a compaction
 * may have been, or the revision may not have been there yet; and where one must have been, a state
 * that is gone is not served.
 */

import type { OpRecord } from '../history/history.js';
import type { Answer, Op } from '../history/operation.js';
import { revisionOf } from './evidence.js';
import { faultOf, type Fault } from './fault.js';
import { byLife, lifeOf, mayBeStale, NewestBefore } from './real-time.js';

/**
 * The revisions that `op` reads at, in the branches that its answer shows; without an answer, in
 * all.
 */
function readsAt(op: Op, answer: Answer | undefined, visit: (revision: number) => void): void {
  if (op.kind === 'range') {
    if (op.revision > 0) visit(op.revision);
    return;
  }
  if (op.kind !== 'txn') return;
  if (answer?.kind !== 'txn') {
    for (const inner of [...op.success, ...op.failure]) readsAt(inner, undefined, visit);
    return;
  }
  const branch = answer.succeeded ? op.success : op.failure;
  branch.forEach((inner, i) => readsAt(inner, answer.responses[i], visit));
}

/** Lowest and highest; [Infinity, 0] when it reads nothing but the newest. */
function bounds(record: OpRecord): readonly [number, number] {
  const answer = record.outcome?.kind === 'answered' ? record.outcome.answer : undefined;
  let low = Infinity;
  let high = 0;
  readsAt(record.op, answer, (revision) => {
    low = Math.min(low, revision);
    high = Math.max(high, revision);
  });
  return [low, high];
}

interface Compaction {
  readonly record: OpRecord;
  readonly revision: number;
}

export function checkRevisionErrors(records: readonly OpRecord[], answered: readonly OpRecord[], newest: NewestBefore): Fault[] {
  const compactions: Compaction[] = [];
  for (const record of records) {
    if (record.op.kind === 'compact' && record.outcome?.kind !== 'refused') compactions.push({ record, revision: record.op.revision });
  }
  const lives = new Map([...byLife(answered)].map(([life, part]) => [life, new NewestBefore(part)]));
  const faults: Fault[] = [];
  for (const record of records) {
    const { outcome, op } = record;
    let fault: Fault | undefined;
    if (outcome?.kind === 'answered') fault = op.kind === 'compact' ? compacted(record, op.revision, compactions) : gone(record, compactions);
    else if (outcome?.kind !== 'refused') continue;
    else if (outcome.code === 'COMPACTED') fault = falselyCompacted(record, compactions);
    else if (outcome.code === 'FUTURE_REVISION') fault = falselyFuture(record, mayBeStale(record) ? lives.get(lifeOf(record)) : newest);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

/** Compactions go forward, and not beyond what is there. */
function compacted(record: OpRecord, revision: number, all: readonly Compaction[]): Fault | undefined {
  if (revision > revisionOf(record)) return faultOf('compaction', record, `compacted beyond revision ${revisionOf(record)}`);
  const later = all.find((other) => other.record.retUs < record.callUs && other.revision >= revision);
  return later && faultOf('compaction', record, `compacted to ${revision} after ${later.revision}`, [later.record]);
}

/**
 * A compaction that was answered is known to every linearizable read, and to the life of the node
 * that answered it.
 */
function gone(record: OpRecord, all: readonly Compaction[]): Fault | undefined {
  const [low] = bounds(record);
  if (low === Infinity) return undefined;
  const stale = mayBeStale(record);
  const by = all.find(
    (other) => other.revision > low && other.record.retUs < record.callUs && (!stale || lifeOf(other.record) === lifeOf(record)),
  );
  return by && faultOf('compaction', record, `read at revision ${low}, which was compacted before`, [by.record]);
}

function falselyCompacted(record: OpRecord, all: readonly Compaction[]): Fault | undefined {
  const own = record.op.kind === 'compact';
  const low = record.op.kind === 'compact' ? record.op.revision : bounds(record)[0];
  const may = all.some((other) => other.record.callUs <= record.retUs && (own ? other.revision >= low : other.revision > low));
  return may ? undefined : faultOf('compaction', record, `revision ${low} is said to be compacted, and nobody had asked for that`);
}

function falselyFuture(record: OpRecord, newest: NewestBefore | undefined): Fault | undefined {
  const high = record.op.kind === 'compact' ? record.op.revision : bounds(record)[1];
  const before = newest?.at(record.callUs);
  if (before === undefined || high > revisionOf(before)) return undefined;
  return faultOf('future revision', record, `revision ${high} is said to be in the future, and had been there before`, [before]);
}
