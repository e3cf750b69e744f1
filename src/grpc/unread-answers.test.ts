import assert from 'node:assert/strict';
import { UnreadAnswers } from './unread-answers.js';

const KiB = 1024;

describe('answers that nobody reads', () => {
  it('only large ones count, and one alone may be as large as it likes', () => {
    const unread = new UnreadAnswers(1024 * KiB);
    assert.equal(unread.add(255 * KiB), 0);
    assert.ok(unread.admits(9000 * KiB));
    const counted = unread.add(900 * KiB);
    assert.ok(unread.admits(255 * KiB));
    assert.ok(!unread.admits(256 * KiB));
    unread.giveBack(counted);
    assert.deepEqual([unread.bytes, unread.admits(256 * KiB)], [0, true]);
  });
});
