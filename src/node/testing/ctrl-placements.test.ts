import assert from 'node:assert/strict';
import { makeTemplate, mustWait, PLACEMENTS, runPlacement } from './ctrl-placements.js';

describe('all placements of damage on four entries of three members', function () {
  this.timeout(120_000);

  it('are 2401 with a good copy of each entry and 1695 without', () => {
    const waits = Array.from({ length: PLACEMENTS }, (_, placement) => placement).filter(mustWait).length;
    assert.deepEqual([PLACEMENTS - waits, waits], [2401, 1695]);
  });

  it('R6 D1 a sample: what has a good copy is recovered, what has none is waited for, nothing is lost', async () => {
    const template = await makeTemplate();
    const sample = [0x000, 0x00f, 0x0f0, 0x842, 0x7a5, 0x961, 0x111, 0xfff, 0x8c8];
    const outcomes = await Promise.all(sample.map((placement) => runPlacement(template, placement)));
    sample.forEach((placement, i) => assert.equal(outcomes[i], mustWait(placement) ? 'waits' : 'recovered', placement.toString(16)));
    assert.ok(new Set(outcomes).size === 2);
  });
});
