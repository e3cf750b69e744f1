import assert from 'node:assert/strict';
import { must } from '../base/assert.js';
import { utf8 } from '../base/bytes.js';
import { newMessage } from './message.js';
import { RaftNode } from './node.js';
import { logOf, type MemoryLog } from './testing/memory-log.js';
import type { Entry, Message } from './types.js';

const VOTERS = { voters: [1, 2, 3] };
const ENTRY: Entry = { term: 1, index: 2, type: 'normal', data: utf8('x') };

function asyncNode(log: MemoryLog): RaftNode {
  const config = { id: 1, random: { float: () => 0 }, preVote: false, checkQuorum: false, asyncStorageWrites: true };
  return new RaftNode(config, log);
}

/** The write that this Ready asks for. */
function takeWrite(node: RaftNode): Message {
  return must(node.ready().messages.find((m) => m.type === 'MsgStorageAppend'), 'the Ready asks for a write');
}

/** The storage does it and answers. */
function finish(node: RaftNode, log: MemoryLog, write: Message): void {
  log.append(write.entries);
  for (const message of write.responses) node.step(message);
}

describe('raft asynchronous storage writes', () => {
  it('R2 a candidate is not helped by its own vote before that is durable', () => {
    const log = logOf([1], VOTERS);
    const node = asyncNode(log);
    node.campaign();
    const write = takeWrite(node);
    node.step(newMessage('MsgVoteResp', 2, 1, node.term));
    assert.equal(node.role, 'candidate');
    finish(node, log, write);
    assert.equal(node.role, 'leader');
  });

  it('R2 a leader does not count itself before its write is done', () => {
    const log = logOf([1], VOTERS);
    const node = asyncNode(log);
    node.campaign();
    finish(node, log, takeWrite(node));
    node.step(newMessage('MsgVoteResp', 2, 1, node.term));
    const write = takeWrite(node);
    node.step(Object.assign(newMessage('MsgAppResp', 2, 1, node.term), { index: 2 }));
    assert.equal(node.commit, 0);
    finish(node, log, write);
    assert.equal(node.commit, 2);
  });

  it('R2 a write that is reported as done, but is not there, is a broken invariant', () => {
    const node = asyncNode(logOf([1], VOTERS));
    node.step(Object.assign(newMessage('MsgApp', 2, 1, 1), { index: 1, logTerm: 1, entries: [ENTRY] }));
    const [written] = takeWrite(node).responses.filter(({ type }) => type === 'MsgStorageAppendResp');
    assert.throws(() => node.step(must(written, 'an answer')), /R2 entry 2 was written, but storage ends at 1/);
  });

  it('R3 an answer to a write of an earlier term makes nothing stable', () => {
    const log = logOf([1], VOTERS);
    const node = asyncNode(log);
    const append = Object.assign(newMessage('MsgApp', 2, 1, 1), {
      index: 1,
      logTerm: 1,
      entries: [ENTRY],
    });
    node.step(append);
    const early = takeWrite(node).responses;
    log.append(append.entries);
    node.step(Object.assign(newMessage('MsgApp', 3, 1, 2), { index: 2, logTerm: 1, commit: 2 }));
    const late = takeWrite(node).responses;
    for (const message of early) if (message.type === 'MsgStorageAppendResp') node.step(message);
    assert.equal(node.hasReady(), false, 'entry 2 is committed, but not known to be stable');
    for (const message of late) if (message.type === 'MsgStorageAppendResp') node.step(message);
    assert.deepEqual(node.ready().committedEntries.map((e) => e.index), [2]);
  });
});
