import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { TurnMeter, TurnTimes } from './turn-times.js';

describe('the work of a turn', () => {
  function turns(): { at: { now: number; slept: number; cpu: number }; asked: () => number; end: () => number } {
    const at = { now: 1_000, slept: 400, cpu: 300 };
    let asked = 0;
    const cpu = (): number => {
      asked++;
      return at.cpu;
    };
    const meter = new TurnMeter(at.now, at.slept, at.cpu);
    return { at, asked: () => asked, end: () => meter.end(at.now, at.slept, cpu) };
  }

  it('is what the loop did not sleep, and no more than the CPU time that was used', () => {
    const { at, end } = turns();
    Object.assign(at, { now: 1_100, slept: 490, cpu: 310 });
    assert.equal(end(), 10);
    Object.assign(at, { now: 1_200, cpu: 313 });
    assert.equal(end(), 3, 'the system gave the time to others');
    Object.assign(at, { now: 1_300, slept: 585, cpu: 390 });
    assert.equal(end(), 5, 'threads worked while the loop slept');
    Object.assign(at, { slept: 585.001 });
    assert.equal(end(), 0);
  });

  it('asks for the CPU time once in a millisecond, however many turns there are', () => {
    const { at, asked, end } = turns();
    for (let i = 0; i < 1_000; i++) {
      at.now += 1 / 128;
      at.cpu += 1 / 128;
      assert.equal(end(), 1 / 128);
    }
    assert.equal(asked(), Math.floor(1_000 / 128));
    Object.assign(at, { now: at.now + 50, cpu: at.cpu + 40 });
    const work = end();
    assert.ok(work >= 40 && work < 41, `${work} ms: of the turns before, a millisecond at most`);
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
