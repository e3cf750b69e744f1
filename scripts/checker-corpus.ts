/**
 * The linearizability checker against histories with known verdicts, damaged good histories, and a
 * history of a million operations. Exit code 0 only if every verdict is right and the million takes
 * less than ten seconds.
 */

import { existsSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { dropWrite, generateHistory, staleRead, swapReturns } from '../src/checker/generate.js';
import type { SearchLimits, Verdict } from '../src/checker/model.js';
import { registerModel, stringModel } from '../src/checker/models.js';
import { parseJepsenRegister, parseStringMap, partition } from '../src/checker/parse.js';
import { searchLinearization } from '../src/checker/search.js';
import { checkHistory } from '../src/checker/check.js';
import { checkWitness } from '../src/checker/witness.js';
import { flags, runMain } from './lib/command.js';
import { seededRandom } from './lib/random.js';
import { good, table, verdictMark } from './lib/print.js';

const limits: SearchLimits = { timeMs: 30_000, memo: 5_000_000, now: () => performance.now() };

const HELP = `Checks the linearizability checker itself.

  npm run checker:corpus
  npm run checker:corpus -- --operations 200000     a smaller generated history
  npm run checker:corpus -- --corpus DIR            default ../shared/linearizability-corpus
`;

function judge(file: string, text: string): Verdict {
  if (file.startsWith('jepsen')) return searchLinearization(parseJepsenRegister(text), registerModel(), limits);
  for (const part of partition(parseStringMap(text), (op) => op.key).values()) {
    const verdict = searchLinearization(part, stringModel(), limits);
    if (verdict.kind !== 'ok') return verdict;
  }
  return { kind: 'ok' };
}

interface Row {
  readonly what: string;
  readonly histories: number;
  readonly right: number;
  readonly ms: number;
}

function checkCorpus(dir: string): Row | undefined {
  const list = `${dir}/expected.json`;
  if (!existsSync(list)) return undefined;
  const expected = Object.entries(JSON.parse(readFileSync(list, 'utf8')) as Record<string, boolean>);
  const began = performance.now();
  let right = 0;
  for (const [file, linearizable] of expected) {
    const verdict = judge(file, readFileSync(`${dir}/${file}`, 'utf8'));
    if (verdict.kind === (linearizable ? 'ok' : 'illegal')) right++;
    else console.log(`  ${file}: expected ${linearizable ? 'ok' : 'illegal'}, got ${verdict.kind}`);
  }
  return { what: 'corpus', histories: expected.length, right, ms: performance.now() - began };
}

function checkDamaged(): Row {
  const began = performance.now();
  let histories = 0;
  let right = 0;
  for (let seed = 1; seed <= 50; seed++) {
    const options = { operations: 600, clients: 8, keys: 5, unknown: 0, random: seededRandom(seed) };
    const whole = generateHistory(options);
    histories++;
    if (checkHistory(whole, limits).passed) right++;
    for (const mutate of [swapReturns, dropWrite, staleRead]) {
      const bad = mutate(whole);
      if (bad === undefined) continue;
      histories++;
      if (!checkHistory(bad, limits).passed) right++;
      else console.log(`  seed ${seed}: ${mutate.name} was not noticed`);
    }
  }
  return { what: 'generated, whole and damaged', histories, right, ms: performance.now() - began };
}

function checkMillion(operations: number): Row {
  const random = seededRandom(1);
  const history = generateHistory({ operations, clients: 64, keys: 10_000, unknown: 0, random });
  const began = performance.now();
  const result = checkWitness(history);
  const ms = performance.now() - began;
  if (result.kind === 'failed') console.log(`  ${result.reason}`);
  const right = result.kind === 'passed' && ms < 10_000 ? 1 : 0;
  return { what: `witness pass, ${operations} operations`, histories: 1, right, ms };
}

await runMain(HELP, async () => {
  const { values } = flags({
    operations: { type: 'string', default: '1000000' },
    corpus: { type: 'string', default: fileURLToPath(new URL('../../shared/linearizability-corpus', import.meta.url)) },
  });
  const corpus = checkCorpus(values.corpus);
  if (corpus === undefined) console.log(`no corpus at ${values.corpus}: left out`);
  const rows = [...(corpus ? [corpus] : []), checkDamaged(), checkMillion(Number(values.operations))];
  console.log(table(['what', 'histories', 'right', 'ms'], rows.map((r) => [r.what, r.histories, r.right, r.ms.toFixed(0)])));
  const passed = rows.every((row) => row.right === row.histories);
  console.log(verdictMark(passed), passed ? good('every verdict is right') : 'a verdict is wrong');
  return passed ? 0 : 1;
});
