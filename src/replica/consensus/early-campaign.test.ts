import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import { EarlyCampaign } from './early-campaign.js';

describe('an early campaign', () => {
  it('goes on, less often, where too few are left, and ends', () => {
    const clock = new ManualClock();
    const at: number[] = [];
    const { leadership, membership } = new MemberState();
    const random = { uint32: () => 0, below: () => 0, float: () => 0 };
    const candidate = { leadership, campaign: () => void at.push(clock.now()) };
    const early = new EarlyCampaign(candidate, { clock, random, electionTimeoutMs: 1_000, membership });
    const began = clock.now();
    early.start(3);
    clock.advance(60_000);
    const gaps = at.slice(1).map((time, i) => time - (at[i] as number));
    const eager = gaps.filter((_, i) => (at[i] as number) - began < 1_000);
    const later = gaps.filter((_, i) => (at[i] as number) - began >= 1_000);
    assert.ok(eager.length >= 5 && eager.every((gap) => gap <= 200), gaps.join());
    assert.ok(later.length >= 30 && later.every((gap) => gap >= 200 && gap <= 300), gaps.join());
    assert.ok((at.at(-1) as number) - began <= 10_300, String(at.at(-1)));
  });

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
