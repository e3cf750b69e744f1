import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { Group } from './testing/group.js';
import { logOf } from './testing/memory-log.js';

const SETTINGS = { preVote: true, checkQuorum: true } as const;

describe('raft leadership transfer', () => {
  it('an up-to-date target takes over at once, past pre-vote and leases (thesis 3.10)', () => {
    const group = new Group([1, 2, 3], SETTINGS);
    group.elect(1);
    group.tick(1);
    group.node(1).transferLeader(3);
    group.settle();
    assert.equal(group.node(3).isLeader, true);
    assert.equal(group.sentOf('MsgPreVote', 1).filter((m) => m.from === 3).length, 0);
    assert.deepEqual(group.sentOf('MsgVote').filter((m) => m.from === 3).map((m) => m.force), [true, true]);
  });

  it('a target that lags behind gets the entries first', () => {
    const group = new Group([1, 2, 3], SETTINGS);
    group.elect(1);
    group.lose = (m) => m.to === 3;
    group.node(1).propose(utf8('x'));
    group.settle();
    group.node(1).reportUnreachable(3);
    group.lose = () => false;
    group.node(1).transferLeader(3);
    assert.equal(group.node(1).leadTransferee, 3);
    group.settle();
    assert.equal(group.node(3).isLeader, true);
  });

  it('a follower passes the wish on to the leader', () => {
    const group = new Group([1, 2, 3], SETTINGS);
    group.elect(1);
    group.node(2).transferLeader(2);
    group.settle();
    assert.deepEqual(group.sentOf('MsgTransferLeader').map((m) => [m.from, m.to, m.term]), [[2, 1, 1]], 'for this term only');
    assert.equal(group.node(2).isLeader, true);
  });

  it('no proposals are taken meanwhile, and after an election timeout the transfer is given up', () => {
    const group = new Group([1, 2, 3], { electionTick: 5 });
    group.elect(1);
    group.lose = (m) => m.to === 3 || m.from === 3;
    group.node(1).transferLeader(3);
    group.settle();
    assert.throws(() => group.node(1).propose(utf8('x')), { code: 'PROPOSAL_DROPPED' });
    group.tick(1, 5);
    assert.equal(group.node(1).leadTransferee, 0);
    group.node(1).propose(utf8('x'));
  });

  it('a transfer to oneself, to a learner or to an unknown node is no transfer', () => {
    const conf = { voters: [1, 2], learners: [3] };
    const group = new Group([1, 2, 3], {}, { 1: logOf([], conf), 2: logOf([], conf), 3: logOf([], conf) });
    group.elect(1);
    for (const to of [1, 3, 9]) {
      group.node(1).transferLeader(to);
      assert.equal(group.node(1).leadTransferee, 0, `to ${to}`);
    }
    assert.equal(group.sentOf('MsgTimeoutNow').length, 0);
  });

  it('a later wish replaces an earlier one, and a transfer to oneself ends it', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = () => true;
    group.node(1).propose(utf8('x'));
    group.node(1).transferLeader(2);
    group.node(1).transferLeader(3);
    assert.equal(group.node(1).leadTransferee, 3);
    group.node(1).transferLeader(1);
    assert.equal(group.node(1).leadTransferee, 0);
  });

  it('a transfer ends when its target is removed', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.node(1).proposeConfChange({ transition: 'auto', changes: [{ type: 'remove', nodeId: 3 }] });
    group.lose = (m) => m.to === 3;
    group.node(1).transferLeader(3);
    group.settle();
    assert.deepEqual(group.node(1).config.voters, [1, 2]);
    assert.equal(group.node(1).leadTransferee, 0);
  });
});
