/** What the benchmark says must be right: its verifier, and how it judges medians. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CASES, LATER, LOAD } from '../scripts/lib/bench/cases.js';
import type { Measurement } from '../scripts/lib/bench/measure.js';
import { Rounds, type ClusterResult } from '../scripts/lib/bench/rounds.js';
import { compare, judge, warmUpOf } from '../scripts/lib/bench/verdicts.js';
import { RangeCheck } from '../scripts/lib/load/range-check.js';
import { KeyList, makeValue, scatteredKey } from '../scripts/lib/load/values.js';
import type { LeaseId, Revision } from '../src/base/ids.js';
import { encodeRangeResponse } from '../src/api/wire/encode-response.js';

const VALUE_BYTES = 100;
const PUT = 'put@256';
const keys = Array.from({ length: 8 }, (_, n) => scatteredKey(1, n));
const list = new KeyList(keys);

function answer(values: readonly (readonly [Buffer, Buffer])[]): Buffer {
  const kvs = values.map(([key, value]) => ({
    key, value, createRevision: 300 as Revision, modRevision: 70_000 as Revision, version: 2, lease: 0n as LeaseId,
  }));
  return encodeRangeResponse(Buffer.from([8, 1, 16, 2]), 3, { revision: 70_001 as Revision, kvs, more: true, count: 1234 });
}

const pairs = (from: number, n: number): [Buffer, Buffer][] =>
  keys.slice(from, from + n).map((key) => [key, makeValue(key, 5, VALUE_BYTES)]);

describe('the benchmark\'s verifier', () => {
  const check = new RangeCheck();

  it('takes the answer that holds exactly the expected keys and their values', () => {
    assert.equal(check.holds(answer(pairs(2, 4)), list, 2, 4, VALUE_BYTES), true);
    assert.deepEqual([check.keys, check.more, check.count], [4, true, 1234]);
    assert.equal(check.holds(answer([]), list, 0, 0, VALUE_BYTES), true);
  });

  it('refuses a key too many, one too few, another one, and one out of order', () => {
    assert.equal(check.holds(answer(pairs(2, 5)), list, 2, 4, VALUE_BYTES), false);
    assert.equal(check.holds(answer(pairs(2, 3)), list, 2, 4, VALUE_BYTES), false);
    assert.equal(check.holds(answer(pairs(3, 4)), list, 2, 4, VALUE_BYTES), false);
    assert.equal(check.holds(answer(pairs(2, 4).reverse()), list, 2, 4, VALUE_BYTES), false);
  });

  it('refuses any value whose bytes were not written under its key', () => {
    for (let at = 0; at < VALUE_BYTES; at++) {
      const values = pairs(0, 2);
      const last = values[1]?.[1] as Buffer;
      last[at] = (last[at] as number) ^ 0x10;
      assert.equal(check.holds(answer(values), list, 0, 2, VALUE_BYTES), false, `byte ${at}`);
    }
    assert.equal(check.holds(answer([[keys[0] as Buffer, makeValue(keys[1] as Buffer, 5, VALUE_BYTES)]]), list, 0, 1, VALUE_BYTES), false);
  });

  it('refuses an answer that is cut off, wherever', () => {
    const whole = answer(pairs(0, 2));
    const kvsEnd = whole.length - 5;
    for (let end = 0; end < kvsEnd; end++) assert.equal(check.holds(whole.subarray(0, end), list, 0, 2, VALUE_BYTES), false, `${end} bytes`);
  });
});

describe('the benchmark\'s verdicts', () => {
  let dir: string;
  before(() => (dir = mkdtempSync(join(tmpdir(), 'bench-'))));
  after(() => rmSync(dir, { recursive: true }));

  const run = (opsPerSecond: number, p99Ms = 10, serverCpuUs = 100): Measurement => ({
    operations: 1, seconds: 1, opsPerSecond, p50Ms: 1, p99Ms, maxMs: 20, errors: 0, wrong: 0, firstError: '', clientCpuSeconds: 0.5,
    fromMs: 0, toMs: 1000, serverCpuUs, clientCpuUs: 1, deviceBytes: 0, rssBytes: 0, othersShare: 0,
  });
  const cluster = (server: string, load: number, later: Measurement): ClusterResult =>
    ({ server, readyMs: 1, idleBytesPerSecond: 0, cases: { [LOAD.name]: run(load), [LATER]: later, [PUT]: later } });
  const round = (...clusters: ClusterResult[]) => ({ began: '', clusters });
  const put = CASES.filter(({ name }) => name === PUT);

  it('hold our medians against the better peer of each case', () => {
    const rounds = new Rounds(join(dir, 'a.json'), ['ours', 'old', 'new'], false);
    for (const noise of [0, 1, -1]) {
      rounds.add(round(
        cluster('ours', 70, run(120 + noise, 30, 50)), cluster('old', 90, run(100 + noise, 40, 80)), cluster('new', 90, run(80, 25, 75)),
      ));
    }
    const comparison = compare(rounds, 'ours', ['old', 'new'], PUT);
    assert.equal(comparison?.ratio, 1.2);
    assert.equal(comparison?.bestPeer, 'old');
    assert.equal(comparison?.cpuRatio, 1.5);
    assert.equal(warmUpOf(rounds, 'ours').toFixed(3), '0.583');
    const verdicts = judge(rounds, 'ours', ['old', 'new'], put);
    assert.deepEqual(verdicts.map(({ found, demanded, held }) => [Number(found.toFixed(2)), demanded, held]), [
      [1.2, 1.2, true], [1.2, 1, false], [0.58, 0.8, false],
    ]);
  });

  it('a bench that was interrupted goes on with the rounds that are whole', () => {
    const file = join(dir, 'b.json');
    const first = new Rounds(file, ['ours', 'etcd'], false);
    first.add(round(cluster('ours', 1, run(1)), cluster('etcd', 1, run(1))));
    assert.equal(new Rounds(file, ['ours', 'etcd'], false).all.length, 1);
    assert.equal(new Rounds(file, ['ours', 'etcd', 'another'], false).all.length, 0, 'a server was not measured in it');
    assert.equal(new Rounds(file, ['ours'], true).all.length, 0, 'to be forgotten');
  });
});
