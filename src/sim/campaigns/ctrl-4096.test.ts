import assert from 'node:assert/strict';
import { testPump } from '../testing/pump.js';
import { isCorrect } from './case-result.js';
import { CtrlPlacements, mustWait, PLACEMENTS } from './ctrl-4096.js';

describe('all placements of damage on four entries of three members', function () {
  this.timeout(60_000);

  it('are 2401 with a good copy of each entry and 1695 without', () => {
    const waits = Array.from({ length: PLACEMENTS }, (_, placement) => placement).filter(mustWait).length;
    assert.deepEqual([PLACEMENTS - waits, waits], [2401, 1695]);
  });

  it('R6 D1 a sample: what has a good copy is recovered, what has none is waited for, nothing is lost', async () => {
    const placements = await CtrlPlacements.prepare(testPump);
    const outcomes = new Set<string>();
    for (const placement of [0x000, 0x00f, 0x0f0, 0x842, 0x7a5, 0x961, 0x111, 0xfff, 0x8c8]) {
      const result = await placements.run(placement, testPump);
      assert.ok(isCorrect(result), `${placement.toString(16)}: ${JSON.stringify(result)}`);
      outcomes.add(result.outcome);
    }
    assert.deepEqual([...outcomes].sort(), ['recovered', 'waits']);
  });
});
