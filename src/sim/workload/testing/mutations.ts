/**
 * Small changes to a good history, each of which no correct store can have produced; undefined
 * where there is no place for one.
 */

import type { Stream } from '../../world/random.js';
import type { OpRecord, Outcome } from '../history/history.js';
import { changed, putsOf, type Answer, type Kv, type RangeAnswer } from '../history/operation.js';

export type Mutation = (records: readonly OpRecord[], random: Stream) => OpRecord[] | undefined;

function answerOf({ outcome }: OpRecord): Answer | undefined {
  return outcome?.kind === 'answered' ? outcome.answer : undefined;
}

function replaced(records: readonly OpRecord[], ...changes: readonly (readonly [OpRecord, Partial<OpRecord>])[]): OpRecord[] {
  return records.map((record) => {
    const change = changes.find(([of]) => of === record);
    return change === undefined ? record : { ...record, ...change[1] };
  });
}

function answered(answer: Answer): { outcome: Outcome } {
  return { outcome: { kind: 'answered', answer } };
}

function isPlainGet(record: OpRecord): boolean {
  const { op } = record;
  return op.kind === 'range' && op.end === '' && op.revision === 0 && !op.serializable && !op.keysOnly && !op.countOnly && answerOf(record) !== undefined;
}

function pickWhere(records: readonly OpRecord[], random: Stream, where: (record: OpRecord) => boolean): OpRecord | undefined {
  const found = records.filter(where);
  return found.length === 0 ? undefined : random.pick(found);
}

/** Values that somebody saw. */
function seenValues(records: readonly OpRecord[]): Set<number> {
  const seen = new Set<number>();
  for (const record of records) {
    const answer = answerOf(record);
    if (answer?.kind === 'range') for (const { value } of answer.kvs) seen.add(value);
  }
  return seen;
}

const swapReturns: Mutation = (records, random) => {
  const gets = records.filter((record) => isPlainGet(record) && (answerOf(record) as RangeAnswer).count === 1);
  for (let tries = 0; tries < 2_000; tries++) {
    const [a, b] = [random.pick(gets), random.pick(gets)];
    if (a.op.kind !== 'range' || b.op.kind !== 'range' || a.op.key !== b.op.key || a.retUs >= b.callUs) continue;
    const [first, second] = [answerOf(a) as RangeAnswer, answerOf(b) as RangeAnswer];
    if (first.kvs[0]?.mod !== second.kvs[0]?.mod) return replaced(records, [a, answered(second)], [b, answered(first)]);
  }
  return undefined;
};

/** Of a write that nobody saw, some write of unknown outcome may take the place. */
const dropWrite: Mutation = (records, random) => {
  const seen = seenValues(records);
  const certain = records.every(({ outcome }) => outcome?.kind !== 'unknown');
  const write = pickWhere(records, random, (record) => {
    const answer = answerOf(record);
    return answer !== undefined && changed(answer) && (certain || (record.op.kind === 'put' && seen.has(record.op.value)));
  });
  return write && records.filter((record) => record !== write);
};

const changeRead: Mutation = (records, random) => {
  const read = pickWhere(records, random, (record) => {
    const answer = answerOf(record);
    return answer?.kind === 'range' && answer.kvs.length > 0 && record.op.kind === 'range' && !record.op.keysOnly;
  });
  const answer = read && (answerOf(read) as RangeAnswer);
  if (read === undefined || answer === undefined) return undefined;
  const at = random.below(answer.kvs.length);
  const kvs = answer.kvs.map((kv, i): Kv => {
    if (i !== at) return kv;
    const field = random.pick(['value', 'mod', 'create', 'version'] as const);
    return { ...kv, [field]: kv[field] + random.pick([-1, 1]) };
  });
  return replaced(records, [read, answered({ ...answer, kvs })]);
};

const loseKeyFromRange: Mutation = (records, random) => {
  const read = pickWhere(records, random, (record) => (answerOf(record) as RangeAnswer | undefined)?.kvs?.length ? true : false);
  const answer = read && (answerOf(read) as RangeAnswer);
  return read && answer && replaced(records, [read, answered({ ...answer, kvs: answer.kvs.slice(1), count: answer.count - 1 })]);
};

