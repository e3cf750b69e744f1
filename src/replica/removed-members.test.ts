import assert from 'node:assert/strict';
import type { Network } from '../base/env.js';
import type { LogIndex, NodeId } from '../base/ids.js';
import { testClock } from '../base/testing/test-env.js';
import { Version } from '../storage/version/version.js';
import { RemovedMembers } from './removed-members.js';
import { changeMembers, staticMembers, type Members } from './state/members.js';
import { Membership } from './state/membership.js';

const FOUNDERS = [1, 2].map((id) => ({ id, name: `n${id}`, peerUrls: [`http://n${id}:2380`] }));

/** Of member 1; the index is that of the removal of member 2. */
const REMOVAL: LogIndex = 9;
const withoutTwo = changeMembers(staticMembers(FOUNDERS), 1, { kind: 'remove', id: 2 }, FOUNDERS) as Members;

describe('members that were removed', () => {
  let membership: Membership;
  let told: { readonly peers: readonly NodeId[]; readonly removed: readonly NodeId[] } | undefined;
  let proposed: number;
  let recordedCommit: LogIndex;
  let removed: RemovedMembers;

  beforeEach(() => {
    membership = new Membership(1, FOUNDERS);
    proposed = 0;
    recordedCommit = REMOVAL - 1;
    const setPeers: Network['setPeers'] = (peers, gone) => void (told = { peers: [...peers.keys()], removed: gone });
    const driver = {
      get writes() {
        return { recordedCommit, diskTimes: { syncs: 0, syncsMs: 0, inFlightMs: 0 } };
      },
      proposeAsLeader: () => ++proposed > 0,
    };
    const env = { clock: testClock, network: { setPeers } as Network };
    removed = new RemovedMembers({ env, life: { ended: false }, membership, driver, tree: { durable: Version.empty() } });
  });

  it('R1 D1 are talked to as before until the disk says that the removal is committed', async () => {
    membership.apply(REMOVAL, withoutTwo);
    assert.deepEqual(told, { peers: [2], removed: [] });
    assert.equal(removed.areTold, false);
    assert.equal(proposed, 1, 'an entry is written with which the commit index is recorded');
    recordedCommit = REMOVAL;
    while (!removed.areTold) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(told, { peers: [], removed: [2] });
    assert.equal(proposed, 1);
  });

  it('are told at once of what was recorded before', () => {
    recordedCommit = REMOVAL;
    membership.apply(REMOVAL, withoutTwo);
    assert.deepEqual(told, { peers: [], removed: [2] });
    assert.equal(proposed, 0);
    assert.ok(removed.areTold);
  });
});
