#!/usr/bin/env node
// `npm test`: everything that must hold before a change lands, from a bare clone with only Node 20
// and npm. Prints what runs, how long it took, and a last line `N passed, N failed`. Exit 1 when
// anything failed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const HELP = `usage: npm test [-- --only STEP ...] [-- --skip STEP ...]

steps: types lint layers functions unused invariants unit build sim cluster alone
  npm test                          everything (about 15 minutes on two cores)
  npm test -- --skip cluster --skip alone  without the multi-process tests
  npm test -- --only unit           one step`;

const args = process.argv.slice(2);
if (args.includes('--help')) {
  console.log(HELP);
  process.exit(0);
}
const picked = (flag) => args.flatMap((arg, i) => (args[i - 1] === flag ? [arg] : []));

if (!existsSync('node_modules/.package-lock.json')) {
  console.log('installing dependencies (npm ci) ...');
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { stdio: 'inherit' });
  if (install.status !== 0) process.exit(1);
}

const bin = (name) => `node_modules/.bin/${name}`;
const steps = [
  // What is beside another uses one core and waits for nothing: these run together, one for each
  // core, the longest first.
  { name: 'lint', beside: true, command: ['npm', 'run', '--silent', 'lint'] },
  { name: 'types', within: 'lint', beside: true, command: [bin('tsc'), '-p', '.'] },
  { name: 'build', beside: true, command: ['node', 'scripts/build.mjs'] },
  { name: 'layers', beside: true, command: ['npm', 'run', '--silent', 'layers'] },
  { name: 'functions', beside: true, command: ['node', 'scripts/count-functions.mjs'] },
  { name: 'unused', beside: true, command: ['npm', 'run', '--silent', 'unused'] },
  { name: 'invariants', beside: true, command: ['node', 'scripts/check-invariants.mjs'] },
  { name: 'unit', command: ['node', 'scripts/unit.mjs'] },
  // The processes of cluster tests wait as much as they compute: simulated time, which no load can
  // disturb, takes what is left of the cores. What fills the disk or all cores stands in alone/.
  { name: 'sim', behind: 'cluster', command: ['node', 'scripts/sim-ci.mjs'] },
  { name: 'cluster', command: [bin('mocha'), '--parallel', '--jobs', '2', '--timeout', '180000', '--reporter', 'spec', 'cluster-tests/*.test.ts'] },
  { name: 'alone', command: [bin('mocha'), '--timeout', '180000', '--reporter', 'spec', 'cluster-tests/alone/*.test.ts'] },
];
const known = new Set(steps.map((step) => step.name));
for (const name of [...picked('--only'), ...picked('--skip')]) {
  if (!known.has(name)) {
    console.error(`unknown step ${name}\n\n${HELP}`);
    process.exit(2);
  }
}
const only = new Set(picked('--only'));
const skip = new Set(picked('--skip'));

let passed = 0;
let failed = 0;
let pending = 0;
/** Repeated at the very end: whoever sees only that must know what to look at. */
const failures = [];

function failuresIn(output) {
  const at = output.search(/^ *\d+ failing$/m);
  return (at < 0 ? output : output.slice(at)).slice(at < 0 ? -3_000 : 0).slice(0, 6_000).trimEnd();
}

/** `quiet`: says all of it at its end, for another step speaks meanwhile. */
function run(step, quiet = false) {
  return new Promise((resolve) => {
    const started = Date.now();
    const title = `\n== ${step.name}: ${step.command.join(' ')}`;
    if (!quiet) console.log(title);
    const child = spawn(step.command[0], step.command.slice(1), { stdio: ['ignore', 'pipe', quiet ? 'pipe' : 'inherit'], env: { ...process.env, FORCE_COLOR: '0' } });
    let tail = '';
    const keep = (data) => {
      if (!quiet) process.stdout.write(data);
      tail = (tail + data).slice(-1_000_000);
    };
    child.stdout.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('close', (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      const count = (word) => Number(new RegExp(`^\\s*(\\d+) ${word}`, 'm').exec(tail)?.[1] ?? 0);
      const tests = count('passing');
      if (tests > 0 || count('failing') > 0) {
        passed += tests;
        failed += count('failing');
        pending += count('pending');
        if (code !== 0 && count('failing') === 0) failed += 1;
      } else if (code === 0) passed += 1;
      else failed += 1;
      if (quiet) console.log(`${title}\n${tail.trimEnd()}`);
      if (code !== 0) failures.push(`== ${step.name}\n${failuresIn(tail)}`);
      console.log(`== ${step.name}: ${code === 0 ? 'ok' : `FAILED (exit ${code})`} after ${seconds} s`);
      resolve(code);
    });
  });
}

const asked = steps.filter(({ name }) => (only.size === 0 || only.has(name)) && !skip.has(name));
/** Who checks types on the way, with what it has read for itself, does it in half the time. */
const chosen = asked.flatMap((step) => {
  if (asked.some(({ name }) => name === step.within)) return [];
  const guests = asked.filter(({ within }) => within === step.name).map(({ name }) => `--${name}`);
  return [{ ...step, command: guests.length > 0 ? [...step.command, '--', ...guests] : step.command }];
});
const together = chosen.filter((step) => step.beside);
await Promise.all(Array.from({ length: availableParallelism() }, async () => {
  for (let step = together.shift(); step !== undefined; step = together.shift()) await run(step, true);
}));
const names = new Set(chosen.map(({ name }) => name));
for (const step of chosen) {
  if (step.beside || names.has(step.behind)) continue;
  const behind = chosen.filter((other) => other.behind === step.name);
  const inWait = behind.map((other) => run({ ...other, command: [...other.command, '--behind'] }, true));
  await Promise.all([run(step), ...inWait]);
}
if (failures.length > 0) console.log(`\n== what failed\n\n${failures.join('\n\n')}`);
console.log(`\n${passed} passed, ${failed} failed, ${pending} skipped`);
process.exit(failed > 0 ? 1 : 0);
