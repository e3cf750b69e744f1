import assert from 'node:assert/strict';
import { newMessage } from '../../raft/message.js';
import type { Entry, Message } from '../../raft/types.js';
import { AppliedAnswers } from './applied-answers.js';

const answer = (index: number): Message => Object.assign(newMessage('MsgStorageApplyResp', 0, 1, 0), { index });
const entries = (...types: Entry['type'][]): Entry[] => types.map((type, i) => ({ term: 1, index: i + 1, type, data: new Uint8Array(0) }));
const at = (from: number, ...types: Entry['type'][]): Entry[] => entries(...types).map((entry, i) => ({ ...entry, index: from + i }));

describe('what the core knows to be applied', () => {
  it('R1 it hears of a change of the configuration, and of all behind it, only once the change is applied', () => {
    const answers = new AppliedAnswers();
    const told = (index: number): number[] => answers.take(index).map((message) => message.index);
    answers.hold(at(1, 'normal', 'normal'), [answer(2)]);
    assert.deepEqual(told(0), [2]);
    answers.hold(at(3, 'normal', 'confChange', 'normal'), [answer(5)]);
    answers.hold(at(6, 'normal'), [answer(6)]);
    answers.hold(at(7, 'confChange'), [answer(7)]);
    answers.hold(at(8, 'normal'), [answer(8)]);
    assert.deepEqual(told(0), []);
    assert.deepEqual(told(3), []);
    assert.deepEqual(told(4), [5, 6]);
    assert.deepEqual(told(4), []);
    assert.deepEqual(told(7), [7, 8]);
    answers.hold(at(9, 'confChange'), [answer(9)]);
    assert.deepEqual(told(20), [9], 'a version that is further');
  });
});
