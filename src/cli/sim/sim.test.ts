import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimResult } from '../../sim/model/result.js';
import { FakeIo } from '../testing/fake-io.js';
import type { SimHost } from './host.js';
import { sim } from './sim.js';
import { simulate } from './testing/fake-simulate.js';

const host: SimHost = {
  simulate, module: new URL(`./testing/fake-simulate.${import.meta.url.split('.').at(-1)}`, import.meta.url).href, cores: 2, tty: false, impossible: () => Promise.resolve([]),
};

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(line: string, more: Partial<SimHost> = {}): Promise<Said> {
  const io = new FakeIo();
  const code = await sim(line.split(' ').filter((word) => word !== ''), io, { ...host, ...more });
  return { code, out: io.text, err: io.errors };
}

interface RangeJson {
  readonly seeds: number;
  readonly passed: number;
  readonly failed: readonly { readonly seed: number; readonly violations: SimResult['violations'] }[];
  readonly simHours: number;
  readonly faults: { readonly disk: number };
  readonly digests?: Readonly<Record<string, string>>;
}

async function range(line: string): Promise<Said & { readonly json: RangeJson }> {
  const said = await run(`${line} --json`);
  return { ...said, json: JSON.parse(said.out) as RangeJson };
}

describe('kintsugi sim', function () {
  this.timeout(60_000);
  let dir: string;
  before(() => (dir = mkdtempSync(join(tmpdir(), 'sim-test-'))));
  after(() => rmSync(dir, { recursive: true }));

  it('the exit code of one seed says what went wrong, as VOPR does', async () => {
    const codes = [];
    for (const seed of [20, 1, 2, 3, 4]) codes.push((await run(`--seed ${seed}`)).code);
    assert.deepEqual(codes, [0, 127, 128, 129, 127]);
  });

  it('a seed that failed tells how to replay it and how to shrink it', async () => {
    const { out } = await run('--seed 3 --profile full');
    assert.match(out, /FAIL\n {2}correctness at 12\.345 s on n2: linearizable: told by seed/);
    assert.match(out, /npm run sim -- --seed 3 --profile full --tape\n/);
    assert.match(out, /npm run sim -- --seed 3 --profile full --shrink\n/);
  });

  it('twice: equal traces pass, different ones do not', async () => {
    const same = await run('--seed 20 --twice');
    assert.equal(same.code, 0);
    assert.match(same.out, /run again: trace 0000002000000000, the same\n$/);
    const other = await run('--seed 10 --twice');
    assert.notEqual(other.code, 0);
    assert.match(other.out, /same seed, same trace: .*\(1000 events\), then .*\n.*NOT the same/);
  });

  it('the tape goes to standard output or to a file', async () => {
    const { out } = await run('--seed 20 --tape');
    assert.match(out, /^ +0\.001 +· +event 1 /m);
    assert.ok(out.split('\n').every((line) => line.length <= 160));
    const file = join(dir, 'tape');
    const said = await run(`--seed 20 --tape ${file}`);
    assert.match(said.out, /tape: .*, 1000 rows\n/);
    assert.equal(readFileSync(file, 'utf8').split('\n').filter((line) => line.includes('event ')).length, 1000);
  });

  it('wrong usage is code 2 and names what is wrong', async () => {
    for (const [line, about] of [
      ['', /--help/], ['--seed x', /whole number/], ['--seed 1 --seeds 1..2', /one of/], ['--seeds 2..1', /empty/], ['--seed 1 --profile half', /table, full or members/],
      ['--seed 1 --sed 2', /unknown option/], ['--seeds 1..2 --tape', /means nothing/], ['--seed 1 --tape --json', /--tape FILE/], ['--seed 1 extra', /too many arguments/],
      ['--regressions /nowhere', /no list of regressions/], ['--seed 1 --tape /nowhere/at/all', /--tape/], ['--seed 1 --coverage', /means nothing/],
      ['--seed 20 --limit 3000000', /at most 2147483/], ['--seed 20 --only 0,99999', /--only 99999: the plan of seed 20/],
    ] as const) {
      const { code, err } = await run(line);
      assert.equal(code, 2, line);
      assert.match(err, about, line);
    }
    assert.equal((await run('--help')).code, 0);
  });

  it('a disk that takes no tape costs the tape, not the verdict', async () => {
    const { code, out, err } = await run('--seed 20 --tape /dev/full');
    assert.equal(code, 0, err);
    assert.match(err, /tape \/dev\/full is not complete: .*ENOSPC/);
    assert.match(out, /PASS/);
  });

  it('a range runs in worker processes; its JSON has what failed and the sums', async () => {
    const { code, json, err } = await range('--seeds 1..3,20..25 --digests');
    assert.equal(code, 1);
    assert.deepEqual([json.seeds, json.passed, json.simHours, json.faults.disk], [9, 6, 1.5, 31]);
    assert.deepEqual(json.failed.map((f) => f.seed).sort(), [1, 2, 3]);
    assert.equal(json.digests?.['25'], '0000002500000000');
    assert.match(err, /9 of 9 seeds, 3 failed/);
    const good = await run('--seeds 20..22');
    assert.equal(good.code, 0);
    assert.match(good.out, /3, 3 passed, 0 failed/);
  });

  it('a run that hangs, loops, dies, throws or rejects is the failure of its seed alone', async () => {
    const { json } = await range('--seeds 4..9,20..23 --limit 2');
    assert.equal(json.passed, 4);
    const why = Object.fromEntries(json.failed.map(({ seed, violations }) => [seed, `${violations[0]?.kind}: ${violations[0]?.check}`]));
    assert.deepEqual(why, {
      4: 'crash: the simulator itself TypeError', 5: 'crash: unhandled rejection RangeError', 6: 'crash: uncaught exception RangeError',
      7: 'crash: wall-clock limit', 8: 'crash: wall-clock limit', 9: 'crash: the process of the run',
    });
    assert.match(json.failed.find((f) => f.seed === 5)?.violations[0]?.message ?? '', /nobody awaits this.*fake-simulate/);
  });

  it('workers that cannot begin are said once, not waited for', async () => {
    const said = await run('--seeds 1..4 --json', { module: 'file:///nowhere.mjs' });
    assert.equal(said.code, 1);
    assert.match(said.out, /workers end before they begin: Cannot find module '\/nowhere\.mjs'/);
  });

  it('a range twice finds the seed whose trace is another one', async () => {
    const { json } = await range('--seeds 10,20,21 --twice --workers 1');
    assert.deepEqual(json.failed.map((f) => [f.seed, f.violations[0]?.check]), [[10, 'same seed, same trace']]);
  });

  it('fail-fast begins no more seeds', async () => {
    const { json } = await range('--seeds 1,20..60 --fail-fast --workers 1');
    assert.equal(json.seeds, 1);
  });

  it('shrinking ends at the two faults that matter and at the earliest end, and its command fails alike', async () => {
    const { code, out } = await run('--seed 11 --shrink');
    assert.equal(code, 0);
    assert.match(out, /2 of 20 faults, none after 40\.\d+ s.*none of them can be left out/);
    const flags = /npm run sim -- (--seed 11 --only 3,7 --until 4\d\.\d+) --tape\n/.exec(out)?.[1];
    assert.ok(flags !== undefined, out);
    assert.equal((await run(flags)).code, 129);
    assert.equal((await run('--seed 20 --shrink')).code, 1);
    assert.match((await run('--seed 11 --shrink --runs 6')).out, /the runs were spent/);
  });

  it('coverage goes on with profile full while cells are empty, and fails for them', async () => {
    const { code, out, err } = await run('--seeds 20..21 --coverage');
    assert.equal(code, 1);
    assert.match(err, /empty after profile table: on with profile full/);
    assert.match(out, /^bit-flip +(!! +)+.*4/m);
    assert.match(out, /2 seeds of profile table, 2 seeds of profile full/);
    assert.match((await run('--seeds 20..21 --coverage --profile table')).out, /\n2 seeds of profile table, /);
  });

  it('regressions all pass or are told with what they once found', async () => {
    const file = join(dir, 'regressions.json');
    const entry = (seed: number): unknown => ({ seed, profile: 'table', check: 'linearizable', found: 'a read went back', fixedBy: 'Reads wait' });
    writeFileSync(file, JSON.stringify([entry(20), entry(21)]));
    assert.deepEqual([(await run(`--regressions ${file}`)).code], [0]);
    writeFileSync(file, JSON.stringify([entry(20), entry(3)]));
    const { code, out } = await run(`--regressions ${file}`);
    assert.equal(code, 1);
    assert.match(out, /--seed 3 --tape\n {2}then: a read went back\n {2}now: {2}correctness at/);
    writeFileSync(file, JSON.stringify([{ seed: 1 }]));
    assert.equal((await run(`--regressions ${file}`)).code, 2);
    writeFileSync(file, '[]');
    assert.equal((await run(`--regressions ${file}`)).code, 0);
  });
});
