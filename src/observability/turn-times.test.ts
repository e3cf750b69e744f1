import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { TurnTimes, workOf } from './turn-times.js';

describe('the work of a turn', () => {
  it('is what the loop did not sleep, and no more than the CPU time that was used', () => {
    const before = { now: 1_000, slept: 400, cpu: 300 };
    assert.equal(workOf(before, { now: 1_100, slept: 490, cpu: 310 }), 10);
    assert.equal(workOf(before, { now: 1_100, slept: 400, cpu: 303 }), 3, 'the system gave the time to others');
    assert.equal(workOf(before, { now: 1_100, slept: 495, cpu: 390 }), 5, 'threads worked while the loop slept');
    assert.equal(workOf(before, { now: 1_000, slept: 400.001, cpu: 300 }), 0);
  });

  it('is counted once for each turn', async () => {
    const times = new TurnTimes();
    const count = (): number => times.histogram.samples('x').find(({ metricName }) => metricName === 'x_count')?.value ?? 0;
    const before = count();
    for (let i = 0; i < 10; i++) await turn();
    assert.ok(count() - before >= 9 && count() - before <= 11, `${count() - before} turns`);
  });

  it('that is long falls into a bucket for long turns', async () => {
    const times = new TurnTimes();
    await turn();
    const start = process.cpuUsage();
    for (let used = 0; used < 30_000;) {
      const { user, system } = process.cpuUsage(start);
      used = user + system;
    }
    await turn();
    await turn();
    const upTo5 = times.histogram.samples('x').find(({ labels }) => labels['le'] === 0.005)?.value ?? 0;
    const all = times.histogram.samples('x').find(({ metricName }) => metricName === 'x_count')?.value ?? 0;
    assert.ok(all > upTo5);
  });
});
