import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { newMessage } from '../../raft/message.js';
import { decodeMessages } from '../../raft/message-codec.js';
import type { Entry } from '../../raft/types.js';
import { frame, FRAME_GOSSIP, raftFrames } from '../../replica/wire/frame.js';
import { Stream } from '../world/random.js';
import { flipEntry } from './flip-entry.js';

const entry = (index: number, text: string, type: Entry['type'] = 'normal'): Entry => ({ index, term: 1, type, data: utf8(text) });

describe('a bit that flips in an entry before its frame is made', () => {
  const random = new Stream(7, 'test');

  it('changes one bit of one payload, and nothing else', () => {
    const messages = [
      newMessage('MsgHeartbeat', 1, 2, 1),
      Object.assign(newMessage('MsgApp', 1, 2, 1), { index: 4, logTerm: 1, entries: [entry(5, ''), entry(6, 'six'), entry(7, 'change', 'confChange'), entry(8, 'eight')] }),
    ];
    const sent = raftFrames(messages, 1e6).find(({ lane }) => lane === 'bulk')?.bytes;
    assert.ok(sent);
    const kept = sent.slice();
    for (let i = 0; i < 50; i++) {
      const flipped = flipEntry(sent, random);
      assert.ok(flipped);
      assert.deepEqual(sent, kept, 'the frame that was made stays as it was');
      const got = decodeMessages(flipped, 1);
      const wrong: Entry[] = decodeMessages(sent, 1).flatMap(({ entries }, m) => entries.filter((e, at) => {
        const { data, ...rest } = got[m]?.entries[at] as Entry;
        assert.deepEqual(rest, { index: e.index, term: e.term, type: e.type });
        return !e.data.every((byte, b) => byte === data[b]);
      }));
      assert.equal(wrong.length, 1);
      assert.ok(wrong[0]?.index === 6 || wrong[0]?.index === 8);
    }
  });

  it('leaves frames without such an entry alone', () => {
    assert.equal(flipEntry(frame(FRAME_GOSSIP, utf8('x')), random), undefined);
    assert.equal(flipEntry(raftFrames([newMessage('MsgHeartbeat', 1, 2, 1)], 1e6)[0]?.bytes as Uint8Array, random), undefined);
  });
});
