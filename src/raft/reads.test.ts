import assert from 'node:assert/strict';
import { utf8, fromUtf8 } from '../base/bytes.js';
import { Group } from './testing/group.js';
import { logOf } from './testing/memory-log.js';
import { ReadOnly } from './read-only.js';

function reads(group: Group, id: number): [string, number][] {
  return group.member(id).reads.map((r) => [fromUtf8(r.context), r.index]);
}

describe('raft linearizable reads', () => {
  it('R4 a read is answered with the commit index of its arrival, after a round of heartbeats', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    assert.equal(group.node(1).readIndex(utf8('a')), true);
    group.pump(1);
    assert.deepEqual(reads(group, 1), [], 'not before a quorum has answered');
    group.node(1).propose(utf8('later'));
    group.settle();
    assert.deepEqual(reads(group, 1), [['a', 1]]);
  });

  it('R4 a leader that was replaced without noticing answers no read', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = (m) => m.from === 1 || m.to === 1;
    group.elect(2);
    group.node(2).propose(utf8('x'));
    group.node(1).readIndex(utf8('stale'));
    group.settle();
    group.tick(1, 3);
    assert.equal(group.node(1).role, 'leader', 'it does not know');
    assert.deepEqual(reads(group, 1), []);
  });

  it('R4 a new leader postpones reads until it has committed an entry of its term', () => {
    const logs = { 1: logOf([1, 1], { voters: [1, 2, 3] }), 2: logOf([1, 1], { voters: [1, 2, 3] }) };
    const group = new Group([1, 2, 3], {}, logs);
    group.lose = (m) => m.type === 'MsgApp';
    group.elect(1);
    group.node(1).readIndex(utf8('early'));
    group.settle();
    assert.deepEqual(reads(group, 1), []);
    group.lose = () => false;
    group.tick(1, 3);
    assert.deepEqual(reads(group, 1), [['early', 3]]);
  });

  it('R4 also the only voter postpones reads until it has committed in its term', () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1], { voters: [1] }, { commit: 1 }) });
    group.node(1).campaign();
    for (let i = 0; group.node(1).role !== 'leader' && i < 5; i++) group.pump(1);
    group.node(1).readIndex(utf8('r'));
    group.settle();
    assert.deepEqual(reads(group, 1), [['r', 4]]);
  });

  it('a follower passes a read on and gets the answer', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    assert.equal(group.node(3).readIndex(utf8('f')), true);
    group.settle();
    assert.deepEqual(reads(group, 3), [['f', 1]]);
  });

  it('a learner passes a read on, too, and its heartbeat answer confirms nothing', () => {
    const conf = { voters: [1, 2], learners: [3] };
    const group = new Group([1, 2, 3], {}, { 1: logOf([], conf), 2: logOf([], conf), 3: logOf([], conf) });
    group.elect(1);
    group.node(3).readIndex(utf8('l'));
    group.settle();
    assert.deepEqual(reads(group, 3), [['l', 1]]);
    group.lose = (m) => m.from === 2;
    group.node(1).readIndex(utf8('q'));
    group.settle();
    assert.deepEqual(reads(group, 1), []);
  });

  it('a read without a known leader is turned away at once', () => {
    const group = new Group([1, 2, 3]);
    assert.equal(group.node(1).readIndex(utf8('x')), false);
  });

  it('reads that arrive before the heartbeats have left share their round', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.forget();
    for (const name of ['a', 'b', 'c']) group.node(1).readIndex(utf8(name));
    group.pump(1);
    group.node(1).readIndex(utf8('d'));
    group.settle();
    assert.equal(group.sentOf('MsgHeartbeat').length, 4, 'two rounds to two followers');
    assert.deepEqual(reads(group, 1).map(([name]) => name), ['a', 'b', 'c', 'd']);
  });

  it('R4 an answer to an earlier round does not confirm a later read', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.tick(1);
    group.node(1).tick();
    group.pump(1);
    group.queue.filter((m) => m.to !== 1).forEach((m) => group.deliver(m));
    group.queue = [];
    group.pump(2);
    group.pump(3);
    const late = group.queue;
    group.queue = [];
    group.node(1).readIndex(utf8('r'));
    group.pump(1);
    for (const message of late) group.deliver(message);
    group.pump(1);
    assert.deepEqual(reads(group, 1), []);
    group.settle();
    assert.deepEqual(reads(group, 1), [['r', 1]]);
  });

  it('a later round confirms a read whose own heartbeats were lost', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = (m) => m.type === 'MsgHeartbeat';
    group.node(1).readIndex(utf8('r'));
    group.settle();
    group.lose = () => false;
    group.tick(1);
    assert.deepEqual(reads(group, 1), [['r', 1]]);
  });

  it('reads beyond the bound are turned away', () => {
    const group = new Group([1, 2, 3], { maxPendingReads: 2 });
    group.elect(1);
    group.lose = () => true;
    assert.deepEqual(['a', 'b', 'c'].map((name) => group.node(1).readIndex(utf8(name))), [true, true, false]);
  });

  it('a change of leader forgets the reads that wait', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = (m) => m.type === 'MsgHeartbeat';
    group.node(1).readIndex(utf8('r'));
    group.settle();
    group.lose = () => false;
    group.elect(2);
    group.elect(1);
    group.tick(1, 2);
    assert.deepEqual(reads(group, 1), []);
  });
});

