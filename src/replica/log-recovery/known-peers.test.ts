import assert from 'node:assert/strict';
import type { Network } from '../../base/env.js';
import { NetworkError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { testEnv, TestHub } from '../../base/testing/test-env.js';
import type { Entry } from '../../raft/types.js';
import { encodeConfChange } from '../../raft/confchange-codec.js';
import { memberConfChange } from '../entry/member-entry.js';
import { openLog } from '../log/testing/log-fixture.js';
import { encodeDescription } from '../state/description.js';
import { changeMembers, staticMembers, type Members } from '../state/members.js';
import { Membership } from '../state/membership.js';
import { KnownPeers } from './known-peers.js';

const CLUSTER = 7n;
const urlOf = (n: number): string => `http://n${n}:2380`;
const FOUNDERS = [1, 2, 3].map((id) => ({ id, name: `n${id}`, peerUrls: [urlOf(id)] }));

/** Of `who`, a new member at its place is in its place. */
function readmitted(before: Members, who: NodeId, token: number): Members {
  const base = before.isStatic ? before.origin : [];
  const admitted = changeMembers(before, token, { kind: 'readmit', id: 10 * who, of: who, dropped: [] }, base) as Members;
  const joint = changeMembers(admitted, token + 1, { kind: 'replace', id: 10 * who, removed: who }, []) as Members;
  assert.ok(joint.confState.votersOutgoing.includes(who));
  return joint;
}

describe('whom a member asks that has no state yet', () => {
  const self = 1;
  let told: ReadonlyMap<NodeId, readonly string[]> | undefined;
  let at: Map<string, Uint8Array>;
  let guests: Map<NodeId, Uint8Array>;
  let peers: KnownPeers;
  let disk: MemoryDisk;

  beforeEach(() => {
    told = undefined;
    at = new Map();
    guests = new Map();
    disk = new MemoryDisk();
    const env = testEnv(self, disk, new TestHub(), () => undefined);
    const network: Network = {
      ...env.network,
      call: (to) => {
        const answer = guests.get(to);
        return answer === undefined ? Promise.reject(new NetworkError('REMOTE', `this is not member ${to}`)) : Promise.resolve(answer);
      },
      guests: () => [...guests.keys()],
      describe: (url) => {
        const answer = at.get(url);
        return answer === undefined ? Promise.reject(new NetworkError('UNREACHABLE', url)) : Promise.resolve(answer);
      },
      setPeers: (addresses) => void (told = addresses),
    };
    peers = new KnownPeers({ ...env, network }, new Membership(self, FOUNDERS), CLUSTER);
  });

  it('R5 finds the others by their URLs when they are other members now', async () => {
    const members = readmitted(staticMembers(FOUNDERS), 2, 100);
    at.set(urlOf(2), encodeDescription({ clusterId: CLUSTER, members }));
    assert.deepEqual(peers.peers, [2, 3]);
    await peers.askWho();
    assert.ok(peers.peers.includes(20), 'the new member at the place of member 2');
    assert.deepEqual(told?.get(20), [urlOf(2)]);
  });

  it('D1 asks whoever talks to this member, where nobody is left at the URLs that it knows', async () => {
    guests.set(20, encodeDescription({ clusterId: CLUSTER, members: readmitted(staticMembers(FOUNDERS), 2, 100) }));
    await peers.askWho();
    assert.ok(peers.peers.includes(20) && peers.isVoter(20));
    assert.deepEqual(told?.get(20), [urlOf(2)]);
  });

  it('R5 D1 a guest whose members lack this one, himself, or any that its flags name is not heard', async () => {
    const all = readmitted(staticMembers(FOUNDERS), 2, 100);
    const lies: Members[] = [
      { ...all, list: all.list.filter(({ id }) => id !== self) },
      { ...all, list: all.list.filter(({ id }) => id !== 20) },
      { ...all, list: all.list.filter(({ id }) => id !== 3) },
      staticMembers([{ id: 20, name: 'x', peerUrls: [urlOf(66)] }]),
    ];
    for (const members of lies) {
      guests.set(20, encodeDescription({ clusterId: CLUSTER, members: { ...members, isStatic: false } }));
      await peers.askWho();
      assert.deepEqual([peers.peers, told, peers.isVoter(20)], [[2, 3], undefined, false]);
    }
  });

  it('D1 R5 a guest takes nobody away that its flags name, nor moves him, nor takes his room, and is not named by his own word', async () => {
    const all = readmitted(staticMembers(FOUNDERS), 2, 100);
    const moved = all.list.filter(({ id }) => id !== 3).map((member) => ({ ...member, peerUrls: [urlOf(66)] }));
    const more = Array.from({ length: 100 }, (_, i) => ({ id: 50 + i, name: `x${i}`, peerUrls: [urlOf(66)], clientUrls: [] }));
    const lie = { ...all, list: [...moved, ...more], removed: [3] };
    guests.set(50, encodeDescription({ clusterId: CLUSTER, members: lie }));
    await peers.askWho();
    assert.deepEqual([told?.get(2), told?.get(3), told?.get(20)], [[urlOf(2)], [urlOf(3)], [urlOf(66)]]);
    assert.ok(peers.peers.length <= 32);
    assert.deepEqual([2, 3, 20, 50].map((id) => peers.isNamed(id)), [true, true, false, false]);
    // A member that the flags name has the last word.
    at.set(urlOf(3), encodeDescription({ clusterId: CLUSTER, members: all }));
    await peers.askWho();
    assert.deepEqual([told?.get(20), peers.isNamed(20)], [[urlOf(2)], true]);
  });

  it('R5 takes nobody for removed by an entry of its log that is not known to be committed', async () => {
    const removal = (index: number, id: NodeId): Entry => ({
      index, term: 1, type: 'confChange', data: encodeConfChange(memberConfChange({ token: index, base: FOUNDERS, change: { kind: 'remove', id } })),
    });
    const { log } = await openLog(disk);
    await log.append([removal(1, 3)], 0);
    await log.append([removal(2, 2)], 1);
    await log.close();
    await peers.readLog();
    assert.deepEqual(peers.peers, [2]);
  });

  it('R5 takes no word of another cluster that is found there', async () => {
    at.set(urlOf(2), encodeDescription({ clusterId: CLUSTER + 1n, members: readmitted(staticMembers(FOUNDERS), 2, 100) }));
    await peers.askWho();
    assert.deepEqual(peers.peers, [2, 3]);
    assert.equal(told, undefined);
  });
});
