import assert from 'node:assert/strict';
import { Group } from './testing/group.js';

const WINDOW = 100;

/** What was sent to 2 of entries, as sizes of payloads. */
function sizesTo(group: Group, id: number): number[][] {
  return group.sentOf('MsgApp').filter((m) => m.to === id && m.entries.length > 0).map((m) => m.entries.map((e) => e.data.length));
}

describe('an entry larger than messages and windows', () => {
  it('is sent alone, and what follows it waits for its acknowledgement', () => {
    const group = new Group([1, 2], { maxInflightBytes: WINDOW, maxSizePerMsg: 50 });
    group.elect(1);
    group.forget();
    group.lose = (m) => m.to === 1;
    for (const bytes of [10, 20 * WINDOW, 30]) group.node(1).propose(new Uint8Array(bytes));
    group.settle();
    assert.deepEqual(sizesTo(group, 2).flat(), [10, 20 * WINDOW]);
    assert.ok(sizesTo(group, 2).some((sizes) => sizes.length === 1 && sizes[0] === 20 * WINDOW));
    group.lose = () => false;
    group.tick(1, 2);
    assert.deepEqual(sizesTo(group, 2).flat(), [10, 20 * WINDOW, 30], 'and it is not sent again while it may be on its way');
    assert.equal(group.node(2).commit, group.node(1).commit);
  });

  it('is forwarded to the leader as a proposal, and committed', () => {
    const group = new Group([1, 2, 3], { maxInflightBytes: WINDOW, maxSizePerMsg: 50, maxUncommittedSize: 20 * WINDOW });
    group.elect(1);
    group.node(2).propose(new Uint8Array(20 * WINDOW));
    group.settle();
    group.tick(1, 2);
    for (const id of [1, 2, 3]) assert.ok(group.member(id).applied.some((entry) => entry.data.length === 20 * WINDOW), `node ${id}`);
  });
});
