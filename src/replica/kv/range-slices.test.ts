/**
 * What a range costs between two yields, and what it does not look at: whoever drives it may let
 * others in after half a megabyte at most, however few keys that is.
 */

import assert from 'node:assert/strict';
import { MiB } from '../../base/bytes.js';
import { extentOf } from '../../api/wire/packed-range.js';
import type { RangeRequest } from '../../api/requests.js';
import type { ReadView } from '../../storage/base/read-view.js';
import { range, readRange } from './range.js';
import { ResponseBudget } from './response-budget.js';
import { Harness } from './testing/harness.js';
import { rangeOf } from './testing/requests.js';
import { runToEnd } from './testing/run-to-end.js';

const KEYS = 64;
const VALUE_BYTES = MiB / 4;

function filled(keys: number, value: string): Harness {
  const harness = Harness.onMemory();
  for (let n = 0; n < keys; n++) harness.put(`k${String(n).padStart(3, '0')}`, value);
  return harness;
}

interface Driven {
  readonly yields: number;
  readonly keys: number;
  readonly lastKey: string;
}

/** Yields of one request, and what it gave. */
function driven(harness: Harness, request: RangeRequest): Driven {
  const work = range(harness.tree.view(), request, harness.machine.state());
  for (let yields = 0; ; yields++) {
    const step = work.next();
    if (step.done !== true) continue;
    const { keys, lastKey } = extentOf(step.value);
    assert.deepEqual([keys, Buffer.from(lastKey)], [step.value.kvs.length, Buffer.from(step.value.kvs.at(-1)?.key ?? [])]);
    return { yields, keys, lastKey: Buffer.from(lastKey).toString() };
  }
}

describe('a range of large values', () => {
  it('yields after half a megabyte, in the order of keys and sorted by something else', () => {
    const harness = filled(KEYS, 'v'.repeat(VALUE_BYTES));
    const slices = (KEYS * VALUE_BYTES) / (MiB / 2);
    for (const request of [rangeOf('k', 'l'), rangeOf('k', 'l', { sortTarget: 'version', sortOrder: 'descend' })]) {
      const { yields, keys } = driven(harness, request);
      assert.equal(keys, KEYS);
      assert.ok(yields >= slices - 1, `${yields} yields for ${KEYS} values of ${VALUE_BYTES} bytes`);
    }
  });

  it('knows how far it went without decoding, and that of nothing is nothing', () => {
    const harness = filled(300, 'v');
    assert.deepEqual(driven(harness, rangeOf('k', 'l', { limit: 7 })).lastKey, 'k006');
    assert.deepEqual(driven(harness, rangeOf('x', 'y')).keys, 0);
    // A key with zeros is written twice, and counted once.
    harness.put('k0\0\0', 'v');
    assert.deepEqual(driven(harness, rangeOf('k0\0', 'k00')).keys, 1);
  });

  it('of which only keys are wanted holds none of them, also while it is sorted', () => {
    const harness = filled(KEYS, 'v'.repeat(VALUE_BYTES));
    for (const sortTarget of ['key', 'create', 'version', 'mod'] as const) {
      const budget = new ResponseBudget(true, MiB / 8);
      const request = rangeOf('k', 'l', { keysOnly: true, sortTarget, sortOrder: 'descend' });
      const { kvs, count } = runToEnd(readRange(harness.tree.view(), request, harness.machine.state(), budget));
      assert.deepEqual([kvs.length, count, kvs.every(({ value, version }) => value.length === 0 && version === 1)], [KEYS, KEYS, true]);
      // Keys that tie stay in their order.
      assert.equal(Buffer.from(kvs[0]?.key ?? []).toString(), sortTarget === 'version' ? 'k000' : 'k063');
    }
  });

  it('looks at 128 keys at most between two yields, and joins a megabyte of what is packed', () => {
    const keys = 20_000;
    const harness = filled(keys, 'v'.repeat(200));
    const view = harness.tree.view();
    let looked = 0;
    const walk: ReadView['walk'] = (...args) => {
      const inner = view.walk(...args);
      const next = inner.next.bind(inner);
      inner.next = () => (looked++, next());
      return inner;
    };
    const watched = new Proxy(view, { get: (target, name) => (name === 'walk' ? walk : Reflect.get(target, name, target)) });
    for (const shown of [{}, { keysOnly: true }, { minModRevision: 1 }]) {
      const work = range(watched, rangeOf('k', 'l', shown), harness.machine.state());
      let [most, joining] = [0, 0];
      for (;;) {
        looked = 0;
        const step = work.next();
        most = Math.max(most, looked);
        if (looked === 0) joining += 1;
        if (step.done !== true) continue;
        assert.equal(step.value.count, keys);
        break;
      }
      assert.ok(most <= 128, `${most} keys in one slice`);
      const megabytes = 'keysOnly' in shown ? 0 : Math.floor((keys * 200) / MiB);
      assert.ok(joining >= megabytes, `${joining} slices for ${megabytes} MiB`);
    }
  });

  it('that nobody counts asks for no count, and reads what it was asked for', () => {
    const harness = filled(50, 'v');
    const counted: string[] = [];
    const view = harness.tree.view();
    const watched: ReadView = {
      get: (...args) => view.get(...args), find: (...args) => view.find(...args), walk: (...args) => view.walk(...args),
      scan: (...args) => view.scan(...args), release: () => view.release(),
      countLive: (...args) => (counted.push('newest'), view.countLive(...args)),
      countLiveAt: (...args) => (counted.push('older'), view.countLiveAt(...args)),
    };
    const read = (more: Partial<RangeRequest>): number => {
      const work = range(watched, rangeOf('k', 'l', { limit: 5, ...more }), harness.machine.state());
      for (;;) {
        const step = work.next();
        if (step.done === true) return step.value.kvs.length;
      }
    };
    assert.deepEqual([read({ uncounted: true }), read({ uncounted: true, revision: 40 }), counted], [5, 5, []]);
    assert.deepEqual([read({}), read({ revision: 40 }), counted], [5, 5, ['newest', 'older']]);
  });
});
