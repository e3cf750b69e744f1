import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { Env } from '../base/env.js';
import { ManualClock } from '../base/testing/manual-clock.js';
import { transferLeadership, type TransferParts } from './leadership-transfer.js';
import { MemberState } from './state/testing/member-state.js';

const ELECTION_MS = 300;

/** The leader of three, whose Raft core is the test's. */
class Leader {
  readonly clock = new ManualClock();
  readonly member = new MemberState().serve();
  readonly followers = new Map([2, 3].map((id) => [id, { state: 'replicate', recentActive: true, isLearner: false, match: 5 }]));
  readonly asked: number[] = [];
  /** What comes of asking. */
  whenAsked: (to: number) => void = (to) => this.member.lead(to, 5);

  constructor() {
    this.member.lead(1, 4);
  }

  follower(id: number, what: Partial<{ state: string; recentActive: boolean; match: number }>): void {
    Object.assign(this.followers.get(id) ?? {}, what);
  }

  async transfer(): Promise<boolean> {
    const driver = {
      node: { status: () => ({ progress: this.followers }) },
      transferLeader: (to: number) => {
        this.asked.push(to);
        this.whenAsked(to);
      },
    };
    const { leadership } = this.member;
    const env = { clock: this.clock } as unknown as Env;
    const parts = { env, electionMs: ELECTION_MS, leadership, driver, gossip: { of: () => undefined } };
    let over = false;
    const transfer = transferLeadership(parts as unknown as TransferParts).finally(() => (over = true));
    for (let ms = 0; !over && ms < 100 * ELECTION_MS; ms += 10) {
      await turn();
      this.clock.advance(10);
    }
    return transfer;
  }
}

describe('handing leadership over', () => {
  it('asks the follower that is furthest ahead first, whatever the order of the members', async () => {
    const leader = new Leader();
    leader.follower(3, { match: 9 });
    assert.equal(await leader.transfer(), true);
    assert.deepEqual(leader.asked, [3]);
  });

  it('asks the next one when the first does not take it', async () => {
    const leader = new Leader();
    leader.follower(3, { match: 9 });
    leader.whenAsked = (to) => {
      if (to === 2) leader.member.lead(2, 5);
    };
    assert.equal(await leader.transfer(), true);
    assert.deepEqual(leader.asked, [3, 2]);
  });

  it('asks the next one when the first stood for election and lost', async () => {
    const leader = new Leader();
    leader.whenAsked = (to) => {
      if (to === 3) return leader.member.lead(3, 7);
      leader.member.lead(0, 5, 'follower');
      leader.clock.setTimer(50, () => leader.member.lead(1, 6));
    };
    assert.equal(await leader.transfer(), true);
    assert.deepEqual(leader.asked, [2, 3]);
  });

  it('says no while nobody leads: whoever was asked did not win', async () => {
    const leader = new Leader();
    leader.whenAsked = () => leader.member.lead(0, 5, 'follower');
    assert.equal(await leader.transfer(), false);
    assert.deepEqual(leader.asked, [2]);
  });

  it('waits for a sign of life of somebody before it asks those that nothing was heard from', async () => {
    const leader = new Leader();
    leader.follower(2, { recentActive: false, match: 9 });
    leader.follower(3, { recentActive: false });
    leader.clock.setTimer(100, () => leader.follower(3, { recentActive: true }));
    assert.equal(await leader.transfer(), true);
    assert.deepEqual(leader.asked, [3]);
  });

  it('asks each one once, and ends when nobody takes it', async () => {
    const leader = new Leader();
    leader.follower(2, { recentActive: false });
    leader.follower(3, { state: 'probe', match: 9 });
    leader.whenAsked = () => undefined;
    assert.equal(await leader.transfer(), false);
    assert.deepEqual(leader.asked, [3, 2]);
    leader.followers.clear();
    assert.equal(await leader.transfer(), false, 'alone, and at once');
  });
});
