import assert from 'node:assert/strict';
import { utf8 } from '../base/bytes.js';
import { newMessage } from './message.js';
import { RaftNode } from './node.js';
import { logOf, type MemoryLog } from './testing/memory-log.js';
import type { Message } from './types.js';

const VOTERS = { voters: [1, 2, 3] };

function asyncNode(log: MemoryLog): RaftNode {
  const config = { id: 1, random: { float: () => 0 }, preVote: false, checkQuorum: false, asyncStorageWrites: true };
  return new RaftNode(config, log);
}

/** The answers that the write asked for by this Ready will bring. */
function answers(node: RaftNode): readonly Message[] {
  return node.ready().messages.find((m) => m.type === 'MsgStorageAppend')?.responses ?? [];
}

describe('raft asynchronous storage writes', () => {
  it('R2 a candidate is not helped by its own vote before that is durable', () => {
    const node = asyncNode(logOf([1], VOTERS));
    node.campaign();
    const written = answers(node);
    node.step(newMessage('MsgVoteResp', 2, 1, node.term));
    assert.equal(node.role, 'candidate');
    for (const message of written) node.step(message);
    assert.equal(node.role, 'leader');
  });

  it('R2 a leader does not count itself before its write is done', () => {
    const node = asyncNode(logOf([1], VOTERS));
    node.campaign();
    answers(node).forEach((m) => node.step(m));
    node.step(newMessage('MsgVoteResp', 2, 1, node.term));
    const written = answers(node);
    node.step(Object.assign(newMessage('MsgAppResp', 2, 1, node.term), { index: 2 }));
    assert.equal(node.commit, 0);
    for (const message of written) node.step(message);
    assert.equal(node.commit, 2);
  });

  it('R3 an answer to a write of an earlier term makes nothing stable', () => {
    const log = logOf([1], VOTERS);
    const node = asyncNode(log);
    const append = Object.assign(newMessage('MsgApp', 2, 1, 1), {
      index: 1,
      logTerm: 1,
      entries: [{ term: 1, index: 2, type: 'normal' as const, data: utf8('x') }],
    });
    node.step(append);
    const early = answers(node);
    log.append(append.entries);
    node.step(Object.assign(newMessage('MsgApp', 3, 1, 2), { index: 2, logTerm: 1, commit: 2 }));
    const late = answers(node);
    for (const message of early) if (message.type === 'MsgStorageAppendResp') node.step(message);
    assert.equal(node.hasReady(), false, 'entry 2 is committed, but not known to be stable');
    for (const message of late) if (message.type === 'MsgStorageAppendResp') node.step(message);
    assert.deepEqual(node.ready().committedEntries.map((e) => e.index), [2]);
  });
});
