import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { newMessage } from './message.js';
import { RaftNode } from './node.js';
import { appliedText, Group } from './testing/group.js';
import { logOf } from './testing/memory-log.js';
import type { MessageType } from './types.js';

const ZERO = { float: () => 0 };

describe('raft node', () => {
  it('says nothing when nothing has changed', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    assert.deepEqual([1, 2, 3].map((id) => group.node(id).hasReady()), [false, false, false]);
    const ready = group.node(1).ready();
    assert.deepEqual([ready.softState, ready.hardState, ready.mustSync], [undefined, undefined, false]);
    assert.equal(ready.messages.length + ready.entries.length + ready.committedEntries.length, 0);
  });

  it('a commit index alone needs no sync', () => {
    const group = new Group([1, 2]);
    group.elect(1);
    group.node(1).propose(utf8('x'));
    group.pump(1);
    for (const message of group.queue) group.deliver(message);
    group.queue = [];
    group.pump(2);
    for (const message of group.queue) group.deliver(message);
    const ready = group.node(1).ready();
    assert.deepEqual([ready.hardState?.commit, ready.mustSync], [2, false]);
  });

  it('hands out one Ready at a time', () => {
    const group = new Group([1]);
    const node = group.node(1);
    node.campaign();
    const ready = node.ready();
    assert.throws(() => node.ready(), /advance\(\) comes between/);
    assert.throws(() => node.advance({ ...ready }), /advance\(\) takes what ready\(\) returned/);
    node.advance(ready);
    assert.throws(() => node.advance(ready), /advance\(\) takes what ready\(\) returned/);
  });

  it('takes input between ready() and advance() without losing it', () => {
    const group = new Group([1]);
    group.elect(1);
    const node = group.node(1);
    node.propose(utf8('a'));
    const ready = node.ready();
    node.propose(utf8('b'));
    group.member(1).storage.append(ready.entries);
    node.advance(ready);
    group.settle();
    assert.deepEqual(appliedText(group.member(1)), ['a', 'b']);
  });

  it('a follower forwards the proposals of one call in one message, and they stay neighbours', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.forget();
    group.node(2).proposeEntries(['a', 'b', 'c'].map(utf8));
    group.settle();
    assert.deepEqual(group.sentOf('MsgProp').map((m) => [m.from, m.to, m.term, m.entries.length]), [[2, 1, 0, 3]]);
    assert.deepEqual(appliedText(group.member(3)), ['a', 'b', 'c']);
  });

  it('drops proposals that cannot be placed', () => {
    const group = new Group([1, 2, 3], { disableProposalForwarding: true });
    assert.throws(() => group.node(1).propose(utf8('x')), { code: 'PROPOSAL_DROPPED' }, 'no leader');
    group.elect(1);
    assert.throws(() => group.node(2).propose(utf8('x')), { code: 'PROPOSAL_DROPPED' }, 'no forwarding');
    group.node(3).campaign();
    assert.throws(() => group.node(3).propose(utf8('x')), { code: 'PROPOSAL_DROPPED' }, 'candidate');
    const garbled = newMessage('MsgProp', 2, 1, 0);
    garbled.entries = [{ term: 0, index: 0, type: 'confChange', data: new Uint8Array([9, 9, 9]) }];
    assert.throws(() => group.node(1).step(garbled), { code: 'PROPOSAL_DROPPED' });
    assert.throws(() => group.node(1).step(newMessage('MsgProp', 2, 1, 0)), { code: 'PROPOSAL_DROPPED' });
  });

  it('refuses messages that have no business here', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    for (const type of ['MsgStorageAppend', 'MsgStorageApply', 'MsgStorageAppendResp', 'MsgStorageApplyResp'] as const) {
      assert.throws(() => group.node(1).step(newMessage(type, 2, 1, 1)), { code: 'LOCAL_MESSAGE' });
    }
    for (const type of ['MsgAppResp', 'MsgVoteResp', 'MsgHeartbeatResp', 'MsgReadIndexResp'] as const) {
      assert.throws(() => group.node(1).step(newMessage(type, 9, 1, 1)), { code: 'PEER_NOT_FOUND' });
    }
  });

  it('R1 R3 survives every message in every role without going back', () => {
    const types: MessageType[] = [
      'MsgProp', 'MsgApp', 'MsgAppResp', 'MsgVote', 'MsgVoteResp', 'MsgPreVote', 'MsgPreVoteResp',
      'MsgHeartbeat', 'MsgHeartbeatResp', 'MsgTimeoutNow', 'MsgTransferLeader', 'MsgReadIndex', 'MsgReadIndexResp',
    ];
    const roles = ['follower', 'preCandidate', 'candidate', 'leader'] as const;
    for (const role of roles) {
      for (const type of types) {
        for (const shift of [-1, 0, 1]) {
          const node = inRole(role);
          const before = { term: node.term, commit: node.commit };
          const fromLeader = type === 'MsgApp' || type === 'MsgHeartbeat';
          if (role === 'leader' && fromLeader && shift === 0) continue; // R1: asserted elsewhere
          const timeless = type === 'MsgProp' || type === 'MsgReadIndex';
          const message = newMessage(type, 2, 1, timeless ? 0 : node.term + shift);
          if (type === 'MsgProp') message.entries = [{ term: 0, index: 0, type: 'normal', data: utf8('p') }];
          try {
            node.step(message);
          } catch (error) {
            assert.equal((error as { code?: string }).code, 'PROPOSAL_DROPPED', `${role} ${type}: ${String(error)}`);
          }
          assert.ok(node.term >= before.term && node.commit >= before.commit, `${role} ${type}`);
          assert.equal(node.role, expectedRole(role, type, shift), `${role} gets ${type} of term ${shift}`);
        }
      }
    }
  });

  it('a leader that steps down keeps its term and leaves the election to others', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.node(2).stepDown();
    group.node(1).stepDown();
    assert.deepEqual([group.node(1).role, group.node(1).lead, group.node(1).term, group.node(1).vote], ['follower', 0, 1, 1]);
    assert.throws(() => group.node(1).propose(utf8('x')), { code: 'PROPOSAL_DROPPED' });
    group.elect(2);
  });

  it('hands out no more for applying than the limit, and at least one entry', () => {
    const group = new Group([1], { maxCommittedSizePerReady: 30 }, { 1: logOf([1, 1, 1, 1, 1], { voters: [1] }, { commit: 5 }) });
    const sizes: number[] = [];
    while (group.node(1).hasReady()) {
      const ready = group.node(1).ready();
      sizes.push(ready.committedEntries.length);
      group.node(1).advance(ready);
    }
    assert.deepEqual(sizes, [2, 2, 1]);
  });

  it('R3 starts only from a commit index that its log has', () => {
    const start = (commit: number, applied = 0) =>
      new RaftNode({ id: 1, random: ZERO, applied }, logOf([1, 1], { voters: [1] }, { commit }));
    assert.throws(() => start(3), /R3 stored commit 3/);
    assert.throws(() => start(1, 2), /R3 only committed entries are applied/);
    assert.equal(start(2, 2).applied, 2);
  });

  it('refuses settings that cannot work', () => {
    const make = (settings: object) => () => new RaftNode({ id: 1, random: ZERO, ...settings }, logOf([], {}));
    assert.throws(make({ id: 0 }), /id above 0/);
    assert.throws(make({ electionTick: 2, heartbeatTick: 2 }), /electionTick/);
    assert.throws(make({ readOnly: 'leaseBased', checkQuorum: false }), /checkQuorum/);
  });
});

