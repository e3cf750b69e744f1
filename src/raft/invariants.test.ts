/**
 * The assertions of the core, each shown to fire. What a peer could cause is not here: that is an
 * error, or ignored.
 */

import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { simpleChange } from './confchange.js';
import { newMessage } from './message.js';
import { Progress } from './progress.js';
import { majorityVote } from './quorum.js';
import { ReadOnly } from './read-only.js';
import { RaftState } from './state.js';
import { encodeMessages } from './testing/encode-messages.js';
import { logOf } from './testing/memory-log.js';
import { Unstable } from './unstable.js';
import type { Entry, Role } from './types.js';

const ENTRY: Entry = { term: 1, index: 1, type: 'normal', data: utf8('x') };

/** A voter of three, brought into a role by the only way there is. */
function inRole(role: Role): RaftState {
  const raft = new RaftState({ id: 1, random: { float: () => 0 } }, logOf([1], { voters: [1, 2, 3] }));
  if (role === 'preCandidate') raft.becomePreCandidate();
  if (role === 'candidate' || role === 'leader') raft.becomeCandidate();
  if (role === 'leader') raft.becomeLeader();
  assert.equal(raft.role, role);
  return raft;
}

const BECOME: Record<Role, (raft: RaftState) => void> = {
  follower: (raft) => raft.becomeFollower(raft.term, 2),
  preCandidate: (raft) => raft.becomePreCandidate(),
  candidate: (raft) => raft.becomeCandidate(),
  leader: (raft) => raft.becomeLeader(),
};

const ROLES = Object.keys(BECOME) as Role[];

describe('raft invariants', () => {
  it('R1 only a candidate becomes a leader, and a leader becomes nothing but a follower', () => {
    const refused: string[] = [];
    for (const from of ROLES) {
      for (const to of ROLES) {
        const raft = inRole(from);
        try {
          BECOME[to](raft);
          assert.equal(raft.role, to);
        } catch (error) {
          assert.match(String(error), new RegExp(`R1 a ${from} does not become a ${to}`));
          assert.equal(raft.role, from, 'nothing has changed');
          refused.push(`${from} ${to}`);
        }
      }
    }
    assert.deepEqual(refused, [
      'follower leader', 'preCandidate leader', 'leader preCandidate', 'leader candidate', 'leader leader',
    ]);
  });

  it('R1 a learner, and a node whose log is damaged, does not even ask for pre-votes', () => {
    const learner = new RaftState({ id: 4, random: { float: () => 0 } }, logOf([1], { voters: [1], learners: [4] }));
    assert.throws(() => learner.becomePreCandidate(), /R1 only a voter/);
    const damaged = inRole('follower');
    damaged.mayVote = false;
    assert.throws(() => damaged.becomePreCandidate(), /R1 only a voter/);
  });

  it('R1 a vote is given once, and terms do not go back', () => {
    const raft = inRole('candidate');
    assert.throws(() => raft.castVote(2), /R1 one vote per term: 1, then 2/);
    assert.throws(() => raft.becomeFollower(raft.term - 1, 0), /R1 the term does not go back/);
    assert.throws(() => inRole('leader').follow(2), /R1 a leader does not follow 2/);
    assert.throws(() => majorityVote(3, 2, 2), /R1 nobody votes twice/);
  });

  it('R2 nothing is sent of a term that the node is not in', () => {
    const raft = inRole('follower');
    assert.throws(() => raft.send(newMessage('MsgHeartbeatResp', 1, 2, raft.term + 1)), /R2 MsgHeartbeatResp of term 2/);
    raft.send(newMessage('MsgPreVote', 1, 2, raft.term + 1));
  });

  it('R2 only what was handed out for writing can have been written', () => {
    const unstable = new Unstable(1);
    unstable.truncateAndAppend([ENTRY], 0);
    assert.throws(() => unstable.stableTo(1, 1), /R2 entry 1 was never handed out/);
    unstable.accept();
    assert.equal(unstable.stableTo(1, 1), true);
    assert.throws(() => unstable.slice(1, 2), /R3 entries 1 to 2 are unstable, from 2/);
  });

  it('R3 a follower is sent no commit index beyond what it has, and nothing while it waits for a snapshot', () => {
    const peer = new Progress(2, 5, 8, Infinity);
    assert.throws(() => peer.sentHeartbeat(1), /R3 a heartbeat commits only what node 2 has/);
    peer.becomeSnapshot(9);
    assert.throws(() => peer.sentAppend(1, 1, 0), /while a snapshot is on its way/);
    assert.throws(() => peer.becomeSnapshot(9), /while it is waited for/);
    assert.throws(() => peer.reset(5, 5), /R3 match < next/);
    peer.becomeReplicate();
    peer.inflights.add(7, 1);
    assert.throws(() => peer.inflights.add(7, 1), /R3 appends in flight follow each other/);
  });

  it('R3 a configuration change that may be under way is in the log of a leader', () => {
    assert.throws(() => inRole('leader').setPendingConfIndex(2), /R3 a pending change at 2 is in the log/);
    assert.throws(() => inRole('follower').setPendingConfIndex(1), /only a leader/);
    assert.throws(() => inRole('follower').addUncommitted(1), /only a leader/);
  });

  it('R4 a read joins no round whose heartbeats have left', () => {
    const reads = new ReadOnly(2, 10);
    const request = { from: 1, context: utf8('r') };
    assert.throws(() => reads.add(3, request), /R4 a read shares only a round/);
    reads.startRound();
    reads.add(3, request);
    assert.throws(() => reads.add(2, request), /R4 a later read/);
    reads.add(3, request);
    assert.throws(() => reads.add(3, request), /has a bound/);
    assert.throws(() => reads.postpone(request), /has a bound/);
  });

  it('a change that leaves no voter is refused before it could be asserted', () => {
    const one = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    assert.throws(() => simpleChange(one, [{ type: 'remove', nodeId: 1 }]), { code: 'INVALID_CONF_CHANGE' });
  });

  it('what the decoder would refuse is not encoded', () => {
    const append = newMessage('MsgApp', 1, 2, 3);
    assert.throws(() => encodeMessages([{ ...append, to: 0 }]), /has a sender and a recipient/);
    assert.throws(() => encodeMessages([{ ...append, reject: true }]), /no answer/);
    assert.throws(() => encodeMessages([{ ...append, force: true }]), /cannot be forced/);
    assert.throws(() => encodeMessages([{ ...append, type: 'MsgSnap' }]), /without a snapshot/);
  });
});
