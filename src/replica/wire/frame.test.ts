import assert from 'node:assert/strict';
import { newMessage } from '../../raft/message.js';
import { decodeMessages } from '../../raft/message-codec.js';
import { FRAME_RAFT, raftFrames } from './frame.js';

describe('frames of raft messages', () => {
  it('many big appends to one peer leave in order, in frames that the network takes', () => {
    const messages = Array.from({ length: 40 }, (_, i) => {
      const message = newMessage('MsgApp', 1, 2, 3);
      message.index = i;
      message.entries = [{ term: 3, index: i + 1, type: 'normal', data: new Uint8Array(i === 7 ? 5_000 : 900) }];
      return message;
    });
    const frames = raftFrames(messages, 2_000);
    assert.ok(frames.every(({ bytes, lane }) => bytes[0] === FRAME_RAFT && lane === 'bulk'));
    const each = frames.map(({ bytes }) => decodeMessages(bytes.subarray(1)));
    assert.deepEqual(each.flat().map((message) => message.index), messages.map((message) => message.index));
    const several = each.filter((list) => list.length > 1);
    const big = several.map((list) => list.reduce((sum, { entries }) => sum + (entries[0]?.data.length ?? 0), 0));
    assert.ok(big.length > 0 && big.every((bytes) => bytes <= 2_000));
  });

  it('what carries entries or a snapshot has a lane of its own, and each lane its order', () => {
    const types = ['MsgHeartbeat', 'MsgApp', 'MsgVote', 'MsgProp', 'MsgAppResp', 'MsgSnap', 'MsgHeartbeat'] as const;
    const frames = raftFrames(types.map((type, i) => {
      const message = newMessage(type, 1, 2, type === 'MsgProp' ? 0 : 3);
      message.index = i;
      if (type === 'MsgProp') message.entries = [{ term: 0, index: 0, type: 'normal', data: new Uint8Array(5 << 20).fill(7) }];
      if (type === 'MsgSnap') message.snapshot = { metadata: { index: 1, term: 1, confState: { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false } }, data: new Uint8Array(3) };
      return message;
    }), 2_000);
    const order = (lane: string): string[] =>
      frames.filter((one) => one.lane === lane).flatMap(({ bytes }) => decodeMessages(bytes.subarray(1)).map(({ type }) => type));
    assert.deepEqual(order('prompt'), ['MsgHeartbeat', 'MsgVote', 'MsgAppResp', 'MsgHeartbeat']);
    assert.deepEqual(order('bulk'), ['MsgApp', 'MsgProp', 'MsgSnap']);
  });

  it('few messages are one frame', () => {
    assert.equal(raftFrames([newMessage('MsgHeartbeat', 1, 2, 3), newMessage('MsgHeartbeat', 1, 2, 3)], 2_000).length, 1);
    assert.equal(raftFrames([], 2_000).length, 0);
  });
});
