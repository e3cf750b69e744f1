/**
 * What the answers show of each write. Every value is written by one put, so whoever sees it tells
 * at which revision that put took effect: for a write of unknown outcome that is how its revision
 * is learnt, for all others it must be the one they were answered with.
 */

import { keyName } from '../history/describe.js';
import type { OpRecord } from '../history/history.js';
import { changed, DAMAGED_VALUE, kvsOf, mayWrite, NO_VALUE, putsOf, type Kv } from '../history/operation.js';
import { faultOf, type Fault } from './fault.js';

interface Owner {
  readonly record: OpRecord;
  readonly key: string;
}

export interface Trace {
  readonly record: OpRecord;
  readonly revision: number;
  readonly seenBy: OpRecord;
}

export interface Evidence {
  /** In the order of the history. */
  readonly answered: readonly OpRecord[];
  /** Unknown writes that somebody saw the effect of. */
  readonly traced: ReadonlyMap<OpRecord, Trace>;
  /** Unknown writes of which nobody saw anything: they may have taken effect all the same. */
  readonly untraced: readonly OpRecord[];
  readonly keys: ReadonlySet<string>;
  /** The keys that were ever put with a lease, by lease. */
  readonly leased: ReadonlyMap<number, ReadonlySet<string>>;
  /** What was seen besides the answers: see {@link gather}. */
  readonly seen: readonly OpRecord[];
  readonly faults: readonly Fault[];
}

/** The revision in an answer; 0 without one. */
export function revisionOf({ outcome }: OpRecord): number {
  return outcome?.kind === 'answered' ? outcome.answer.revision : 0;
}

export function isUnknownWrite({ op, outcome }: OpRecord): boolean {
  return (outcome === undefined || outcome.kind === 'unknown') && mayWrite(op);
}

/**
 * `seen`: changes that somebody was told of, as answers to reads of one key at the revision of the
 * change. They tell who took a revision, and nothing about real time.
 */
export function gather(records: readonly OpRecord[], seen: readonly OpRecord[] = []): Evidence {
  const owners = new Map<number, Owner>();
  const keys = new Set<string>();
  const leased = new Map<number, Set<string>>();
  for (const record of records) {
    putsOf(record.op, ({ key, value, lease }) => {
      keys.add(key);
      if (lease !== 0) leased.set(lease, (leased.get(lease) ?? new Set()).add(key));
      owners.set(value, { record, key });
    });
  }
  const answered = records.filter(({ outcome }) => outcome?.kind === 'answered');
  const traced = new Map<OpRecord, Trace>();
  const faults: Fault[] = [];
  for (const record of [...answered, ...seen]) {
    if (record.outcome?.kind !== 'answered') continue;
    kvsOf(record.outcome.answer, (kv) => {
      const fault = examine(record, kv, owners.get(kv.value), traced);
      if (fault !== undefined) faults.push(fault);
    });
  }
  const untraced = records.filter((record) => isUnknownWrite(record) && !traced.has(record));
  return { answered, traced, untraced, keys, leased, seen, faults };
}

function examine(record: OpRecord, kv: Kv, owner: Owner | undefined, traced: Map<OpRecord, Trace>): Fault | undefined {
  if (kv.mod > revisionOf(record)) return faultOf('revisions', record, `${say(kv)}, which is after the revision of the answer`);
  if (kv.create > kv.mod || kv.version < 1) return faultOf('revisions', record, `${say(kv)}, create revision ${kv.create}, version ${kv.version}`);
  if (kv.value === NO_VALUE) return undefined;
  if (kv.value === DAMAGED_VALUE) return faultOf('S4 value checksum', record, `${say(kv)}: bytes that nobody wrote`);
  if (owner === undefined) return faultOf('values', record, `${say(kv)}, which nobody wrote`);
  if (owner.key !== kv.key) return faultOf('values', record, `${say(kv)}, which was written to key ${keyName(owner.key)}`, [owner.record]);
  const { outcome } = owner.record;
  if (outcome?.kind === 'refused') return faultOf('refused write', record, `${say(kv)}, of a write that was refused`, [owner.record]);
  if (outcome?.kind === 'answered') {
    if (outcome.answer.revision === kv.mod && changed(outcome.answer)) return undefined;
    return faultOf('revisions', record, `${say(kv)}, but the write was answered with revision ${outcome.answer.revision}`, [owner.record]);
  }
  const before = traced.get(owner.record);
  if (before === undefined) traced.set(owner.record, { record: owner.record, revision: kv.mod, seenBy: record });
  else if (before.revision !== kv.mod) {
    return faultOf('applied twice', record, `${say(kv)}, and the same write was seen at revision ${before.revision}`, [owner.record, before.seenBy]);
  }
  return undefined;
}

function say({ key, value, mod }: Kv): string {
  return `key ${keyName(key)} has value #${value} with mod revision ${mod}`;
}
