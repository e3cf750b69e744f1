import assert from 'node:assert/strict';
import { UnreadAnswers } from './unread-answers.js';

const KiB = 1024;

describe('answers that nobody reads', () => {
  it('large ones are bounded among themselves, and one alone may be as large as it likes', () => {
    const unread = new UnreadAnswers(1024 * KiB);
    unread.add(255 * KiB);
    assert.ok(unread.admits(9000 * KiB));
    unread.add(900 * KiB);
    assert.ok(unread.admits(255 * KiB));
    assert.ok(!unread.admits(256 * KiB));
    unread.giveBack(900 * KiB);
    assert.deepEqual([unread.bytes, unread.admits(256 * KiB)], [255 * KiB, true]);
  });

  it('small ones count, too: beyond twice the bound nothing more is carried out', () => {
    const unread = new UnreadAnswers(1024 * KiB);
    for (let i = 0; i < 16; i++) unread.add(128 * KiB);
    assert.equal(unread.full, false);
    unread.add(1);
    assert.equal(unread.full, true);
    unread.giveBack(1);
    assert.equal(unread.full, false);
  });
});
