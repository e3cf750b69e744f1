import assert from 'node:assert/strict';
import { decodeMessages } from '../../../raft/message-codec.js';
import { newMessage } from '../../../raft/message.js';
import type { Message } from '../../../raft/types.js';
import { raftFrames } from '../../../replica/wire/frame.js';
import { encodeTreeOp } from '../../../replica/entry/entry.js';
import { MESSAGE_TYPES, RaftFrameReader, TREE_ENTRY } from './raft-frames.js';

const confState = { voters: [1, 2, 3], votersOutgoing: [], learners: [9], learnersNext: [], autoLeave: false };

function samples(): Message[] {
  const data = (length: number): Uint8Array => new Uint8Array(length).fill(7);
  const messages: Message[] = [];
  for (const type of MESSAGE_TYPES) {
    const term = type === 'MsgProp' || type === 'MsgReadIndex' ? 0 : 2 ** 40;
    const message = newMessage(type, 1, 300, term);
    message.context = data(3);
    message.round = 5;
    if (type === 'MsgSnap') message.snapshot = { metadata: { index: 700, term: 3, confState }, data: data(200) };
    if (type === 'MsgProp') message.entries = [{ term: 0, index: 0, type: 'normal', data: data(130) }];
    if (type === 'MsgApp') {
      message.logTerm = 3;
      message.index = 128;
      message.commit = 2 ** 33;
      message.entries = [
        { term: 3, index: 129, type: 'normal', data: data(0) },
        { term: 5, index: 130, type: 'normal', data: encodeTreeOp({ kind: 'abandon', plan: 9 }) },
      ];
    }
    if (type === 'MsgAppResp' || type === 'MsgVoteResp') {
      message.index = 77;
      message.reject = type === 'MsgVoteResp';
      message.rejectHint = type === 'MsgVoteResp' ? 12 : 0;
    }
    messages.push(message);
  }
  return messages;
}

describe('the reader of frames', () => {
  it('sees of each message what the codec sees', () => {
    const reader = new RaftFrameReader();
    const seen = new Set<string>();
    for (const { bytes } of raftFrames(samples(), Infinity)) {
      assert.ok(reader.open(bytes));
      for (const message of decodeMessages(bytes.subarray(1))) {
        assert.ok(reader.next());
        const { type, treeOps, ...head } = reader.head;
        assert.equal(treeOps, message.entries.some(({ data }) => data[0] === TREE_ENTRY));
        assert.equal(MESSAGE_TYPES[type], message.type);
        const { from, to, term, logTerm, index, commit, reject, entries, round } = message;
        assert.deepEqual(head, { from, to, term, logTerm, index, commit, reject, entries: entries.length, round });
        seen.add(message.type);
      }
      assert.equal(reader.next(), false);
    }
    assert.equal(seen.size, MESSAGE_TYPES.length);
  });

  it('takes no other frame, and ends with a frame that is cut off', () => {
    const reader = new RaftFrameReader();
    assert.equal(reader.open(Uint8Array.of(2, 1, 1)), false);
    for (const { bytes } of raftFrames(samples(), Infinity)) {
      for (let length = 3; length < bytes.length; length += 97) {
        assert.ok(reader.open(bytes.subarray(0, length)));
        let messages = 0;
        while (reader.next()) assert.ok(++messages <= 14);
      }
    }
  });
});
