import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { LeaderLoss } from './leader-loss.js';

describe('a lost leader', () => {
  it('an election whose votes take long is not thrown away by another pre-election', () => {
    const clock = new ManualClock();
    let campaigns = 0;
    let electing = false;
    const random = { uint32: () => 0, below: () => 0, float: () => 0 };
    const loss = new LeaderLoss(
      { leaderKnown: () => false, electing: () => electing, campaign: () => void campaigns++ },
      { clock, random, electionTimeoutMs: 1_000, members: [1, 2, 3], self: 1 },
    );
    loss.start(3);
    clock.advance(0);
    assert.equal(campaigns, 1);
    electing = true;
    clock.advance(500);
    assert.equal(campaigns, 1, 'its votes are still being written');
    electing = false;
    clock.advance(200);
    assert.ok(campaigns > 1, 'it failed: another try');
  });
});