describe('raft lease-based reads', () => {
  const settings = { checkQuorum: true, readOnly: 'leaseBased', electionTick: 5 } as const;

  it('R4 a read within the lease needs no round', () => {
    const group = new Group([1, 2, 3], settings);
    group.elect(1);
    group.tick(1);
    group.forget();
    group.node(1).readIndex(utf8('r'));
    group.pump(1);
    assert.deepEqual(reads(group, 1), [['r', 1]]);
    assert.equal(group.sentOf('MsgHeartbeat').length, 0);
  });

  it('R4 when the lease has run out, a read needs a round again', () => {
    const group = new Group([1, 2, 3], settings);
    group.elect(1);
    group.tick(1);
    group.lose = () => true;
    group.tick(1, 3);
    group.node(1).readIndex(utf8('in time'));
    group.tick(1, 1);
    assert.equal(group.node(1).role, 'leader');
    group.node(1).readIndex(utf8('too late'));
    group.settle();
    assert.deepEqual(reads(group, 1), [['in time', 1]]);
  });

  it('R4 a leader that has asked another to take over trusts its lease no more', () => {
    const group = new Group([1, 2, 3], settings);
    group.elect(1);
    group.tick(1);
    group.node(1).transferLeader(2);
    group.pump(1);
    group.queue = group.queue.filter((m) => m.type !== 'MsgTimeoutNow');
    group.node(1).readIndex(utf8('r'));
    group.pump(1);
    assert.deepEqual(reads(group, 1), []);
    group.settle();
    assert.deepEqual(reads(group, 1), [['r', 1]], 'a round still confirms it');
  });

  it('R4 rounds of an earlier leadership give no lease', () => {
    const lease = new ReadOnly(10, 5);
    const round = lease.startRound();
    assert.equal(lease.leaseHolds(round), true);
    lease.reset();
    assert.equal(lease.leaseHolds(round), false);
    assert.equal(lease.leaseHolds(lease.startRound()), true);
  });

  it('R4 a lease from a round holds for electionTick - 2 ticks', () => {
    const lease = new ReadOnly(10, 5);
    for (let i = 0; i < 7; i++) lease.tick();
    const round = lease.startRound();
    const held: boolean[] = [];
    for (let i = 0; i < 5; i++) {
      held.push(lease.leaseHolds(round));
      lease.tick();
    }
    assert.deepEqual(held, [true, true, true, true, false]);
  });
});
