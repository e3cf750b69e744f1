import assert from 'node:assert/strict';
import type { OpRecord, Outcome } from '../history/history.js';
import type { Answer, Kv, Op } from '../history/operation.js';
import { judge } from './judge.js';

const put = (key: string, value: number, lease: number): Op => ({ kind: 'put', key, value, prevKv: false, lease });
const get = (key: string): Op => ({
  kind: 'range', key, end: '', limit: 0, revision: 0, order: 'none', sortBy: 'key', serializable: false, keysOnly: false, countOnly: false, minMod: 0,
});
const found = (revision: number, ...kvs: readonly Kv[]): Answer => ({ kind: 'range', revision, kvs, more: false, count: kvs.length });
const wrote = (revision: number): Answer => ({ kind: 'put', revision, prevKv: undefined });
const kv = (key: string, value: number, mod: number, lease: number): Kv => ({ key, value, create: mod, mod, version: 1, lease });

/** One after the other. */
function history(...steps: readonly (readonly [Op, Answer | undefined])[]): OpRecord[] {
  return steps.map(([op, answer], id): OpRecord => {
    const outcome: Outcome | undefined = answer && { kind: 'answered', answer };
    const retUs = answer === undefined ? Infinity : 10 * id + 5;
    return { id, client: 1, node: 1, op, callUs: 10 * id + 1, life: 1, retUs, outcome, atRest: false };
  });
}

const END: readonly [Op, undefined] = [{ kind: 'revoke', lease: 7 }, undefined];

describe('the judge and leases', () => {
  const before = [[put('a', 1, 7), wrote(2)], [put('b', 2, 7), wrote(3)], [put('c', 3, 0), wrote(4)]] as const;

  it('explains keys that go with a lease that nobody revoked, all in one revision', () => {
    const ok = judge(history(END, ...before, [get('a'), found(5)], [get('b'), found(5)], [get('c'), found(5, kv('c', 3, 4, 0))]));
    assert.deepEqual(ok.faults, []);
    assert.equal(ok.stats['inferred'], 1);
    assert.deepEqual(ok.model?.changesAt(5).map(({ now, before: old }) => [now.key, now.version, old?.value]), [['a', 0, 1], ['b', 0, 2]]);
    const half = judge(history(END, ...before, [get('a'), found(5)], [get('b'), found(5, kv('b', 2, 3, 7))]));
    assert.equal(half.passed, false);
    const twice = judge(history(END, ...before, [get('a'), found(5)], [get('b'), found(6)]));
    assert.equal(twice.passed, false, 'in two revisions');
    const other = judge(history(END, ...before, [get('a'), found(5)], [get('c'), found(5)]));
    assert.equal(other.passed, false, 'with a key that is not its own');
  });

  it('a revoke that is answered has a revision of its own only if the lease has keys', () => {
    const revoke = (revision: number): readonly [Op, Answer] => [{ kind: 'revoke', lease: 7 }, { kind: 'revoke', revision }];
    assert.deepEqual(judge(history(...before, revoke(5), [get('a'), found(5)])).faults, []);
    assert.equal(judge(history(...before, revoke(4), [get('a'), found(4)])).passed, false, 'keys go, and the revision stays');
    const moved = [...before, [put('a', 4, 0), wrote(5)], [put('b', 5, 8), wrote(6)]] as const;
    assert.deepEqual(judge(history(...moved, revoke(6), [get('c'), found(6, kv('c', 3, 4, 0))])).faults, []);
    assert.equal(judge(history(...moved, revoke(7), [get('c'), found(7, kv('c', 3, 4, 0))])).passed, false, 'none has the lease any more');
  });

  it('a key that shows another lease than it was put with is a fault', () => {
    assert.equal(judge(history(...before, [get('a'), found(4, kv('a', 1, 2, 7))])).passed, true);
    assert.equal(judge(history(...before, [get('a'), found(4, kv('a', 1, 2, 8))])).passed, false);
  });

  it('what a watch was told says which of two ends took a revision', () => {
    const ends = [END, [{ kind: 'revoke', lease: 8 }, undefined]] as const;
    const records = history(...ends, [put('a', 1, 7), wrote(2)], [put('b', 2, 8), wrote(3)], [get('c'), found(4)]);
    const seen: OpRecord[] = [{ ...(history([{ ...get('b'), revision: 4 } as Op, found(4)])[0] as OpRecord), id: -1 },
      { ...(history([{ ...get('a'), revision: 4 } as Op, found(4, kv('a', 1, 2, 7))])[0] as OpRecord), id: -1 }];
    assert.deepEqual(judge(records, undefined, seen).model?.changesAt(4).map(({ now }) => now.key), ['b']);
  });
});
