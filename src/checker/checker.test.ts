import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { checkHistory } from './check.js';
import { dropWrite, generateHistory, staleRead, swapReturns } from './generate.js';
import type { Interval, SearchLimits, Verdict } from './model.js';
import { keyModel, registerModel, stringModel, type KeyOp, type RegisterOp } from './models.js';
import { parseJepsenRegister, parseStringMap, partition } from './parse.js';
import { searchLinearization } from './search.js';
import { checkWitness } from './witness.js';

const limits: SearchLimits = { timeMs: 10_000, memo: 2_000_000, now: () => performance.now() };
const corpus = fileURLToPath(new URL('../../../shared/linearizability-corpus/', import.meta.url));

function mulberry(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function good(seed: number, unknown = 0.02, operations = 400): Interval<KeyOp>[] {
  return generateHistory({ operations, clients: 6, keys: 4, unknown, random: mulberry(seed) });
}

function searched(history: readonly Interval<KeyOp>[]): Verdict {
  for (const part of partition(history, (op) => op.key).values()) {
    const verdict = searchLinearization(part, keyModel(), limits);
    if (verdict.kind !== 'ok') return verdict;
  }
  return { kind: 'ok' };
}

function judge(file: string, text: string): Verdict {
  if (file.startsWith('jepsen')) return searchLinearization(parseJepsenRegister(text), registerModel(), limits);
  for (const part of partition(parseStringMap(text), (op) => op.key).values()) {
    const verdict = searchLinearization(part, stringModel(), limits);
    if (verdict.kind !== 'ok') return verdict;
  }
  return { kind: 'ok' };
}

/**
 * Every order of all operations and every choice of which open ones took effect: right by
 * construction, and slow.
 */
function bruteForce(history: readonly Interval<RegisterOp>[]): boolean {
  const model = registerModel();
  const place = (left: readonly Interval<RegisterOp>[], state: number): boolean => {
    if (left.every(({ ret }) => ret === Infinity)) return true;
    const firstReturn = Math.min(...left.map(({ ret }) => ret));
    return left.some((chosen) => {
      if (chosen.call > firstReturn) return false;
      const after = model.step(state, chosen.op, chosen.ret !== Infinity);
      return after >= 0 && place(left.filter((other) => other !== chosen), after);
    });
  };
  return place(history, model.initial);
}

const anyInterval: fc.Arbitrary<Interval<RegisterOp>> = fc
  .record({
    call: fc.integer({ min: 0, max: 12 }),
    length: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constant(Infinity)),
    op: fc.oneof(
      fc.record({ kind: fc.constant('read' as const), value: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }) }),
      fc.record({ kind: fc.constant('write' as const), value: fc.integer({ min: 0, max: 2 }) }),
      fc.record({
        kind: fc.constant('cas' as const),
        from: fc.integer({ min: 0, max: 2 }),
        to: fc.integer({ min: 0, max: 2 }),
        ok: fc.boolean(),
      }),
    ),
  })
  .map(({ call, length, op }) => ({ op, call, ret: call + length }));

