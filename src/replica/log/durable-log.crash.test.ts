import assert from 'node:assert/strict';
import { runs } from '../../base/testing/runs.js';
import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { FaultDisk, type FaultKind } from '../../base/disk/testing/fault-disk.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import type { Random } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Entry } from '../../raft/types.js';
import type { DurableLog } from './durable-log.js';
import { allEntries, openLog, settled, show, SMALL_SEGMENT, someEntries } from './testing/log-fixture.js';

/** What the log must be, and what it may be because an operation was under way. */
interface Model {
  /** Entries whose append resolved, from `base + 1` on. */
  entries: Entry[];
  base: number;
  commit: number;
  term: number;
  /** The append that was under way. */
  appending: Entry[] | undefined;
  /** What it says is committed. */
  committing: number;
  /** The reset that was under way. */
  resetting: number | undefined;
  /** What was under way has failed. */
  renewing: boolean;
}

const lastOf = (model: Model): number => model.base + model.entries.length;

function applyAppend(model: Model, entries: readonly Entry[]): void {
  model.entries = model.entries.slice(0, (entries[0] as Entry).index - 1 - model.base).concat(entries);
}

async function dropSoon(log: DurableLog, index: number, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) await Promise.resolve();
  if (index >= log.firstIndex()) await log.truncateBefore(index, log.term(index));
}

/**
 * long: mostly appends that take more than a segment; large: a single entry may take more than one.
 */
type Shape = 'short' | 'long' | 'large';

/** Appended by one operation, from `first` on. */
function drawn(first: number, term: number, random: Random, shape: Shape): Entry[] {
  const entries = someEntries(first, 1 + random.below(random.below(8) === 0 || shape === 'long' ? 120 : 12), term, 8 + random.below(300));
  if (shape !== 'large' || random.below(3) > 0) return entries;
  const at = random.below(entries.length);
  const [large] = someEntries(first + at, 1, term, SMALL_SEGMENT / 2 + random.below(3 * SMALL_SEGMENT));
  return entries.with(at, large as Entry);
}

const FAILURES: readonly FaultKind[] = ['sync-error', 'write-error', 'sync-dir-error'];

/** One write, sync or change of a name fails, and with it the file for good. */
async function strikeSoon(disk: FaultDisk, kind: FaultKind, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) await Promise.resolve();
  disk.inject({ kind, path: 'log', times: 1 });
}

/** After a failure the log is what it was before it, but for what was to be replaced. */
async function renew(log: DurableLog, model: Model, where: string): Promise<void> {
  model.renewing = true;
  for (let times = 0; ; times++) {
    assert.ok(times < 50, `renewed in the end ${where}`);
    try {
      await log.renew();
      break;
    } catch (error) {
      if (!isDiskFailure(error) || messageOf(error).includes('the power is off')) throw error;
    }
  }
  const { resetting: at } = model;
  if (at !== undefined) Object.assign(model, { entries: [], base: at, commit: at, resetting: undefined });
  const first = model.appending?.[0]?.index ?? Infinity;
  if (model.appending !== undefined) model.commit = model.committing;
  model.entries = model.entries.slice(0, Math.max(0, first - 1 - model.base));
  Object.assign(model, { appending: undefined, renewing: false });
  assert.deepEqual(show(allEntries(log)), show(model.entries.slice(log.firstIndex() - 1 - model.base)), where);
}

function isDiskFailure(error: unknown): boolean {
  return ['IO', 'WRITE_FAILED', 'SYNC_FAILED'].includes(codeOf(error) ?? '');
}

