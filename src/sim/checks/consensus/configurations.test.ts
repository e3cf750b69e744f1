import assert from 'node:assert/strict';
import type { ConfState } from '../../../raft/types.js';
import type { Replica } from '../../../replica/replica.js';
import type { Members } from '../../../replica/state/members.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { MSG_VOTE, MSG_VOTE_RESP } from './raft-frames.js';
import { message } from '../testing/message.js';
import { Committed } from './committed.js';
import { Elections } from './elections.js';
import { MembersMatching } from './members-matching.js';

const conf = (voters: readonly number[], votersOutgoing: readonly number[] = []): ConfState =>
  ({ voters, votersOutgoing, learners: [], learnersNext: [], autoLeave: false });

describe('checks of the members', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let now: ConfState;
  let tell: () => void;

  /** Node 1 goes by `now`, and is told of changes by `tell`. */
  beforeEach(() => {
    w = watch();
    [one, two] = w.nodes as [FakeNode, FakeNode];
    now = conf([1, 2, 3]);
    const subscribers: (() => void)[] = [];
    tell = () => {
      for (const each of subscribers) each();
    };
    const replica = one.running?.replica as Replica;
    const membership = { subscribe: (each: () => void) => void subscribers.push(each) };
    Object.defineProperty(membership, 'confState', { get: () => now });
    Object.defineProperty(replica, 'membership', { value: membership });
    w.configurations.watch(one, replica);
  });

  const has = (...ids: number[]) => (id: number): boolean => ids.includes(id);

  it('R1 a quorum is a majority of each half', () => {
    assert.ok(w.configurations.isQuorum(one, has(1, 2)));
    now = conf([1, 4, 5], [1, 2, 3]);
    tell();
    assert.ok(!w.configurations.isQuorum(one, has(1, 2)));
    assert.ok(!w.configurations.isQuorum(one, has(1, 4)));
    assert.ok(w.configurations.isQuorum(one, has(1, 2, 4)));
    assert.equal(w.configurations.count(one, has(1, 2)), '1 of 2 and 2 of 2');
  });

  it('R1 the configuration from before counts for a while, and no longer', () => {
    w.world.nowUs += 1_000;
    now = conf([1, 2, 3, 4, 5]);
    tell();
    w.world.nowUs += 1_000;
    assert.ok(w.configurations.isQuorum(one, has(1, 2), 2_000));
    assert.ok(!w.configurations.isQuorum(one, has(1, 2), 500));
    assert.ok(w.configurations.isQuorum(two, has(1, 2)), 'node 2 knows of no change');
  });

  it('D1 what was committed by the configuration from before may be told late', () => {
    one.commit = 390;
    now = conf([2, 3]);
    tell();
    w.world.nowUs += 1_000_000;
    assert.ok(!w.configurations.isQuorum(one, has(1, 2), 500));
    assert.ok(w.configurations.hasCommitted(one, 390, has(1, 2), 500), 'with the word of member 1, before it was removed');
    assert.ok(!w.configurations.hasCommitted(one, 391, has(1, 2), 500), 'that is decided by members 2 and 3 alone');
    assert.ok(w.configurations.hasCommitted(one, 391, has(2, 3), 500));
  });

  it('R4 what a node did before it ended is held against the configuration that it went by', () => {
    now = conf([1, 4, 5]);
    tell();
    w.world.nowUs += 1_000_000;
    one.down = true;
    assert.ok(w.configurations.isQuorum(one, has(1, 4)), 'members 2 and 3 were replaced');
    assert.ok(!w.configurations.isQuorum(one, has(2, 3)));
  });

  it('R1 a leader that only its old configuration would elect is reported', () => {
    const check = new Elections(w.reporter, new Committed(w.reporter), () => undefined, w.configurations);
    now = conf([1, 2, 3, 4]);
    tell();
    w.world.nowUs += 1_000_000;
    check.onMessage(one, message(MSG_VOTE, 1, 2, 5));
    check.onMessage(two, message(MSG_VOTE_RESP, 2, 1, 5));
    check.leads(one, 5);
    assert.deepEqual(w.reported(), ['leaders are elected by a majority']);
    check.onMessage(w.nodes[2] as FakeNode, message(MSG_VOTE_RESP, 3, 1, 5));
    check.leads(one, 5);
    assert.equal(w.violations.length, 1);
  });

  describe('S2 what the log says of them', () => {
    const members = (ids: readonly number[], removed: readonly number[] = []): Members => ({
      isStatic: false, removed, origin: [], tokens: [], confState: conf(ids),
      list: ids.map((id) => ({ id, name: '', peerUrls: [], clientUrls: undefined })),
    });
    let check: MembersMatching;

    beforeEach(() => {
      check = new MembersMatching(w.reporter);
      check.applied(one, 10, members([1, 2, 3]));
      check.applied(one, 20, members([1, 2], [3]));
    });

    it('S2 equal members, also of a state between two changes, are the truth', () => {
      check.applied(two, 10, members([1, 2, 3]));
      check.applied(two, 15, members([1, 2, 3]));
      check.applied(two, 20, members([1, 2], [3]));
      check.applied(two, 30, members([1, 2, 4], [3]));
      assert.deepEqual(w.reported(), []);
      assert.ok(check.isRemoved(3) && !check.isRemoved(4));
    });

    it('S2 other members after the same entry are reported', () => {
      check.applied(two, 20, members([1, 3], [2]));
      assert.deepEqual(w.reported(), ['equal members at equal applied index']);
      check.applied(two, 12, members([1]));
      assert.equal(w.violations.length, 2);
    });

    it('R1 a removed id that is a member again is reported', () => {
      check.applied(two, 30, members([1, 2, 3]));
      assert.deepEqual(w.reported(), ['removed ids stay removed']);
    });
  });
});
