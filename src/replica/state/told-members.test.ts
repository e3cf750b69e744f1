import assert from 'node:assert/strict';
import { changeMembers, leaveJoint, staticMembers, type MemberChange, type Members } from './members.js';
import { foundBy, memberAt, type Found, type Told } from './told-members.js';

const OWN = 'http://own';
const url = (id: number): string => `http://${id}`;
const ORIGIN = [1, 2, 3].map((id) => ({ id, name: `n${id}`, peerUrls: [url(id)] }));

/** The members after each of these changes; the first ones first. */
function history(...changes: readonly MemberChange[]): Members[] {
  const all = [staticMembers(ORIGIN)];
  for (const [i, change] of changes.entries()) {
    const next = changeMembers(all.at(-1) as Members, i + 1, change, ORIGIN);
    if (typeof next === 'string') assert.fail(next);
    all.push(leaveJoint(next));
  }
  return all;
}

const add = (id: number): MemberChange => ({ kind: 'add', id, peerUrls: [OWN], learner: true });
const remove = (id: number): MemberChange => ({ kind: 'remove', id });

function found(...told: readonly (readonly [by: number, members: Members, clusterId?: bigint])[]): Found {
  const answers = told.map(([by, members, clusterId = 7n]): Told => ({ url: url(by), description: { clusterId, members } }));
  return foundBy(answers, memberAt([OWN])) ?? assert.fail('nobody has told anything');
}

describe('who a machine is by what others tell', () => {
  it('R1 the newest counts, whoever tells it, also if it moved somebody away from this place', () => {
    const moved: MemberChange = { kind: 'update', id: 8, peerUrls: [url(8)] };
    const [, first, , , last] = history(add(8), moved, { kind: 'promote', id: 8 }, add(9)) as [Members, Members, Members, Members, Members];
    for (const told of [[[1, first], [2, last]], [[2, last], [1, first]]] as const) assert.equal(found(...told).self, 9);
  });

  it('R1 those that are too far apart to compare their changes are judged by who is gone', () => {
    const changes = Array.from({ length: 70 }, (_, i) => [add(100 + i), remove(100 + i)]).flat();
    const all = history(...changes, add(9));
    for (const behind of [all[1], all[5], all[60]] as Members[]) {
      assert.equal(found([1, behind], [2, all.at(-1) as Members]).self, 9);
      assert.equal(found([1, all.at(-1) as Members], [2, behind]).self, 9);
    }
  });

  it('R1 counts only with a majority of the others that vote by it, of each half of a change that is under way', () => {
    const [, added] = history(add(9)) as [Members, Members];
    assert.deepEqual(found([1, added]).lacking, [url(2), url(3)]);
    assert.deepEqual(found([1, added], [3, added]).lacking, []);
    const voter: Members = { ...added, confState: { ...added.confState, voters: [1, 9], votersOutgoing: [], learners: [] } };
    assert.deepEqual(found([1, voter]).lacking, [], 'it need not ask itself');
    const joint: Members = { ...added, confState: { ...added.confState, voters: [1, 9], votersOutgoing: [1, 2, 3] } };
    assert.deepEqual(found([1, joint]).lacking, [url(2), url(3)]);
  });

  it('of two clusters, the one that knows this place counts', () => {
    const [before, added] = history(add(9)) as [Members, Members];
    const told = [[1, before, 5n], [2, added, 7n], [3, added, 7n]] as const;
    assert.deepEqual([found(...told).self, found(...told).description.clusterId], [9, 7n]);
    assert.equal(found([1, before]).self, 0);
    assert.equal(foundBy([], memberAt([OWN])), undefined);
  });
});
