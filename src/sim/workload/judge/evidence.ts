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
  readonly faults: readonly Fault[];
}

/** The revision in an answer; 0 without one. */
export function revisionOf({ outcome }: OpRecord): number {
  return outcome?.kind === 'answered' ? outcome.answer.revision : 0;
}

export function isUnknownWrite({ op, outcome }: OpRecord): boolean {
  return (outcome === undefined || outcome.kind === 'unknown') && mayWrite(op);
}

export function gather(records: readonly OpRecord[]): Evidence {
  const owners = new Map<number, Owner>();
  const keys = new Set<string>();
  for (const record of records) {
    putsOf(record.op, ({ key, value }) => {
      keys.add(key);
      owners.set(value, { record, key });
    });
  }
  const answered = records.filter(({ outcome }) => outcome?.kind === 'answered');
  const traced = new Map<OpRecord, Trace>();
  const faults: Fault[] = [];
  for (const record of answered) {
    if (record.outcome?.kind !== 'answered') continue;
    kvsOf(record.outcome.answer, (kv) => {
      const fault = examine(record, kv, owners.get(kv.value), traced);
      if (fault !== undefined) faults.push(fault);
    });
  }
  const untraced = records.filter((record) => isUnknownWrite(record) && !traced.has(record));
  return { answered, traced, untraced, keys, faults };
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
