import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import { EarlyCampaign } from './early-campaign.js';

describe('an early campaign', () => {
  it('an election whose votes take long is not thrown away by another pre-election', () => {
    const clock = new ManualClock();
    let campaigns = 0;
    const member = new MemberState();
    const { leadership, membership } = member;
    const random = { uint32: () => 0, below: () => 0, float: () => 0 };
    const early = new EarlyCampaign(
      { leadership, campaign: () => void campaigns++ },
      { clock, random, electionTimeoutMs: 1_000, membership },
    );
    early.start(3);
    clock.advance(0);
    assert.equal(campaigns, 1);
    member.lead(0, 2, 'candidate');
    clock.advance(500);
    assert.equal(campaigns, 1, 'its votes are still being written');
    member.lead(0, 2, 'follower');
    clock.advance(200);
    assert.ok(campaigns > 1, 'it failed: another try');
  });
});
