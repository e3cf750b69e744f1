import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { LeaderSight } from './leader-sight.js';
import { MemberState } from './testing/member-state.js';

describe('whether there is a leader for who asks for one', () => {
  it('a member that has just started may find one yet, for three election timeouts', () => {
    const clock = new ManualClock();
    const state = new MemberState();
    const sight = new LeaderSight(state.leadership, clock, 1_000);
    clock.advance(2_999);
    state.lead(0, 1, 'preCandidate');
    assert.equal(sight.hasLeader, true);
    clock.advance(1);
    assert.equal(sight.hasLeader, false, 'there was none');
  });

  it('one that was known less than three election timeouts ago counts', () => {
    const clock = new ManualClock();
    const state = new MemberState();
    const sight = new LeaderSight(state.leadership, clock, 1_000);
    state.lead(2, 1);
    assert.equal(sight.hasLeader, true);
    clock.advance(5_000);
    state.lead(0, 1);
    clock.advance(2_600);
    state.lead(0, 2, 'candidate');
    assert.equal(sight.hasLeader, true);
    clock.advance(399);
    assert.equal(sight.hasLeader, true);
    clock.advance(1);
    assert.equal(sight.hasLeader, false, 'an election that is not won begins nothing anew');
    state.lead(3, 3);
    assert.equal(sight.hasLeader, true);
  });
});
