import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kintsugi } from '../scripts/lib/binary.js';
import type { Server } from '../scripts/lib/bench/server.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { cell } from '../scripts/lib/versus/report.js';
import { Results } from '../scripts/lib/versus/results.js';
import { DEFAULTS, isForbidden, runCase, type CaseResult } from '../scripts/lib/versus/run-case.js';
import { SCENARIOS } from '../scripts/lib/versus/scenarios.js';
import { judge, type View } from '../scripts/lib/versus/verdict.js';

const kv = (...pairs: readonly string[]): Map<string, Buffer> =>
  new Map(pairs.map((pair) => pair.split('=') as [string, string]).map(([k, v]) => [k, Buffer.from(v)]));

const view = (member: string, found: ReadonlyMap<string, Buffer> | undefined, more: Partial<View> = {}): View =>
  ({ member, found, early: false, exited: false, expected: kv('a=1', 'b=2'), ...more });

const ALL = kv('a=1', 'b=2');

describe('versus:etcd', () => {
  describe('the verdict', () => {
    const words = (views: readonly View[], writes = true): string => judge(views, writes).words.join(' ');

    it('is silent when every member has everything, also what was never acknowledged', () => {
      assert.equal(words([view('m0', ALL), view('m1', ALL)]), '');
      assert.equal(words([view('m0', kv('a=1', 'b=2', 'c=?')), view('m1', kv('a=1', 'b=2', 'c=?'))]), '');
    });

    it('names what was lost, wrong or forked, and whoever does not serve', () => {
      assert.equal(words([view('m0', ALL), view('m1', kv('a=1'))]), 'lost forked');
      assert.equal(words([view('m0', kv('a=1', 'b=3')), view('m1', ALL)]), 'forked wrong');
      assert.equal(words([view('m0', kv('a=1')), view('m1', kv('a=1'))]), 'lost');
      assert.equal(words([view('m0', ALL), view('m1', undefined)]), 'silent');
      assert.equal(words([view('m0', ALL), view('m1', undefined, { exited: true })]), 'stopped');
      assert.equal(words([view('m0', ALL)], false), 'unavailable');
      assert.equal(words([view('m0', undefined, { exited: true })]), 'unavailable stopped');
    });

    it('counts what was read early, but not that a member did not serve then', () => {
      assert.equal(words([view('m0', kv('a=1'), { early: true }), view('m0', ALL)]), 'lost');
      assert.equal(words([view('m0', undefined, { early: true }), view('m0', ALL)]), '');
    });

    it('a case whose damage nobody met says nothing', () => {
      assert.deepEqual(judge([view('m0', ALL)], true, false).words, ['missed']);
    });

    it('forbids of ours whatever is not right through every member', () => {
      const stopped = judge([view('m0', ALL), view('m1', undefined, { exited: true })], true);
      assert.equal(isForbidden(stopped, true), true);
      assert.equal(isForbidden(stopped, false), false);
    });
  });

  it('the table sums seeds up, and results are kept', () => {
    const lost: CaseResult = { words: ['lost', 'forked'], lostKeys: 47, wrongKeys: 0, detail: '', struck: [] };
    const ok: CaseResult = { words: [], lostKeys: 0, wrongKeys: 0, detail: '', struck: [] };
    assert.equal(cell([ok, lost, { ...lost, lostKeys: 66 }]), 'LOST + FORKED 2/3 (47 to 66 keys), OK 1/3');
    const dir = mkdtempSync(join(tmpdir(), 'versus-'));
    try {
      const file = join(dir, 'more', 'results.json');
      new Results(file, false).add('data-bit-1', 2, lost);
      assert.deepEqual(new Results(file, false).of('data-bit-1', 2), lost);
      assert.equal(new Results(file, true).of('data-bit-1', 2), undefined);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  // The others run the same code: `npm run versus:etcd -- --no-etcd --seeds 1` takes a minute.
  for (const name of ['log-zero-1-lag', 'log-bit-3', 'data-bit-1']) {
    it(`D1 S4 ${name}: every key is read right through every member`, async function () {
      this.timeout(60_000);
      ensureBuilt();
      const server: Server = { name: 'test', binary: kintsugi(), ours: true };
      const scenario = SCENARIOS.find((s) => s.name === name);
      assert.ok(scenario);
      const result = await runCase(server, scenario, 3, { ...DEFAULTS, earlyMs: 2000 });
      assert.deepEqual(result.words, [], result.detail);
    });
  }
});
