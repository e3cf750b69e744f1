import assert from 'node:assert/strict';
import { newMessage } from '../../raft/message.js';
import type { Message, MessageType } from '../../raft/types.js';
import { forgotten, PromisesHeard } from './promises-heard.js';

const NOTHING = { term: 0, acknowledged: 0, votedForMe: false, applied: 0, incarnation: 0 };

function message(type: MessageType, term: number, more: Partial<Message> = {}): Message {
  return { ...newMessage(type, 2, 1, term), ...more };
}

function heardOf(...messages: Message[]): ReturnType<PromisesHeard['of']> {
  const heard = new PromisesHeard();
  for (const each of messages) heard.note(each);
  return heard.of(2);
}

function told(promised: ReturnType<typeof heardOf>, applied = 0): Parameters<typeof forgotten>[0] {
  return { ...promised, applied };
}

describe('what others have promised', () => {
  it('R5 files of an earlier term, without the vote, or with a shorter log are older than what was promised', () => {
    const promised = heardOf(message('MsgVoteResp', 5), message('MsgAppResp', 5, { index: 9 }));
    assert.deepEqual(promised, { ...NOTHING, term: 5, acknowledged: 9, votedForMe: true });
    assert.match(forgotten(told(promised), { term: 4, vote: 1, lastIndex: 9 }, 1) ?? '', /in term 5/);
    assert.match(forgotten(told(promised), { term: 5, vote: 0, lastIndex: 9 }, 1) ?? '', /its vote/);
    assert.match(forgotten(told(promised), { term: 5, vote: 1, lastIndex: 8 }, 1) ?? '', /entry 9/);
    assert.equal(forgotten(told(promised), { term: 5, vote: 1, lastIndex: 9 }, 1), undefined);
  });

  it('R6 a later term may have cut off what an earlier one acknowledged', () => {
    assert.equal(forgotten(told(heardOf(message('MsgAppResp', 5, { index: 9 }))), { term: 6, vote: 0, lastIndex: 3 }, 1), undefined);
    assert.equal(heardOf(message('MsgAppResp', 5, { index: 9 }), message('MsgHeartbeatResp', 6)).acknowledged, 0);
  });

  it('R5 nothing that was applied is cut off by a later term, whoever it was acknowledged to', () => {
    assert.match(forgotten(told(heardOf(), 9), { term: 6, vote: 0, lastIndex: 8 }, 1) ?? '', /entry 9 is applied/);
    assert.equal(forgotten(told(heardOf(), 9), { term: 6, vote: 0, lastIndex: 9 }, 1), undefined);
  });

  it('R2 a pre-vote, a refusal and a message of an earlier term promise nothing', () => {
    const refused = message('MsgAppResp', 5, { index: 9, reject: true });
    const promised = heardOf(message('MsgHeartbeatResp', 5), message('MsgPreVote', 8), message('MsgPreVoteResp', 8), refused, message('MsgAppResp', 4, { index: 7 }));
    assert.deepEqual(promised, { ...NOTHING, term: 5 });
  });
});
