import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { appliedText, Group } from './testing/group.js';
import type { Message } from './types.js';

/** Node 1 leads, and all know what is committed. */
function led(): Group {
  const group = new Group([1, 2, 3], { lazyCommit: true });
  group.elect(1);
  group.node(1).tellCommit(group.node(1).commit);
  group.settle();
  group.forget();
  return group;
}

const brief = ({ to, entries, commit }: Message): [number, number, number] => [to, entries.length, commit];

describe('raft: a commit index that leaves with the next entries', () => {
  it('R3 has no message of its own, and comes with the next append', () => {
    const group = led();
    group.node(1).propose(utf8('a'));
    group.settle();
    assert.deepEqual(group.sentOf('MsgApp').map(brief), [[2, 1, 1], [3, 1, 1]]);
    assert.deepEqual([1, 2, 3].map((id) => group.node(id).commit), [2, 1, 1]);
    group.forget();
    group.node(1).propose(utf8('b'));
    group.settle();
    assert.deepEqual(group.sentOf('MsgApp').map(brief), [[2, 1, 2], [3, 1, 2]]);
    assert.deepEqual([1, 2, 3].map((id) => group.node(id).commit), [3, 2, 2]);
  });

  it('R3 is told at once to the follower through which the entry came, and to no other', () => {
    const group = led();
    group.node(2).propose(utf8('a'));
    group.settle();
    assert.deepEqual(group.sentOf('MsgApp').map(brief), [[2, 1, 1], [3, 1, 1], [2, 0, 2]]);
    assert.deepEqual(appliedText(group.member(2)), ['a']);
    assert.deepEqual(appliedText(group.member(3)), []);
    group.forget();
    group.node(1).propose(utf8('b'));
    group.settle();
    assert.deepEqual(group.sentOf('MsgApp').map(brief), [[2, 1, 2], [3, 1, 2]], 'nobody waits at 2 any more');
  });

  it('R3 is told to whoever knows less when it is asked for, once', () => {
    const group = led();
    const leader = group.node(1);
    assert.equal(leader.untoldCommit, undefined);
    leader.propose(utf8('a'));
    group.settle();
    assert.equal(leader.untoldCommit, 2);
    group.forget();
    leader.tellCommit(2);
    group.settle();
    assert.deepEqual(group.sentOf('MsgApp').map(brief), [[2, 0, 2], [3, 0, 2]]);
    assert.deepEqual([2, 3].map((id) => appliedText(group.member(id))), [['a'], ['a']]);
    assert.equal(leader.untoldCommit, undefined);
    leader.tellCommit(2);
    assert.equal(leader.hasReady(), false);
  });

  it('R3 a follower that acknowledges after the commit can be told', () => {
    const group = led();
    const late: Message[] = [];
    group.lose = (m) => m.from === 3 && late.push(m) > 0;
    group.node(1).propose(utf8('a'));
    group.settle();
    group.node(1).tellCommit(2);
    group.settle();
    group.lose = () => false;
    for (const message of late) group.deliver(message);
    group.settle();
    assert.deepEqual([1, 2, 3].map((id) => group.node(id).commit), [2, 2, 2]);
  });

  it('R4 a read through a follower tells it what it has to wait for', () => {
    const group = led();
    group.node(1).propose(utf8('a'));
    group.settle();
    assert.equal(group.node(2).commit, 1);
    assert.equal(group.node(2).readIndex(utf8('r')), true);
    group.settle();
    assert.deepEqual(group.member(2).reads.map(({ index }) => index), [2]);
    assert.deepEqual(appliedText(group.member(2)), ['a']);
  });

  it('R4 also when the leader answers by its lease', () => {
    const group = new Group([1, 2, 3], { lazyCommit: true, readOnly: 'leaseBased', checkQuorum: true });
    group.elect(1);
    group.tick(1, 1);
    group.node(1).propose(utf8('a'));
    group.settle();
    group.forget();
    assert.equal(group.node(2).commit, 1);
    group.node(2).readIndex(utf8('r'));
    group.settle();
    assert.deepEqual(group.sentOf('MsgHeartbeat'), []);
    assert.deepEqual(group.member(2).reads.map(({ index }) => index), [2]);
    assert.deepEqual(appliedText(group.member(2)), ['a']);
  });

  it('R1 a leader that goes by a change tells the others that it is committed, before it is none any more', () => {
    const group = led();
    group.node(1).proposeConfChange({ transition: 'auto', changes: [{ type: 'remove', nodeId: 1 }] });
    group.settle();
    assert.equal(group.node(1).role, 'follower');
    assert.deepEqual([2, 3].map((id) => group.node(id).config.voters), [[2, 3], [2, 3]]);
  });
});
