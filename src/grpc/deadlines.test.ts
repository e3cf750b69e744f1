import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ManualClock } from '../base/testing/manual-clock.js';
import { Deadlines, Expiring } from './deadlines.js';

const TICK_MS = 4;

class Entry extends Expiring {
  readonly told: number[] = [];
  readonly #clock: ManualClock;
  then: (() => void) | undefined = undefined;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }

  override expired(): void {
    this.told.push(this.#clock.now());
    this.then?.();
  }
}

describe('deadlines', () => {
  it('each entry is told once, never early and less than a tick late, unless it was removed', () => {
    const at = fc.oneof(fc.nat(20), fc.nat(5000), fc.nat(30_000));
    const step = fc.record({ at, wait: fc.nat(300), remove: fc.nat(3), which: fc.nat(100) });
    fc.assert(fc.property(fc.nat(100_000), fc.array(step, { maxLength: 40 }), (start, steps) => {
      const clock = new ManualClock();
      clock.advance(start);
      const deadlines = new Deadlines(clock);
      const entries: { readonly entry: Entry; readonly due: number; removed: boolean }[] = [];
      for (const { at: after, wait, remove, which } of steps) {
        const entry = new Entry(clock);
        const due = clock.now() + after;
        deadlines.add(entry, due);
        entries.push({ entry, due, removed: false });
        const victim = entries[which % entries.length];
        if (remove === 0 && victim !== undefined && victim.entry.told.length === 0) {
          deadlines.remove(victim.entry);
          victim.removed = true;
        }
        clock.advance(wait);
        const open = entries.filter((e) => !e.removed && e.entry.told.length === 0);
        assert.equal(deadlines.size, open.length);
        assert.ok(clock.timers <= 1);
      }
      clock.advance(40_000);
      for (const { entry, due, removed } of entries) {
        assert.equal(entry.told.length, removed ? 0 : 1);
        for (const told of entry.told) assert.ok(told >= due && told <= due + 2 * TICK_MS, `due ${due}, told ${told}`);
      }
      assert.deepEqual([deadlines.size, clock.timers], [0, 0], 'nothing is left');
    }));
  });

  it('may be as far off as gRPC can say: no timer is set to more than it can count', () => {
    const clock = new ManualClock();
    const delays: number[] = [];
    const watched = Object.assign(Object.create(clock) as ManualClock, {
      now: () => clock.now(),
      setTimer: (delayMs: number, fn: () => void) => {
        delays.push(delayMs);
        return clock.setTimer(delayMs, fn);
      },
    });
    const deadlines = new Deadlines(watched);
    const entry = new Entry(clock);
    deadlines.add(entry, 99_999_999 * 3_600_000);
    assert.ok(delays.length === 1 && delays.every((ms) => ms < 2 ** 31), `set to ${delays.join()} ms`);
    clock.advance(2 ** 31);
    assert.deepEqual([entry.told, deadlines.size, clock.timers], [[], 1, 1], 'it goes on waiting');
    deadlines.remove(entry);
  });

  it('have one timer for all, and set it seldom', () => {
    const clock = new ManualClock();
    let set = 0;
    const counting = Object.assign(Object.create(clock) as ManualClock, {
      now: () => clock.now(),
      setTimer: (ms: number, fn: () => void) => {
        set++;
        return clock.setTimer(ms, fn);
      },
    });
    const deadlines = new Deadlines(counting);
    for (let i = 0; i < 10_000; i++) {
      const entry = new Entry(clock);
      deadlines.add(entry, clock.now() + 5000);
      deadlines.remove(entry);
      if (i % 10 === 0) clock.advance(1);
    }
    assert.equal(set, 1);
  });

  it('one that is told may remove others that are due, and add new ones', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const entries = [new Entry(clock), new Entry(clock), new Entry(clock)];
    for (const entry of entries) {
      deadlines.add(entry, 10);
      entry.then = () => {
        for (const other of entries) deadlines.remove(other);
        deadlines.add(entry, 0);
        entry.then = undefined;
      };
    }
    clock.advance(12);
    assert.equal(entries.reduce((sum, { told }) => sum + told.length, 0), 1, 'the first removed the others');
    clock.advance(TICK_MS);
    assert.equal(entries.reduce((sum, { told }) => sum + told.length, 0), 2, 'and was told again, at the next tick');
  });

  it('a deadline of a year is no trouble, and nothing is told after stop', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const far = new Entry(clock);
    const near = new Entry(clock);
    deadlines.add(far, 365 * 86_400_000);
    deadlines.add(near, 10_000);
    clock.advance(9000);
    deadlines.stop();
    clock.advance(10_000);
    assert.deepEqual([near.told.length, far.told.length, clock.timers], [0, 0, 0]);
  });

  it('may be stopped by what is told, and added to after that', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const entries = [new Entry(clock), new Entry(clock), new Entry(clock)] as const;
    deadlines.add(entries[0], 10);
    deadlines.add(entries[1], 100);
    entries[0].then = () => deadlines.stop();
    clock.advance(12);
    deadlines.add(entries[2], 20);
    clock.advance(1000);
    assert.deepEqual(entries.map(({ told }) => told.length), [1, 0, 0]);
  });
});