async function oneOperation(log: DurableLog, model: Model, random: Random, shape: Shape): Promise<void> {
  const kind = random.below(20);
  if (kind === 0) {
    const index = lastOf(model) + random.below(20);
    model.resetting = index;
    await log.resetTo(index, ++model.term);
    Object.assign(model, { entries: [], base: index, commit: index, resetting: undefined });
  } else if (kind <= 3 && model.commit >= log.firstIndex()) {
    const index = log.firstIndex() + random.below(model.commit - log.firstIndex() + 1);
    await log.truncateBefore(index, log.term(index));
  } else if (kind === 4) {
    await log.flushIdentities();
  } else {
    const overwrite = random.below(5) === 0;
    if (overwrite) model.term++;
    const first = overwrite ? model.commit + 1 + random.below(lastOf(model) - model.commit + 1) : lastOf(model) + 1;
    const entries = drawn(first, model.term, random, shape);
    const commit = random.below(2) === 0 ? first - 1 : model.commit + random.below(first - model.commit);
    model.appending = entries;
    model.committing = commit;
    const appending = log.append(entries, commit);
    // Old segments may leave while new ones are being written.
    const dropping = random.below(2) === 0 ? dropSoon(log, model.commit, random.below(30)) : undefined;
    await Promise.all([appending, dropping]);
    applyAppend(model, entries);
    model.commit = commit;
    model.appending = undefined;
  }
}

/** Throws unless the log is what it must be; then the model is what the log is. */
function check(log: DurableLog, model: Model, where: string): void {
  const got = allEntries(log);
  got.forEach((entry, i) => assert.equal(entry.index, log.firstIndex() + i, `R3 contiguous ${where}`));
  if (model.resetting !== undefined && log.firstIndex() === model.resetting + 1 && got.length === 0) {
    Object.assign(model, { entries: [], base: model.resetting, commit: model.resetting });
  } else {
    const expected = matching(model, log, got);
    assert.ok(expected !== undefined, `D1 what was acknowledged is there, and nothing else ${where}: ${log.firstIndex()}..${log.lastIndex()} of ${model.base + 1}..${lastOf(model)}`);
    model.entries = expected;
  }
  // Truncation may or may not have happened yet.
  assert.ok(log.firstIndex() > model.base && log.firstIndex() - 1 <= Math.max(model.commit, model.base), `only committed entries are dropped ${where}`);
  const before = log.firstIndex() - 1 - model.base;
  if (before > 0) assert.equal(log.term(log.firstIndex() - 1), model.entries[before - 1]?.term, `the term before the first ${where}`);
  model.entries = model.entries.slice(before);
  model.base = log.firstIndex() - 1;
  Object.assign(model, { appending: undefined, resetting: undefined, renewing: false });
}

/**
 * The state before the append that was under way, or the state with a part of it from its
 * beginning: with nothing of it, once it has failed.
 */
function matching(model: Model, log: DurableLog, got: readonly Entry[]): Entry[] | undefined {
  const shown = show(got).join('\n');
  const candidates: Entry[][] = [model.entries];
  const appending = model.appending ?? [];
  for (let n = model.renewing ? 0 : 1; n <= appending.length; n++) {
    const first = appending[0]?.index ?? Infinity;
    candidates.push(model.entries.slice(0, first - 1 - model.base).concat(appending.slice(0, n)));
  }
  return candidates.find((entries) => {
    const skip = log.firstIndex() - 1 - model.base;
    return skip >= 0 && entries.length - skip === got.length && show(entries.slice(skip)).join('\n') === shown;
  });
}

