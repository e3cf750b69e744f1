/**
 * A second opinion that trusts no revision order: what each key went through by itself, as
 * single-key operations for the search of Wing, Gong and Lowe. A whole transaction that is
 * linearizable is so on each of its keys, so a key that is not condemns the history; the reverse
 * does not hold, and wide reads are left out because they add little here.
 */

import type { Interval } from '../../../checker/model.js';
import type { KeyOp } from '../../../checker/models.js';
import type { OpRecord } from '../history/history.js';
import {
  NO_VALUE, putsOf, type Answer, type InnerAnswer, type Kv, type Op, type RangeOp, type TxnOp,
} from '../history/operation.js';
import { isUnknownWrite } from './evidence.js';
import { mayBeStale } from './real-time.js';

type Add = (key: string, fields: Partial<KeyOp> & Pick<KeyOp, 'kind'>, open?: boolean) => void;

export interface Projection {
  readonly intervals: readonly Interval<KeyOp>[];
  /** Of each interval, the operation that it is part of. */
  readonly sources: readonly OpRecord[];
}

export interface Known {
  /** All that any write names, sorted. */
  readonly keys: readonly string[];
  /** Those that were ever put with a lease, by lease. */
  readonly leased: ReadonlyMap<number, ReadonlySet<string>>;
}

export function projectToKeys(records: readonly OpRecord[], known: Known): Projection {
  const intervals: Interval<KeyOp>[] = [];
  const sources: OpRecord[] = [];
  for (const record of records) {
    const { client, op, callUs, retUs, outcome } = record;
    const add: Add = (key, fields, open = false) => {
      const { kind, value, revision = 0, modRevision = 0, expected = 0, ok = true } = fields;
      intervals.push({ op: { kind, client, key, value, revision, modRevision, expected, ok }, call: callUs, ret: open ? Infinity : retUs });
      sources.push(record);
    };
    if (isUnknownWrite(record) || (op.kind === 'revoke' && outcome?.kind === 'answered')) addUnknown(op, known, add);
    else if (outcome?.kind === 'answered' && !mayBeStale(record)) addAnswered(op, outcome.answer, known.keys, add);
  }
  return { intervals, sources };
}

function keysIn(keys: readonly string[], key: string, end: string): readonly string[] {
  return end === '' ? [key] : keys.filter((each) => each >= key && (end === '\0' || each < end));
}

function addUnknown(op: Op, { keys, leased }: Known, add: Add): void {
  const cas = asCas(op);
  if (cas !== undefined) return add(cas.key, { kind: 'cas', value: String(cas.value), expected: cas.expected }, true);
  putsOf(op, ({ key, value }) => add(key, { kind: 'put', value: String(value) }, true));
  deletesOf(op, (key, end) => {
    for (const each of keysIn(keys, key, end)) add(each, { kind: 'delete' }, true);
  });
  // Whether it had keys, and which, no answer says.
  if (op.kind === 'revoke') for (const each of leased.get(op.lease) ?? []) add(each, { kind: 'delete' }, true);
}

function deletesOf(op: Op, visit: (key: string, end: string) => void): void {
  if (op.kind === 'delete') visit(op.key, op.end);
  if (op.kind !== 'txn') return;
  for (const inner of [...op.success, ...op.failure]) deletesOf(inner, visit);
}

function addAnswered(op: Op, answer: Answer, keys: readonly string[], add: Add): void {
  const { revision } = answer;
  if (op.kind === 'range' && answer.kind === 'range') return addGet(op, answer.kvs, revision, add);
  const cas = asCas(op);
  if (cas === undefined || answer.kind !== 'txn') return addWrites(op, answer, revision, keys, add);
  const [failed] = answer.responses;
  const held = failed?.kind === 'range' ? failed.kvs[0] : undefined;
  add(cas.key, {
    kind: 'cas', value: String(cas.value), expected: cas.expected, revision, ok: answer.succeeded, modRevision: answer.succeeded ? 0 : (held?.mod ?? 0),
  });
}

function addGet(op: RangeOp, kvs: readonly Kv[], revision: number, add: Add): void {
  if (op.end !== '' || op.revision > 0 || op.countOnly || op.keysOnly || op.minMod > 0) return;
  const [kv] = kvs;
  add(op.key, { kind: 'get', value: kv && String(kv.value), modRevision: kv?.mod ?? 0, revision });
}

/**
 * The branches that were taken, all at `revision`. Reads within a transaction see its own writes:
 * left to the replay.
 */
function addWrites(op: Op, answer: Answer, revision: number, keys: readonly string[], add: Add): void {
  if (op.kind === 'put') return add(op.key, { kind: 'put', value: String(op.value), revision });
  if (op.kind === 'delete' && answer.kind === 'delete') {
    if (op.end === '') return add(op.key, { kind: 'delete', ok: answer.deleted > 0, revision });
    if (answer.deleted === 0) return;
    if (op.prevKv) for (const { key } of answer.prevKvs) add(key, { kind: 'delete', revision });
    // It does not say which.
    else for (const key of keysIn(keys, op.key, op.end)) add(key, { kind: 'delete' }, true);
  }
  if (op.kind !== 'txn' || answer.kind !== 'txn') return;
  const branch = answer.succeeded ? op.success : op.failure;
  branch.forEach((inner, i) => {
    const response = answer.responses[i] as InnerAnswer | undefined;
    if (response !== undefined) addWrites(inner, response, revision, keys, add);
  });
}

/** A transaction that is the compare-and-set of one key. */
function asCas(op: Op): { readonly key: string; readonly value: number; readonly expected: number } | undefined {
  if (op.kind !== 'txn' || op.compare.length !== 1 || op.success.length !== 1 || op.failure.length !== 1) return undefined;
  const [compare, put, get] = [op.compare[0], op.success[0], op.failure[0]] as [TxnOp['compare'][0], Op, Op];
  if (compare.target !== 'mod' || compare.result !== 'equal' || compare.end !== '' || put.kind !== 'put' || put.key !== compare.key) return undefined;
  if (get.kind !== 'range' || get.key !== compare.key || get.end !== '' || get.revision > 0 || get.countOnly || put.value === NO_VALUE) return undefined;
  return { key: put.key, value: put.value, expected: compare.operand };
}
