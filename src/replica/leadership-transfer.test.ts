import assert from 'node:assert/strict';
import type { Env } from '../base/env.js';
import { ManualClock } from '../base/testing/manual-clock.js';
import { transferLeadership, type TransferParts } from './leadership-transfer.js';
import { MemberState } from './state/testing/member-state.js';

describe('handing leadership over', () => {
  it('asks the follower that is furthest ahead first, whatever the order of the members', async () => {
    const member = new MemberState().serve();
    member.lead(1, 4);
    const follower = { state: 'replicate', recentActive: true, isLearner: false };
    const progress = new Map([[2, { ...follower, match: 5 }], [3, { ...follower, match: 9 }]]);
    const asked: number[] = [];
    const driver = {
      node: { status: () => ({ progress }) },
      transferLeader: (to: number) => {
        asked.push(to);
        member.lead(to, 5);
      },
    };
    const parts = {
      env: { clock: new ManualClock() } as unknown as Env, electionMs: 300, leadership: member.leadership, driver,
      gossip: { of: () => undefined },
    } as unknown as TransferParts;
    assert.equal(await transferLeadership(parts), true);
    assert.deepEqual(asked, [3]);
  });
});