/** The version of the cluster is raised in one of the first lives. */
async function oneLife(seed: number, crashes: number, shape: Shape = 'short', failing = false): Promise<number> {
  const random = seededRandom(seed);
  const raisedIn = seed % 4;
  const disk = new CrashDisk();
  const model: Model = {
    entries: [], base: 0, commit: 0, term: 1, appending: undefined, committing: 0, resetting: undefined, renewing: false,
  };
  let operations = 0;
  let renewed = 0;
  for (let crash = 0; crash <= crashes; crash++) {
    const where = `after crash ${crash} of seed ${seed}`;
    let log: DurableLog | undefined;
    const faults = new FaultDisk(disk);
    if (crash < crashes) disk.powerOffAfter(1 + random.below(random.below(3) === 0 ? 8 : 80));
    try {
      const knownCommit = Math.min(model.commit, lastOf(model));
      const opened = await openLog(faults, { knownCommit, cacheBytes: 2000, version: crash < raisedIn ? 1 : 2 });
      log = opened.log;
      check(log, model, where);
      // That of an append that was under way may have come through.
      model.commit = Math.max(model.commit, opened.recovered.commit);
      if (crash === crashes) break;
      for (;;) {
        const strikes = failing && random.below(4) === 0;
        if (strikes) void strikeSoon(faults, FAILURES[random.below(3)] as FaultKind, random.below(30));
        try {
          await oneOperation(log, model, random, shape);
        } catch (error) {
          if (!failing || !isDiskFailure(error)) throw error;
          await renew(log, model, where);
          renewed++;
        }
        operations++;
        if (random.below(10) > 0) continue;
        assert.deepEqual(show(allEntries(log)), show(model.entries.slice(log.firstIndex() - 1 - model.base)), where);
      }
    } catch (error) {
      const code = codeOf(error);
      if (code !== 'IO' && code !== 'WRITE_FAILED' && code !== 'ENTRY_UNREADABLE' && !(failing && code === 'SYNC_FAILED')) throw new Error(where, { cause: error });
    }
    await settled();
    disk.crash(random);
  }
  return failing ? renewed : operations;
}

describe('the durable log over power losses', () => {
  it('D1 R3 R6 what was acknowledged is there after any crash, and nothing that was never appended', async function () {
    this.timeout(60_000);
    let operations = 0;
    const lives = runs(25, 50);
    for (let seed = 1; seed <= lives; seed++) operations += await oneLife(seed, 12);
    assert.ok(operations > 40 * lives, `${operations} operations`);
  });

  it('D1 R6 the same where most appends go through several segments', async function () {
    this.timeout(60_000);
    let operations = 0;
    const lives = runs(30, 60);
    for (let seed = 1; seed <= lives; seed++) operations += await oneLife(seed, 12, 'long');
    assert.ok(operations > 16 * lives, `${operations} operations`);
  });

  it('D1 R6 the same where an entry may be larger than a segment', async function () {
    this.timeout(60_000);
    let operations = 0;
    const lives = runs(30, 60);
    for (let seed = 1; seed <= lives; seed++) operations += await oneLife(seed, 12, 'large');
    assert.ok(operations > 16 * lives, `${operations} operations`);
  });

  it('D1 R2 R6 the same where writes and syncs fail, and the log goes on in fresh segments', async function () {
    this.timeout(60_000);
    let renewed = 0;
    const lives = runs(57, 115);
    for (let seed = 1; seed <= lives; seed++) renewed += await oneLife(seed, 12, (['short', 'long', 'large'] as const)[seed % 3], true);
    assert.ok(renewed > 2 * lives, `${renewed} renewed`);
  });

  it('R2 what a killed open mended in the page cache alone is durable once the next one is done', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const disk = new CrashDisk();
      const { log } = await openLog(disk);
      await log.append(someEntries(1, 20, 1), 0);
      await settled();
      await log.close();
      const path = `log/${(await disk.list('log')).filter((name) => name.endsWith('.seg')).sort().at(-1) ?? ''}`;
      const file = await disk.open(path, 'write');
      await file.truncate(SMALL_SEGMENT - 100);
      await file.sync();
      file.close();
      // The process ends after some of its changes; the power stays.
      disk.powerOffAfter(1 + (seed % 6));
      await assert.rejects(openLog(disk));
      disk.powerOffAfter(Infinity);
      await openLog(disk);
      disk.crash(seededRandom(seed));
      assert.equal(disk.sizeOf(path), SMALL_SEGMENT, `seed ${seed}`);
    }
  });
});
