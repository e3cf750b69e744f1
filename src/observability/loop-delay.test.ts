import assert from 'node:assert/strict';
import { DelayHistogram } from './loop-delay.js';

describe('DelayHistogram', () => {
  it('tells delays of 4, 5 and 6 ms apart, and loses none', () => {
    const delays = new DelayHistogram();
    for (const ms of [0, 0.4, 3.9, 4.5, 5, 5.1, 49, 7_000]) delays.observe(ms / 1000);
    const samples = delays.samples('x');
    const upTo = (le: number | string): number | undefined => samples.find(({ labels }) => labels['le'] === le)?.value;
    assert.deepEqual(
      [0.001, 0.003, 0.004, 0.005, 0.006, 0.03, 0.05, 1, '+Inf'].map(upTo),
      [2, 2, 3, 5, 6, 6, 7, 7, 8],
    );
    assert.equal(samples.find(({ metricName }) => metricName === 'x_count')?.value, 8);
    assert.ok(Math.abs((samples.find(({ metricName }) => metricName === 'x_sum')?.value ?? 0) - 7.0679) < 1e-9);
  });
});