const changeCount: Mutation = (records, random) => {
  const read = pickWhere(records, random, (record) => answerOf(record)?.kind === 'range');
  const answer = read && (answerOf(read) as RangeAnswer);
  return read && answer && replaced(records, [read, answered({ ...answer, count: answer.count + 1 })]);
};

/** The history holds a transaction with one put more than the store carried out. */
const halfTxn: Mutation = (records, random) => {
  const seen = seenValues(records);
  const txn = pickWhere(records, random, (record) => {
    const answer = answerOf(record);
    if (record.op.kind !== 'txn' || answer?.kind !== 'txn') return false;
    const branch = answer.succeeded ? record.op.success : record.op.failure;
    return branch.length > 1 && branch.some((op) => op.kind === 'put' && seen.has(op.value));
  });
  const answer = txn && answerOf(txn);
  if (txn?.op.kind !== 'txn' || answer?.kind !== 'txn') return undefined;
  const branch = answer.succeeded ? txn.op.success : txn.op.failure;
  const at = branch.findIndex((op) => op.kind === 'put' && seen.has(op.value));
  const left = branch.filter((_, i) => i !== at);
  const op = answer.succeeded ? { ...txn.op, success: left } : { ...txn.op, failure: left };
  return replaced(records, [txn, { op, ...answered({ ...answer, responses: answer.responses.filter((_, i) => i !== at) }) }]);
};

const takeOtherBranch: Mutation = (records, random) => {
  const decides = ({ op }: OpRecord): boolean => op.kind === 'txn' && op.compare.length > 0;
  const txn = pickWhere(records, random, (record) => answerOf(record)?.kind === 'txn' && decides(record));
  const answer = txn && answerOf(txn);
  if (txn === undefined || answer?.kind !== 'txn') return undefined;
  return replaced(records, [txn, answered({ ...answer, succeeded: !answer.succeeded })]);
};

const swapRevisions: Mutation = (records, random) => {
  const writes = records.filter((record) => record.op.kind === 'put' && answerOf(record) !== undefined);
  const [a, b] = [random.pick(writes), random.pick(writes)];
  const [first, second] = [answerOf(a), answerOf(b)];
  if (a === b || first === undefined || second === undefined) return undefined;
  const ra = { ...first, revision: second.revision } as Answer;
  const rb = { ...second, revision: first.revision } as Answer;
  return replaced(records, [a, answered(ra)], [b, answered(rb)]);
};

const refuseAfterAll: Mutation = (records, random) => {
  const seen = seenValues(records);
  const seenPut = ({ op }: OpRecord): boolean => op.kind === 'put' && seen.has(op.value);
  const write = pickWhere(records, random, (record) => seenPut(record) && answerOf(record) !== undefined);
  return write && replaced(records, [write, { outcome: { kind: 'refused', code: 'TOO_MANY_REQUESTS' } }]);
};

/**
 * The value of an unknown write was seen, and the write is not in the history: somebody else wrote
 * it.
 */
const forgetTransactionsPut: Mutation = (records, random) => {
  const seen = seenValues(records);
  const write = pickWhere(records, random, (record) => {
    let any = false;
    putsOf(record.op, ({ value }) => (any ||= seen.has(value)));
    return any && record.outcome?.kind === 'unknown';
  });
  return write && records.filter((record) => record !== write);
};

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  swapReturns, dropWrite, changeRead, loseKeyFromRange, changeCount, halfTxn, takeOtherBranch, swapRevisions, refuseAfterAll,
  forgetTransactionsPut,
};

/** No damage: clients that never heard how their writes ended. What was right stays right. */
export function forgetOutcomes(records: readonly OpRecord[], random: Stream, of: number): OpRecord[] {
  return records.map((record) => {
    const answer = answerOf(record);
    if (answer === undefined || answer.kind === 'range' || random.below(of) > 0) return record;
    return { ...record, retUs: Infinity, outcome: { kind: 'unknown', code: 'DEADLINE' } };
  });
}
