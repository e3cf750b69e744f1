/** Where an answer is not what the reference store gives. */

import { describeAnswer, describeKv } from '../history/describe.js';
import type { Answer, Kv } from '../history/operation.js';

export function sameKv(a: Kv | undefined, b: Kv | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const { key, value, mod, create, version, lease } = a;
  return key === b.key && value === b.value && mod === b.mod && create === b.create && version === b.version && lease === b.lease;
}

function kvsDiffer(expected: readonly Kv[], actual: readonly Kv[]): string | undefined {
  for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
    const [right, wrong] = [expected[i], actual[i]];
    if (sameKv(right, wrong)) continue;
    const say = (kv: Kv | undefined): string => (kv === undefined ? 'nothing' : describeKv(kv));
    return `item ${i} is ${say(wrong)}, should be ${say(right)}`;
  }
  return undefined;
}

/** Undefined: they are equal. */
export function differs(expected: Answer, actual: Answer): string | undefined {
  if (expected.revision !== actual.revision) return `revision ${actual.revision}, should be ${expected.revision}`;
  if (expected.kind === 'range' && actual.kind === 'range') {
    const wrong = kvsDiffer(expected.kvs, actual.kvs);
    if (wrong !== undefined) return wrong;
    if (expected.count !== actual.count) return `count ${actual.count}, should be ${expected.count}`;
    return expected.more === actual.more ? undefined : `more is ${actual.more}, should be ${expected.more}`;
  }
  if (expected.kind === 'put' && actual.kind === 'put') {
    if (sameKv(expected.prevKv, actual.prevKv)) return undefined;
    return `previous value should be ${expected.prevKv === undefined ? 'nothing' : describeKv(expected.prevKv)}`;
  }
  if (expected.kind === 'delete' && actual.kind === 'delete') {
    if (expected.deleted !== actual.deleted) return `deleted ${actual.deleted}, should be ${expected.deleted}`;
    return kvsDiffer(expected.prevKvs, actual.prevKvs);
  }
  if (expected.kind === 'txn' && actual.kind === 'txn') {
    if (expected.succeeded !== actual.succeeded) return `took the ${actual.succeeded ? 'then' : 'else'} branch, should take the other`;
    if (expected.responses.length !== actual.responses.length) {
      return `${actual.responses.length} responses, should be ${expected.responses.length}`;
    }
    for (let i = 0; i < expected.responses.length; i++) {
      const [right, wrong] = [expected.responses[i], actual.responses[i]];
      const why = right && wrong && differs(right, wrong);
      if (why !== undefined) return `response ${i}: ${why}`;
    }
    return undefined;
  }
  return expected.kind === actual.kind ? undefined : `is ${describeAnswer(actual)}, should be ${describeAnswer(expected)}`;
}
