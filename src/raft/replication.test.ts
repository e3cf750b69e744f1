import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { newMessage } from './message.js';
import { appliedText, Group } from './testing/group.js';
import { logOf, type MemoryLog } from './testing/memory-log.js';
import type { Entry, Message } from './types.js';

const VOTERS = { voters: [1, 2, 3] };

function entry(term: number, index: number, size = 1): Entry {
  return { term, index, type: 'normal', data: new Uint8Array(size) };
}

function append(term: number, prev: readonly [term: number, index: number], entries: readonly Entry[], commit = 0): Message {
  return Object.assign(newMessage('MsgApp', 2, 1, term), { logTerm: prev[0], index: prev[1], entries, commit });
}

function terms(log: MemoryLog): number[] {
  return log.all.map((e) => e.term);
}

describe('raft replication', () => {
  it('several proposals of one call become one append message per follower', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.forget();
    group.node(1).proposeEntries(['a', 'b', 'c'].map(utf8));
    group.pump(1);
    assert.deepEqual(group.sentOf('MsgApp').map((m) => [m.to, m.entries.length]), [[2, 3], [3, 3]]);
    group.settle();
    for (const member of group.members.values()) assert.deepEqual(appliedText(member), ['a', 'b', 'c']);
  });

  it('followers that are level get the same list of entries', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.forget();
    group.node(1).proposeEntries(['a', 'b'].map(utf8));
    group.pump(1);
    const [one, two] = group.sentOf('MsgApp');
    assert.equal(one?.entries, two?.entries);
  });

  it('R3 a leader commits by counting only entries of its own term (paper, figure 8)', () => {
    const log = () => logOf([1, 2], VOTERS);
    const group = new Group([1, 2, 3], {}, { 1: log(), 2: logOf([1], VOTERS), 3: logOf([1], VOTERS) });
    group.lose = (m) => m.type === 'MsgApp';
    group.elect(1);
    // The follower acknowledges the old entry only: a majority has it, and still it is not
    // committed.
    group.lose = () => false;
    const ack = Object.assign(newMessage('MsgAppResp', 2, 1, group.node(1).term), { index: 2 });
    group.node(1).step(ack);
    assert.equal(group.node(1).matchOf(2), 2);
    assert.equal(group.node(1).commit, 0);
    group.node(1).step({ ...ack, index: 3 });
    assert.equal(group.node(1).commit, 3);
  });

  it('R2 a leader counts itself only after its write', () => {
    const group = new Group([1]);
    group.elect(1);
    group.node(1).propose(utf8('x'));
    const before = group.node(1).commit;
    const ready = group.node(1).ready();
    assert.deepEqual([ready.entries.length, ready.committedEntries.length], [1, 0]);
    group.member(1).storage.append(ready.entries);
    group.node(1).advance(ready);
    assert.equal(group.node(1).commit, before + 1);
  });

  it('R3 an append of entries that are there already does not cut the log', () => {
    const storage = logOf([1, 1, 1], VOTERS);
    const group = new Group([1], {}, { 1: storage });
    group.node(1).step(append(1, [0, 0], [entry(1, 1), entry(1, 2)]));
    group.pump(1);
    assert.deepEqual(terms(storage), [1, 1, 1]);
    group.node(1).step(append(2, [1, 1], [entry(1, 2), entry(2, 3)]));
    group.pump(1);
    assert.deepEqual(terms(storage), [1, 1, 2]);
  });

  it('R3 an append commits nothing beyond what it covers', () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1], VOTERS) });
    group.node(1).step(append(2, [1, 1], [entry(1, 2)], 3));
    assert.equal(group.node(1).commit, 2);
  });

  it('R3 an append below the commit index is answered with the commit index', () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1], VOTERS, { commit: 3 }) });
    group.node(1).step(append(2, [1, 1], [entry(2, 2)]));
    group.pump(1);
    assert.deepEqual(group.sentOf('MsgAppResp').map((m) => [m.index, m.reject]), [[3, false]]);
  });

  it("R3 an append below the commit index says nothing for the end of the log, which may not be the leader's", () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1, 1, 1], VOTERS, { commit: 3 }) });
    group.node(1).step(append(2, [1, 1], [entry(1, 2)]));
    group.pump(1);
    assert.deepEqual(group.sentOf('MsgAppResp').map((m) => [m.index, m.reject]), [[3, false]]);
  });

  it('R3 an acknowledgement of an earlier term counts for nothing, also with the same leader', () => {
    const group = new Group([1, 2, 3]);
    for (const id of [1, 2, 1]) group.elect(id);
    group.lose = () => true;
    const leader = group.node(1);
    const { lastIndex } = leader;
    leader.propose(utf8('a'));
    group.pump(1);
    for (const term of [leader.term - 1, leader.term]) {
      leader.step(Object.assign(newMessage('MsgAppResp', 2, 1, term), { index: lastIndex + 1 }));
      assert.equal(leader.matchOf(2), term === leader.term ? lastIndex + 1 : lastIndex);
    }
  });

  it('R3 an append with a gap is a broken invariant', () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1], VOTERS) });
    assert.throws(() => group.node(1).step(append(2, [1, 2], [entry(2, 4)])), /R3 log is contiguous/);
    assert.throws(() => group.node(1).step(append(2, [1, 2], [entry(2, 3), entry(2, 5)])), /R3 log is contiguous/);
  });

  it('MaxSizePerMsg bounds append messages, which have at least one entry', () => {
    const group = new Group([1, 2], { maxSizePerMsg: 100 });
    group.elect(1);
    group.lose = (m) => m.to === 2;
    group.node(1).proposeEntries([40, 40, 500, 30].map((n) => new Uint8Array(n)));
    group.settle();
    group.lose = () => false;
    group.node(1).reportUnreachable(2);
    group.forget();
    group.tick(1, 4);
    const sizes = group.sentOf('MsgApp').map((m) => m.entries.map((e) => e.data.length)).filter((list) => list.length > 0);
    assert.deepEqual(sizes, [[40], [40], [500], [30]]);
    assert.equal(group.node(2).commit, group.node(1).commit);
  });

  it('MaxInflightBytes pauses a follower until it answers', () => {
    const group = new Group([1, 2], { maxInflightBytes: 100 });
    group.elect(1);
    group.lose = (m) => m.to === 2;
    group.forget();
    for (let i = 0; i < 5; i++) group.node(1).propose(new Uint8Array(60));
    group.settle();
    assert.equal(group.sentOf('MsgApp').length, 2);
    assert.equal(group.node(1).status().progress?.get(2)?.paused, true);
    group.lose = () => false;
    group.tick(1, 2);
    assert.equal(group.node(2).lastIndex, 6);
  });

  it('MaxUncommittedSize drops proposals until earlier ones are applied, but never the first or empty ones', () => {
    const group = new Group([1, 2, 3], { maxUncommittedSize: 100 });
    group.elect(1);
    group.lose = () => true;
    const node = group.node(1);
    node.propose(new Uint8Array(150));
    assert.throws(() => node.propose(new Uint8Array(1)), { code: 'PROPOSAL_DROPPED' });
    node.propose(new Uint8Array(0));
    assert.equal(node.lastIndex, 3);
    group.settle();
    group.lose = () => false;
    group.tick(1, 3);
    assert.equal(node.status().uncommittedBytes, 0);
    node.propose(new Uint8Array(1));
  });

  it('a refusal that comes twice or late changes nothing', () => {
    const group = new Group([1, 2], {}, { 1: logOf([1, 1, 1], { voters: [1, 2] }), 2: logOf([1], { voters: [1, 2] }) });
    group.elect(1);
    const progress = () => group.node(1).status().progress?.get(2);
    const before = progress();
    assert.equal(before?.match, 4);
    const refusal = newMessage('MsgAppResp', 2, 1, group.node(1).term);
    Object.assign(refusal, { index: 3, reject: true, rejectHint: 1, logTerm: 1 });
    group.node(1).step(refusal);
    assert.deepEqual(progress(), before);
  });

  it('a follower far behind is probed at most once per term (paper, end of 5.3)', () => {
    const voters = { voters: [1, 2] };
    const long = logOf([1, ...Array<number>(50).fill(4), 5, 6], voters);
    const diverged = logOf([1, ...Array<number>(30).fill(2), ...Array<number>(15).fill(3)], voters);
    const group = new Group([1, 2], {}, { 1: long, 2: diverged });
    group.elect(1);
    assert.ok(group.sentOf('MsgAppResp', 1).filter((m) => m.reject).length <= 2);
    assert.deepEqual(terms(diverged), terms(long));
  });

  it('a node does not campaign while a snapshot waits to be installed', () => {
    const group = new Group([1], {}, { 1: logOf([1], VOTERS) });
    const snapshot = { metadata: { index: 9, term: 1, confState: group.node(1).config } };
    group.node(1).step(Object.assign(newMessage('MsgSnap', 2, 1, 2), { snapshot }));
    group.node(1).campaign();
    assert.equal(group.node(1).role, 'follower');
    group.pump(1);
    group.node(1).campaign();
    assert.equal(group.node(1).role, 'candidate');
    assert.equal(group.node(1).lastIndex, 9);
  });

  it('a snapshot that cannot be had now is asked for again', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = (m) => m.to === 3;
    for (const text of ['a', 'b', 'c']) group.node(1).propose(utf8(text));
    group.settle();
    group.member(1).storage.compact(4);
    group.member(1).storage.snapshotUnavailable = true;
    group.node(1).reportUnreachable(3);
    group.lose = () => false;
    group.tick(1, 2);
    assert.equal(group.sentOf('MsgSnap').length, 0);
    group.member(1).storage.snapshotUnavailable = false;
    group.tick(1, 2);
    assert.equal(group.sentOf('MsgSnap').length, 1);
    assert.equal(group.node(3).commit, 4);
    assert.equal(group.node(1).status().progress?.get(3)?.state, 'replicate');
  });

  it('a snapshot that failed is sent again, one that arrived is probed from', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.lose = (m) => m.to === 3;
    for (const text of ['a', 'b', 'c']) group.node(1).propose(utf8(text));
    group.settle();
    group.member(1).storage.compact(4);
    group.node(1).reportUnreachable(3);
    group.lose = (m) => m.type === 'MsgSnap';
    group.tick(1, 2);
    const progress = () => group.node(1).status().progress?.get(3);
    assert.deepEqual([progress()?.state, progress()?.pendingSnapshot], ['snapshot', 4]);
    group.node(1).reportSnapshot(3, false);
    assert.deepEqual([progress()?.state, progress()?.next, progress()?.paused], ['probe', 2, true]);
    group.tick(1);
    assert.equal(progress()?.state, 'snapshot');
    group.node(1).reportSnapshot(3, true);
    assert.deepEqual([progress()?.state, progress()?.next], ['probe', 5]);
  });

  it('reports about nodes that are not in question are ignored', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.node(1).reportSnapshot(9, true);
    group.node(1).reportUnreachable(9);
    group.node(2).reportUnreachable(1);
    assert.equal(group.node(1).status().progress?.get(2)?.state, 'replicate');
  });

  it('R3 a snapshot that does not reach beyond the commit index is ignored', () => {
    const group = new Group([1], {}, { 1: logOf([1, 1, 1], VOTERS, { commit: 2 }) });
    const snapshot = { metadata: { index: 2, term: 1, confState: group.node(1).config } };
    group.node(1).step(Object.assign(newMessage('MsgSnap', 2, 1, 2), { snapshot }));
    group.pump(1);
    assert.deepEqual(group.sentOf('MsgAppResp').map((m) => m.index), [2]);
    assert.equal(group.node(1).lastIndex, 3);
  });
});
