import { strict as assert } from 'node:assert';
import { Coalesced } from './coalesced.js';
import { Deferred } from './deferred.js';

/** Runs that end when the test says so. */
class Runs {
  readonly open: Deferred[] = [];
  begun = 0;
  readonly work = (): Promise<void> => {
    this.begun++;
    const run = new Deferred();
    this.open.push(run);
    return run.promise;
  };

  async end(): Promise<void> {
    this.open.shift()?.resolve();
    await Promise.resolve();
  }
}

describe('Coalesced', () => {
  it('begins at once, runs once at a time, and once more for all that asked meanwhile', async () => {
    const runs = new Runs();
    const coalesced = new Coalesced(runs.work);
    assert.equal(coalesced.running, false);
    coalesced.kick();
    assert.equal(runs.begun, 1, 'before kick returns');
    coalesced.kick();
    coalesced.kick();
    assert.equal(runs.begun, 1);
    await runs.end();
    assert.equal(runs.begun, 2, 'a microtask after the first ended');
    assert(coalesced.running);
    await runs.end();
    assert.equal(runs.begun, 2);
    assert.equal(coalesced.running, false);
  });

  it('is idle when nothing more was asked for', async () => {
    const runs = new Runs();
    const coalesced = new Coalesced(runs.work);
    await coalesced.idle();
    coalesced.kick();
    coalesced.kick();
    let idle = false;
    const waited = coalesced.idle().then(() => (idle = true));
    await runs.end();
    await Promise.resolve();
    assert.equal(idle, false, 'it runs again');
    await runs.end();
    await waited;
    assert.equal(runs.begun, 2);
  });

  it('a pause waits for what runs, forgets nothing, and ends with a run', async () => {
    const runs = new Runs();
    const coalesced = new Coalesced(runs.work);
    coalesced.kick();
    coalesced.kick();
    let quiet = false;
    const paused = coalesced.pause().then(() => (quiet = true));
    assert(coalesced.paused && !quiet);
    await runs.end();
    await paused;
    assert.equal(coalesced.running, false);
    coalesced.kick();
    assert.equal(runs.begun, 1);
    coalesced.resume();
    assert.equal(runs.begun, 2);
    await runs.end();
    assert.equal(runs.begun, 2, 'what was missed is one run');
    await coalesced.pause();
    coalesced.resume();
    assert.equal(runs.begun, 3, 'nobody knows what was missed');
  });

  it('tells what failed before it runs again, and a pause from there keeps it from that', async () => {
    const runs = new Runs();
    const failures: unknown[] = [];
    const coalesced = new Coalesced(runs.work, (error) => {
      failures.push(error);
      if (failures.length === 2) void coalesced.pause();
    });
    for (const why of ['one', 'two']) {
      coalesced.kick();
      coalesced.kick();
      const error = new Error(why);
      runs.open.shift()?.reject(error);
      await Promise.resolve();
      assert.equal(failures.at(-1), error);
    }
    assert.equal(runs.begun, 2, 'the second run was the one asked for during the first');
    assert.equal(coalesced.running, false);
  });

  it('tells within a run that it is asked to pause', async () => {
    const steps: string[] = [];
    const coalesced: Coalesced = new Coalesced(async () => {
      while (!coalesced.paused) {
        steps.push('step');
        await Promise.resolve();
      }
    });
    coalesced.kick();
    await coalesced.pause();
    assert.deepEqual(steps, ['step']);
  });
});
