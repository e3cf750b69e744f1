import assert from 'node:assert/strict';
import { CALM_MS, LeaseClock, STALL_MS } from './lease-clock.js';

/** `ms` of running, in steps as a member makes them. */
function run(clock: LeaseClock, from: number, ms: number): number {
  for (let at = from; at < from + ms; at += 50) clock.step(at + 50);
  return from + ms;
}

describe('the clock of leases', () => {
  it('goes with the clock of the member while that runs', () => {
    const clock = new LeaseClock();
    clock.step(70_000);
    assert.equal(clock.now, 0, 'what was before the first step does not count');
    run(clock, 70_000, 10_000);
    assert.equal(clock.now, 10_000);
  });

  it('counts a pause as one short step, however long, and is not calm for a while after it', () => {
    const clock = new LeaseClock();
    clock.step(0);
    assert.equal(clock.calm, false, 'a member that has just begun has not read what waits');
    let at = run(clock, 0, CALM_MS);
    assert.equal(clock.calm, true);
    const before = clock.now;
    at += 3_600_000;
    clock.step(at);
    assert.deepEqual([clock.now, clock.calm], [before + STALL_MS, false]);
    at = run(clock, at, CALM_MS - 50);
    assert.equal(clock.calm, false);
    run(clock, at, 50);
    assert.equal(clock.calm, true);
  });

  it('a pause after a pause begins the calm anew', () => {
    const clock = new LeaseClock();
    let at = run(clock, 0, CALM_MS + 50);
    for (let i = 0; i < 20; i++) {
      at += STALL_MS + 1;
      clock.step(at);
      assert.equal(clock.calm, false);
    }
    run(clock, at, CALM_MS);
    assert.equal(clock.calm, true);
  });

  it('is not calm while it rests, and a shorter rest does not end a longer one', () => {
    const clock = new LeaseClock();
    let at = run(clock, 0, CALM_MS);
    clock.rest(1_000);
    clock.rest(100);
    at = run(clock, at, 950);
    assert.equal(clock.calm, false);
    run(clock, at, 50);
    assert.equal(clock.calm, true);
  });

  it('does not go back when the clock of the member does, and counts on from there', () => {
    const clock = new LeaseClock();
    run(clock, 100_000, 1_000);
    const before = clock.now;
    clock.step(50_000);
    assert.equal(clock.now, before);
    run(clock, 50_000, 200);
    assert.equal(clock.now, before + 200);
  });
});