describe('linearizability checker', () => {
  it('agrees with every verdict of the corpus of recorded histories (pending without the corpus)', function () {
    // The corpus is not part of this repository: a clone without it has nothing to compare with.
    if (!existsSync(`${corpus}expected.json`)) return this.skip();
    const expected = JSON.parse(readFileSync(`${corpus}expected.json`, 'utf8')) as Record<string, boolean>;
    const wrong = Object.entries(expected).filter(([file, linearizable]) => {
      const verdict = judge(file, readFileSync(corpus + file, 'utf8'));
      return verdict.kind !== (linearizable ? 'ok' : 'illegal');
    });
    assert.ok(Object.keys(expected).length > 70);
    assert.deepEqual(wrong, []);
  });

  it('agrees with trying every order, on small random register histories', () => {
    fc.assert(
      fc.property(fc.array(anyInterval, { maxLength: 6 }), (history) => {
        const verdict = searchLinearization(history, registerModel(), limits);
        assert.equal(verdict.kind, bruteForce(history) ? 'ok' : 'illegal');
      }),
      { numRuns: 2000 },
    );
  });

  it('accepts good histories by revision and by search', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const history = good(seed);
      const report = checkHistory(history, limits);
      assert.ok(report.passed, `seed ${seed}: ${report.summary}`);
      assert.deepEqual(searched(history), { kind: 'ok' }, `seed ${seed}`);
    }
  });

  it('finds the order of a register without revisions through much concurrency and backtracking', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = mulberry(seed);
      const history = generateHistory({ operations: 160, clients: 10, keys: 1, unknown: 0, random });
      // Few values and no revisions: many wrong turns.
      const blind = history.flatMap(({ op, call, ret }): Interval<RegisterOp>[] => {
        if (op.kind === 'put') return [{ op: { kind: 'write', value: op.revision % 3 }, call, ret }];
        return [];
      });
      const writes = history.filter(({ op }) => op.kind === 'put').sort((a, b) => a.op.revision - b.op.revision);
      for (const write of writes.filter((_, i) => i % 2 === 0)) {
        // A read at the very moment after the write took effect, as far as the store's order goes.
        blind.push({ op: { kind: 'read', value: write.op.revision % 3 }, call: write.call, ret: write.ret });
      }
      assert.deepEqual(searchLinearization(blind, registerModel(), limits), { kind: 'ok' }, `seed ${seed}`);
    }
  });

  it('proves a history whose every answer arrived by revision alone', () => {
    for (let seed = 1; seed <= 20; seed++) assert.equal(checkWitness(good(seed, 0)).kind, 'passed', `seed ${seed}`);
  });

  for (const [name, mutate] of Object.entries({ swapReturns, dropWrite, staleRead })) {
    it(`rejects a good history after ${name}, by revision and by search`, () => {
      let tried = 0;
      for (let seed = 1; seed <= 20; seed++) {
        const bad = mutate(good(seed, 0));
        if (bad === undefined) continue;
        tried++;
        const report = checkHistory(bad, limits);
        assert.equal(report.passed, false, `seed ${seed}: ${report.summary}`);
        assert.equal(searched(bad).kind, 'illegal', `seed ${seed}: search`);
      }
      assert.ok(tried >= 15, `only ${tried} histories could be damaged`);
    });
  }

  it('tells a store that lies about revisions from one whose answers no order explains', () => {
    const history = good(7, 0).map((interval) => ({ ...interval, op: { ...interval.op } }));
    const write = history.find(({ op }) => op.kind === 'put');
    assert.ok(write);
    const lied = history.map((i) => (i === write ? { ...i, op: { ...i.op, revision: i.op.revision + 100_000 } } : i));
    const report = checkHistory(lied, limits);
    assert.equal(report.passed, false);
    assert.equal(report.witness.kind, 'failed');
  });

  it('does not pass a history that it had no time to decide', () => {
    const history: Interval<RegisterOp>[] = [];
    for (let i = 0; i < 60; i++) history.push({ op: { kind: 'write', value: i }, call: 0, ret: 1000 });
    history.push({ op: { kind: 'read', value: 1000 }, call: 0, ret: 1000 });
    const verdict = searchLinearization(history, registerModel(), { ...limits, timeMs: 50, memo: 20_000 });
    assert.equal(verdict.kind, 'unknown');
  });

  it('lets a write of unknown outcome take effect late or never', () => {
    const put = (value: string, call: number, ret: number, revision: number): Interval<KeyOp> => ({
      op: { kind: 'put', client: 0, key: 'k', value, revision, modRevision: 0, expected: 0, ok: true },
      call,
      ret,
    });
    const get = (value: string, call: number, modRevision: number, revision: number): Interval<KeyOp> => ({
      op: { kind: 'get', client: 1, key: 'k', value, revision, modRevision, expected: 0, ok: true },
      call,
      ret: call + 1,
    });
    const lost = put('lost', 0, Infinity, 0);
    const never = [lost, put('b', 1, 2, 2), get('b', 3, 2, 2)];
    const late = [...never, get('lost', 5, 3, 3)];
    const undone = [...late, get('b', 7, 2, 3)];
    for (const [history, passes] of [[never, true], [late, true], [undone, false]] as const) {
      assert.equal(checkHistory(history, limits).passed, passes);
      assert.equal(searched(history).kind, passes ? 'ok' : 'illegal');
    }
  });

  it('lets a delete of unknown outcome explain that a key is gone, once, and only where time and a revision allow it', () => {
    const base = { client: 0, key: 'k', value: undefined, revision: 0, modRevision: 0, expected: 0, ok: true };
    const put = (revision: number, call: number): Interval<KeyOp> => ({ op: { ...base, kind: 'put', value: `v${revision}`, revision }, call, ret: call + 1 });
    const other = (revision: number, call: number): Interval<KeyOp> => {
      const { op, ret } = put(revision, call);
      return { op: { ...op, key: 'other' }, call, ret };
    };
    const gone = (revision: number, call: number, serializable = true): Interval<KeyOp> => ({ op: { ...base, kind: 'get', revision, serializable }, call, ret: call + 1 });
    const there = (revision: number, call: number): Interval<KeyOp> =>
      ({ op: { ...base, kind: 'get', value: 'v2', modRevision: 2, revision, serializable: true }, call, ret: call + 1 });
    const removed = (call: number): Interval<KeyOp> => ({ op: { ...base, kind: 'delete' }, call, ret: Infinity });
    const cases: readonly (readonly [string, readonly Interval<KeyOp>[], boolean])[] = [
      ['it took revision 3', [put(2, 0), removed(2), gone(3, 4)], true],
      ['nobody deleted', [put(2, 0), gone(3, 4)], false],
      ['revision 3 is of another write', [put(2, 0), removed(2), other(3, 3), gone(3, 6)], false],
      ['revision 4 is free', [put(2, 0), removed(2), other(3, 3), gone(4, 6)], true],
      ['it was called later', [put(2, 0), gone(3, 4), removed(9)], false],
      ['revision 5 had been answered before it was called', [put(2, 0), other(5, 2), removed(6), gone(4, 8)], false],
      ['it was seen alive at revision 3', [put(2, 0), removed(2), there(3, 3), gone(3, 5)], false],
      ['it cannot remove two', [put(2, 0), removed(2), gone(3, 4), put(4, 6), gone(5, 8)], false],
      ['two can', [put(2, 0), removed(2), removed(2), gone(3, 4), put(4, 6), gone(5, 8)], true],
    ];
    for (const [name, history, passes] of cases) assert.equal(checkHistory(history, limits).passed, passes, name);
  });

  it('decides histories with unknown outcomes by revision alone, serializable reads among them', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const history = good(seed, 0.05).map(({ op, call, ret }) => ({ op: { ...op, serializable: op.kind === 'get' && op.revision % 3 === 0 }, call, ret }));
      const report = checkHistory(history, limits);
      assert.ok(report.passed, `seed ${seed}: ${report.summary}`);
    }
  });
});
