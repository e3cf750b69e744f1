import assert from 'node:assert/strict';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { changeMembers, confChangeOf, isJoint, leaveJoint, staticMembers, type MemberChange, type Members } from './members.js';
import { readMembers, writeMembers } from './members-codec.js';
import { Membership } from './membership.js';

const config = (id: number): { id: number; name: string; peerUrls: string[] } => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] });
const THREE = [1, 2, 3].map(config);

/** Applies all, each of which must be valid. */
function after(members: Members, ...changes: MemberChange[]): Members {
  return changes.reduce((from, change, i) => {
    const next = changeMembers(from, 1_000 + from.tokens.length + i, change, THREE);
    assert.ok(typeof next !== 'string', `${change.kind} is carried out, not ${String(next)}`);
    return next;
  }, members);
}

const add = (id: number, learner = true): MemberChange => ({ kind: 'add', id, learner, peerUrls: [`http://m${id}:2380`] });

describe('who belongs to the cluster', () => {
  it('S2 the members after a change follow from the members before and the change, and read back as written', () => {
    const members = after(staticMembers(THREE), add(7), { kind: 'publish', id: 7, name: 'new', clientUrls: ['http://m7:2379'] }, { kind: 'promote', id: 7 },
      { kind: 'remove', id: 1 }, { kind: 'update', id: 2, peerUrls: ['http://elsewhere:1'] });
    assert.deepEqual(members.confState.voters, [2, 3, 7]);
    assert.deepEqual(members.removed, [1]);
    assert.deepEqual(members.origin.map(({ id }) => id), [1, 2, 3]);
    assert.deepEqual(members.list.map(({ name, peerUrls }) => [name, peerUrls[0]]), [['n2', 'http://elsewhere:1'], ['n3', 'http://n3:2380'], ['new', 'http://m7:2380']]);
    const bytes = writeMembers(new ByteWriter(), members).finish();
    assert.deepEqual(readMembers(new ByteReader(bytes, 'members')), members);
  });

  it('R1 an update of its URLs leaves a learner a learner, and a voter a voter', () => {
    const members = after(staticMembers(THREE), add(7), { kind: 'update', id: 7, peerUrls: ['http://new:1'] }, { kind: 'update', id: 1, peerUrls: ['http://new:2'] });
    assert.deepEqual([members.confState.voters, members.confState.learners], [[1, 2, 3], [7]]);
    for (const [id, url] of [[7, 'http://new:1'], [1, 'http://new:2']] as const) {
      assert.deepEqual(members.list.find((member) => member.id === id)?.peerUrls, [url]);
    }
  });

  it('R1 an id is never used again, also after its member was removed, and a change is carried out once', () => {
    const members = after(staticMembers(THREE), add(7), { kind: 'remove', id: 7 });
    assert.equal(changeMembers(members, 5, add(7), []), 'MEMBER_EXISTS');
    assert.equal(changeMembers(members, 5, add(2), []), 'MEMBER_EXISTS');
    const once = changeMembers(members, 5, add(8), []);
    assert.ok(typeof once !== 'string');
    assert.equal(changeMembers(once, 5, add(9), []), 'MEMBER_EXISTS');
  });

  it('etcd refuses in these words', () => {
    const members = after(staticMembers(THREE), add(7));
    const refused = (change: MemberChange): unknown => changeMembers(members, 5, change, []);
    assert.equal(refused(add(8)), 'TOO_MANY_LEARNERS');
    assert.equal(refused({ ...add(8, false), peerUrls: ['http://m7:2380'] } as MemberChange), 'PEER_URL_EXISTS');
    assert.equal(refused({ kind: 'update', id: 1, peerUrls: ['http://m7:2380'] }), 'PEER_URL_EXISTS');
    assert.equal(refused({ kind: 'promote', id: 1 }), 'MEMBER_NOT_LEARNER');
    for (const kind of ['promote', 'remove'] as const) assert.equal(refused({ kind, id: 99 }), 'MEMBER_NOT_FOUND');
    const one = after(members, { kind: 'remove', id: 1 }, { kind: 'remove', id: 2 });
    assert.equal(changeMembers(one, 5, { kind: 'remove', id: 3 }, []), 'NOT_ENOUGH_STARTED');
  });

  it('R1 who is replaced keeps its vote until the joint configuration is left, and its id is gone at once', () => {
    const joint = after(staticMembers(THREE), add(7), { kind: 'replace', id: 7, removed: 1 });
    assert.ok(isJoint(joint.confState));
    assert.deepEqual(confChangeOf({ kind: 'replace', id: 7, removed: 1 }).changes.length, 2);
    assert.ok(joint.list.some(({ id }) => id === 1));
    assert.deepEqual(joint.removed, [1]);
    assert.equal(changeMembers(joint, 5, add(8), []), 'UNHEALTHY', 'one change at a time');
    const left = leaveJoint(joint);
    assert.deepEqual(left.confState.voters, [2, 3, 7]);
    assert.deepEqual(left.list.map(({ id }) => id), [2, 3, 7]);
    assert.equal(leaveJoint(left), left);
  });

  it('R1 S6 in a joint configuration a quorum is a majority of each half', () => {
    const membership = new Membership(1, THREE);
    const joint = after(staticMembers(THREE), add(7), { kind: 'replace', id: 7, removed: 1 });
    membership.apply(9, joint);
    const isQuorum = (...ids: number[]): boolean => membership.isQuorum(new Set(ids));
    assert.ok(isQuorum(2, 3) && isQuorum(1, 2, 7) && isQuorum(1, 2, 3, 7));
    assert.ok(!isQuorum(1, 2) && !isQuorum(2, 7) && !isQuorum(1, 7) && !isQuorum(3));
    assert.deepEqual(membership.voters, [1, 2, 3, 7]);
    const have = new Map([[1, 90], [2, 50], [3, 10], [7, 90]]);
    assert.equal(membership.reachedByQuorum((id) => have.get(id) ?? 0), 50);
    have.set(7, 5);
    assert.equal(membership.reachedByQuorum((id) => have.get(id) ?? 0), 10, 'of the half that has less');
    assert.deepEqual([1, 2, 7].map((id) => membership.standing(id)), ['outgoing', 'voter', 'incoming']);
    assert.equal(membership.isRemoved(1), false, 'it still has a vote');
    membership.apply(10, leaveJoint(joint));
    assert.equal(membership.isRemoved(1), true);
    assert.deepEqual([...membership.addresses.keys()], [2, 3, 7]);
  });

  it('S2 the configuration as of an index is known, and nobody goes back to an older one when an older version is put in place', () => {
    const membership = new Membership(1, THREE);
    const heard: number[] = [];
    membership.subscribe((index) => heard.push(index));
    const four = after(staticMembers(THREE), add(7));
    const five = after(four, { kind: 'promote', id: 7 });
    membership.apply(10, four);
    membership.apply(20, five);
    assert.deepEqual([9, 10, 19, 20, 99].map((index) => membership.confStateAsOf(index).learners.length), [0, 1, 1, 0, 0]);
    membership.load(12, four);
    assert.equal(membership.applied, four);
    assert.deepEqual(membership.confState.voters, [1, 2, 3, 7]);
    assert.deepEqual([12, 20].map((index) => membership.confStateAsOf(index).voters.length), [3, 4]);
    membership.apply(20, five);
    assert.deepEqual(heard, [10, 20, 12, 20]);
    membership.load(40, five);
    assert.deepEqual(membership.confStateAsOf(40).voters, [1, 2, 3, 7]);
  });

  it('a member that joins talks to those that it was told of until the log says that it is one', () => {
    const membership = new Membership(7, THREE, [config(2), config(3), config(7)]);
    assert.ok(membership.isJoining);
    assert.deepEqual(membership.peers, [2, 3]);
    assert.deepEqual([...membership.addresses.keys()], [2, 3]);
    assert.equal(membership.standing(7), 'none');
    assert.equal(membership.nameOf(7), 'n7');
    membership.apply(10, after(staticMembers(THREE), add(7)));
    assert.ok(!membership.isJoining);
    assert.deepEqual(membership.peers, [1, 2, 3]);
  });
});
