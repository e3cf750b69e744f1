import assert from 'node:assert/strict';
import { newMessage } from './message.js';
import { RaftNode } from './node.js';
import { Group } from './testing/group.js';
import { logOf, type MemoryLog } from './testing/memory-log.js';
import type { RaftConfig } from './config.js';
import type { Message, MessageType } from './types.js';

const VOTERS = { voters: [1, 2, 3] };

function single(log: MemoryLog, settings: Partial<RaftConfig> = {}, id = 1): RaftNode {
  return new RaftNode({ id, random: { float: () => 0 }, preVote: false, checkQuorum: false, ...settings }, log);
}

/** Handles all Ready and returns what was sent. */
function drain(node: RaftNode, log: MemoryLog): Message[] {
  const out: Message[] = [];
  while (node.hasReady()) {
    const ready = node.ready();
    if (ready.hardState !== undefined) log.hardState = ready.hardState;
    log.append(ready.entries);
    out.push(...ready.messages);
    node.advance(ready);
  }
  return out;
}

function voteRequest(from: number, term: number, index: number, logTerm: number, type: MessageType = 'MsgVote'): Message {
  return Object.assign(newMessage(type, from, 1, term), { index, logTerm });
}

describe('raft elections', () => {
  it('R1 a restarted node has the term, vote and commit index of its hard state', () => {
    const log = logOf([1, 1, 2], VOTERS, { term: 5, vote: 3, commit: 2 });
    const node = single(log);
    assert.deepEqual([node.term, node.vote, node.commit, node.lastIndex, node.role], [5, 3, 2, 3, 'follower']);
    const ready = node.ready();
    assert.equal(ready.hardState, undefined, 'nothing has changed');
    assert.deepEqual(ready.committedEntries.map((e) => e.index), [1, 2]);
  });

  it('R1 a node votes once per term, also across a restart', () => {
    const log = logOf([1], VOTERS);
    let node = single(log);
    node.step(voteRequest(2, 2, 1, 1));
    assert.deepEqual(drain(node, log).map((m) => [m.type, m.to, m.reject]), [['MsgVoteResp', 2, false]]);
    node = single(log);
    node.step(voteRequest(3, 2, 1, 1));
    node.step(voteRequest(2, 2, 1, 1));
    assert.deepEqual(drain(node, log).map((m) => [m.to, m.reject]), [[3, true], [2, false]]);
  });

  it('R2 a vote leaves only in a Ready that makes it durable', () => {
    const log = logOf([1], VOTERS);
    const node = single(log);
    node.step(voteRequest(2, 2, 1, 1));
    const ready = node.ready();
    assert.deepEqual(ready.hardState, { term: 2, vote: 2, commit: 0 });
    assert.equal(ready.mustSync, true);
    assert.equal(ready.messages.length, 1);
  });

  it('R2 a candidate counts its own vote only after advance()', () => {
    const log = logOf([1], { voters: [1] });
    const node = single(log);
    node.campaign();
    const ready = node.ready();
    assert.equal(node.role, 'candidate');
    log.hardState = ready.hardState!;
    node.advance(ready);
    assert.equal(node.role, 'leader');
  });

  it('a vote goes only to a log that is at least as up to date (paper 5.4.1)', () => {
    for (const [index, logTerm, granted] of [[3, 1, false], [1, 2, false], [2, 2, true], [1, 3, true]] as const) {
      const log = logOf([1, 2], VOTERS);
      const node = single(log);
      node.step(voteRequest(2, 9, index, logTerm));
      assert.equal(drain(node, log)[0]?.reject, !granted, `${logTerm}/${index}`);
    }
  });

  it('R1 no vote in a term whose leader is known', () => {
    const log = logOf([1], VOTERS, { term: 2 });
    const node = single(log);
    node.step(newMessage('MsgHeartbeat', 2, 1, 2));
    node.step(voteRequest(3, 2, 5, 2));
    assert.deepEqual(drain(node, log).filter((m) => m.type === 'MsgVoteResp').map((m) => m.reject), [true]);
  });

  it('a learner never campaigns, but votes', () => {
    const log = logOf([1], { voters: [2, 3], learners: [1] });
    const node = single(log);
    node.campaign();
    for (let i = 0; i < 50; i++) node.tick();
    assert.equal(node.role, 'follower');
    node.step(voteRequest(2, 2, 1, 1));
    assert.equal(drain(node, log)[0]?.reject, false);
  });

  it('refusals by a quorum end a candidacy', () => {
    const group = new Group([1, 2, 3], {}, { 1: logOf([1], VOTERS), 2: logOf([1, 2], VOTERS), 3: logOf([1, 2], VOTERS) });
    group.node(1).campaign();
    group.settle();
    assert.equal(group.node(1).role, 'follower');
    assert.equal(group.node(1).term, 2);
  });

  it('R1 a voter answers once: what it says later does not count', () => {
    const log = logOf([1], VOTERS);
    const node = single(log);
    node.campaign();
    drain(node, log);
    const answer = newMessage('MsgVoteResp', 2, 1, node.term);
    node.step({ ...answer, reject: true });
    node.step(answer);
    assert.equal(node.role, 'candidate');
    node.step({ ...answer, from: 3 });
    assert.equal(node.role, 'leader');
  });

  it('a lost pre-election leaves no trace (thesis 9.6)', () => {
    const logs = { 1: logOf([1], VOTERS), 2: logOf([1, 1], VOTERS), 3: logOf([1, 1], VOTERS) };
    const group = new Group([1, 2, 3], { preVote: true }, logs);
    group.node(1).campaign();
    group.settle();
    assert.deepEqual([...group.members.values()].map((m) => [m.node.term, m.node.role]), Array(3).fill([1, 'follower']));
    assert.equal(group.sentOf('MsgVote').length, 0);
  });

  it('with pre-vote, a node that was cut off does not disturb the leader when it returns', () => {
    const group = new Group([1, 2, 3], { preVote: true, checkQuorum: true });
    group.elect(1);
    group.lose = (m) => m.from === 3 || m.to === 3;
    for (let i = 0; i < 100; i++) group.tick(3);
    group.lose = () => false;
    group.tick(1);
    assert.deepEqual([group.node(1).role, group.node(3).role, group.node(1).term], ['leader', 'follower', 1]);
  });

  it('a leader that a quorum does not answer steps down (thesis 6.2)', () => {
    const group = new Group([1, 2, 3], { checkQuorum: true, electionTick: 5 });
    group.elect(1);
    group.lose = () => true;
    group.tick(1, 10);
    assert.equal(group.node(1).role, 'follower');
  });

  it('election timeouts are drawn from [electionTick, 2 * electionTick) at every change of role', () => {
    for (const [random, expected] of [[0, 7], [0.5, 10], [0.999, 13]] as const) {
      const node = single(logOf([1], VOTERS), { electionTick: 7, random: { float: () => random } });
      let ticks = 0;
      while (node.role === 'follower') {
        node.tick();
        ticks++;
      }
      assert.equal(ticks, expected);
    }
  });

  it('R5 a node that knows its log to be damaged neither votes nor campaigns', () => {
    const log = logOf([1], VOTERS);
    const node = single(log);
    node.setMayVote(false);
    node.campaign();
    node.step(voteRequest(2, 2, 9, 9));
    node.step(voteRequest(2, 3, 9, 9, 'MsgPreVote'));
    assert.deepEqual(drain(node, log).map((m) => m.reject), [true, true]);
    assert.equal(node.vote, 0);
    node.setMayVote(true);
    node.step(voteRequest(2, 2, 9, 9));
    assert.deepEqual(drain(node, log).map((m) => m.reject), [false]);
  });

  it('with lease-based reads, a voter that was restarted honours the lease it may have forgotten', () => {
    const settings: Partial<RaftConfig> = { checkQuorum: true, readOnly: 'leaseBased', electionTick: 5 };
    const node = single(logOf([1], VOTERS, { term: 3 }), settings);
    node.step(voteRequest(2, 4, 9, 9));
    assert.equal(node.term, 3);
    for (let i = 0; i < 4; i++) node.tick();
    node.step(voteRequest(2, 4, 9, 9));
    assert.equal(node.term, 3);
    const fresh = single(logOf([], VOTERS), settings);
    fresh.step(voteRequest(2, 4, 9, 9));
    assert.equal(fresh.term, 4, 'a node that has seen no term has promised nothing');
  });

  it('with lease-based reads, nobody campaigns while it hears the leader', () => {
    const group = new Group([1, 2, 3], { checkQuorum: true, readOnly: 'leaseBased' });
    group.elect(1);
    group.node(2).campaign();
    assert.equal(group.node(2).role, 'follower');
    group.node(2).forgetLeader();
    assert.equal(group.node(2).lead, 1);
    group.lose = (m) => m.from === 1 || m.to === 1;
    for (let i = 0; i < 30 && !group.node(2).isLeader; i++) {
      group.tick(3);
      group.tick(2);
    }
    assert.equal(group.node(2).isLeader || group.node(3).isLeader, true, 'but when it is silent, somebody does');
  });

  it('a node does not campaign while a configuration change is committed but not applied', () => {
    const log = logOf([1, 1], VOTERS, { commit: 2 });
    log.append([{ term: 1, index: 2, type: 'confChange', data: new Uint8Array(0) }]);
    const node = single(log);
    node.campaign();
    assert.equal(node.role, 'follower');
    assert.equal(single(log, { applied: 2 }).lastIndex, 2);
    const after = single(log, { applied: 2 });
    after.campaign();
    assert.equal(after.role, 'candidate');
  });

  it('R1 a second leader in one term is a broken invariant, not a message to ignore', () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    assert.throws(() => group.node(1).step(newMessage('MsgApp', 2, 1, 1)), /R1 one leader per term/);
    assert.throws(() => group.node(2).step(newMessage('MsgHeartbeat', 3, 2, 1)), /R1 one leader per term/);
  });
});