function inRole(role: 'follower' | 'preCandidate' | 'candidate' | 'leader'): RaftNode {
  const group = new Group([1, 2, 3], { preVote: role === 'preCandidate' }, { 1: logOf([3], { voters: [1, 2, 3] }) });
  const node = group.node(1);
  if (role === 'leader') {
    group.elect(1);
  } else if (role !== 'follower') {
    node.campaign();
    group.pump(1);
  }
  assert.equal(node.role, role);
  return node;
}

/**
 * The role after a message from node 2 whose log is shorter; `shift` is its term against the
 * node's.
 */
function expectedRole(role: string, type: MessageType, shift: number): string {
  const timeless = type === 'MsgProp' || type === 'MsgReadIndex';
  // In three nodes one more vote than one's own wins.
  if (type === 'MsgVoteResp' && shift === 0 && role === 'candidate') return 'leader';
  if (type === 'MsgPreVoteResp' && role === 'preCandidate') return shift < 0 ? role : 'candidate';
  if (timeless || shift < 0) return role;
  if (shift > 0) {
    if (type === 'MsgPreVote' || type === 'MsgPreVoteResp') return role;
    return type === 'MsgTimeoutNow' ? 'candidate' : 'follower';
  }
  if (type === 'MsgTimeoutNow') return role === 'follower' ? 'candidate' : role;
  if (type === 'MsgApp' || type === 'MsgHeartbeat') return 'follower';
  return role;
}
