import assert from 'node:assert/strict';
import type { ProgressStatus } from '../raft/types.js';
import { isInSync, quorumAtRisk, type Reached } from './member-rules.js';
import { staticMembers, type MemberChange } from './state/members.js';

const voters = (n: number): ReturnType<typeof staticMembers> =>
  staticMembers(Array.from({ length: n }, (_, i) => ({ id: i + 1, name: `n${i + 1}`, peerUrls: [] })));
const add = (learner: boolean): MemberChange => ({ kind: 'add', id: 9, learner, peerUrls: ['http://a:1'] });

/** All have started; these are alive. */
function risk(n: number, change: MemberChange, ...alive: number[]): string | undefined {
  const members = voters(n);
  return quorumAtRisk(members, change, { alive: new Set(alive), started: new Set(members.list.map(({ id }) => id)) });
}

describe('changes that could cost the quorum', () => {
  it('an addition is refused only if those that are alive are no majority afterwards', () => {
    assert.equal(risk(3, add(false), 1, 2, 3), undefined);
    assert.equal(risk(3, add(false), 1, 2), 'UNHEALTHY');
    assert.equal(risk(5, add(false), 1, 2, 3, 4), undefined, 'etcd refuses this: one of five is down, and four of six are a majority');
    assert.equal(risk(5, add(false), 1, 2, 3), 'UNHEALTHY');
    assert.equal(risk(1, add(false), 1), undefined);
  });

  it('a learner may always be added: it has no vote', () => {
    assert.equal(risk(3, add(true), 1, 2), undefined);
    assert.equal(risk(5, add(true), 1, 2, 3), undefined);
  });

  it('who is dead may go, who is alive only if enough others are', () => {
    assert.equal(risk(3, { kind: 'remove', id: 3 }, 1, 2), undefined);
    assert.equal(risk(3, { kind: 'remove', id: 2 }, 1, 2), 'UNHEALTHY');
    assert.equal(risk(5, { kind: 'remove', id: 1 }, 1, 2, 3, 4), undefined);
  });

  it('members that were never started are told apart from those that are down', () => {
    const members = voters(4);
    const health = { alive: new Set([1, 2]), started: new Set([1, 2]) };
    assert.equal(quorumAtRisk(members, add(false), health), 'NOT_ENOUGH_STARTED');
  });

  it('a learner is in sync if it follows the log and lacks little of it', () => {
    const at = (match: number, state: ProgressStatus['state'] = 'replicate'): ProgressStatus => ({ match, state }) as ProgressStatus;
    const of = (commit: number, since = 0): Reached => ({ commit, since });
    assert.ok(isInSync(at(95), of(100)) && isInSync(at(1_000_000 - 4_096), of(1_000_000)));
    assert.ok(!isInSync(at(89), of(100)) && !isInSync(at(995_000), of(1_000_000)) && !isInSync(at(100, 'probe'), of(100)) && !isInSync(undefined, of(0)));
  });

  it('R1 a learner has all that came before it was let in, before it gets a vote', () => {
    const at = (match: number): ProgressStatus => ({ match, state: 'replicate' }) as ProgressStatus;
    assert.ok(isInSync(at(98), { commit: 100, since: 98 }));
    assert.ok(!isInSync(at(97), { commit: 100, since: 98 }));
  });
});
