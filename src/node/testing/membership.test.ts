import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { isJoint } from '../../replica/state/members.js';
import type { MemberInfo } from '../store.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

describe('members that come and go', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  afterEach(() => cluster.close());

  async function started(members: number): Promise<void> {
    cluster = await Cluster.start(calm, { members });
    await cluster.until('the newest version', () => cluster.nodes.every((node) => node.store.status().clusterVersion === NEWEST_VERSION));
  }

  const urlOf = (n: number): string => `http://m${n}:2380`;

  /** Adds one and starts it; it has all when this resolves. */
  async function join(by: ClusterNode, n: number, learner = false): Promise<ClusterNode> {
    const members = await by.store.changeMembers({ kind: 'add', id: 0, peerUrls: [urlOf(n)], learner });
    const { id } = members.find(({ peerUrls }) => peerUrls[0] === urlOf(n)) as MemberInfo;
    const node = cluster.machine(id, await cluster.leader());
    await cluster.up(node);
    await cluster.until('the new member to know itself', () => node.replica.membership.has(id));
    await cluster.settled();
    return node;
  }

  async function promoted(node: ClusterNode): Promise<void> {
    await (await cluster.follower()).store.changeMembers({ kind: 'promote', id: node.id });
    await cluster.until('all to know', () => cluster.alive.every(({ replica }) => replica.membership.standing(node.id) === 'voter'));
  }

  async function remove(by: ClusterNode, node: ClusterNode): Promise<void> {
    node.leaves = true;
    await by.store.changeMembers({ kind: 'remove', id: node.id });
  }

  const idsAt = (node: ClusterNode): readonly NodeId[] => node.replica.membership.voters;

  it('D1 a cluster grows from one member to three to five under writes, and each new one has all', async () => {
    await started(1);
    await load(cluster, 0, 300);
    let written = 300;
    for (const n of [2, 3, 4, 5]) {
      const writing = load(cluster, written, (written += 200));
      const node = await join(await cluster.leader(), n, n % 2 === 1);
      if (n % 2 === 1) await promoted(node);
      await writing;
    }
    await cluster.settled();
    assert.equal(idsAt(await cluster.leader()).length, 5);
    for (const node of cluster.nodes) {
      const { kvs } = await node.store.range(get('key0'));
      assert.equal(kvs.length, 1);
    }
  });

  it('R1 what the log says of the members outlives restarts of all of them, before and after a flush', async () => {
    await started(3);
    const node = await join(await cluster.follower(), 4);
    for (const each of cluster.nodes) await cluster.kill(each);
    await cluster.upAll();
    await cluster.leader();
    await cluster.settled();
    for (const { replica } of cluster.nodes) assert.equal(replica.membership.standing(node.id), 'voter');
    const flushed = cluster.nodes.map((each) => each.store.status().flushedIndex);
    const isOld = (): boolean => cluster.nodes.some((each, at) => each.store.status().flushedIndex <= (flushed[at] as number) + 50);
    for (let i = 0; isOld(); i += 200) await load(cluster, i, i + 200);
    for (const each of cluster.nodes) await cluster.kill(each);
    await cluster.upAll();
    await cluster.leader();
    for (const { replica } of cluster.nodes) assert.equal(replica.membership.voters.length, 4);
    await cluster.settled();
  });

  it('D1 a cluster shrinks from five members to one, its leader among those that go', async () => {
    await started(5);
    await load(cluster, 0, 200);
    for (let left = 5; left > 1; left--) {
      const leader = await cluster.leader();
      const node = left % 2 === 1 ? leader : await cluster.follower();
      await remove(await cluster.follower(), node);
      await cluster.until('the removed one to end', () => node.removed !== undefined);
      assert.equal(codeOf(node.removed), 'REMOVED');
      await cluster.without(node);
      await cluster.leader();
      await load(cluster, 0, 100);
      assert.equal(idsAt(await cluster.leader()).length, left - 1);
    }
    const [last] = cluster.nodes as [ClusterNode];
    await assert.rejects(last.store.changeMembers({ kind: 'remove', id: last.id }), { code: 'NOT_ENOUGH_STARTED' });
    await last.store.put(put('last', 'one'));
  });

  it('R1 a removed member that comes back is told so, also by members that were not there, and disturbs nobody', async () => {
    await started(3);
    const gone = await cluster.follower();
    await cluster.kill(gone);
    await remove(await cluster.leader(), gone);
    const { term } = (await cluster.leader()).replica.leadership;
    await assert.rejects(cluster.up(gone), (error) => codeOf(error) === 'REMOVED');
    assert.equal((await cluster.leader()).replica.leadership.term, term);
    await assert.rejects((await cluster.leader()).store.changeMembers({ kind: 'add', id: gone.id, peerUrls: [urlOf(9)], learner: true }), { code: 'MEMBER_EXISTS' });
    await cluster.without(gone);
    await cluster.settled();
  });

  it('D1 a dead member is replaced while the others serve, by one joint change', async () => {
    await started(3);
    const dead = await cluster.follower();
    await cluster.kill(dead);
    await load(cluster, 0, 400);
    cluster.nodes.splice(cluster.nodes.indexOf(dead), 1);
    const node = await join(await cluster.leader(), 4, true);
    await assert.rejects(node.store.put(put('a', 'b')), { code: 'LEARNER' });
    await assert.rejects(node.store.range(get('key0')), { code: 'LEARNER' });
    assert.equal((await node.store.range({ ...get('key0'), serializable: true })).kvs.length, 1);
    await (await cluster.follower()).store.changeMembers({ kind: 'replace', id: node.id, removed: dead.id });
    const { membership } = (await cluster.leader()).replica;
    assert.deepEqual(membership.voters, cluster.nodes.map(({ id }) => id).sort((a, b) => a - b));
    assert.deepEqual(membership.confState.votersOutgoing, []);
    await load(cluster, 400, 500);
    await cluster.settled();
  });

  it('R1 a leader that dies between the two halves of a change leaves a configuration that the next one leaves', async () => {
    await started(3);
    const leader = await cluster.leader();
    const learner = await join(leader, 4, true);
    const [gone, stays] = cluster.nodes.filter((node) => node !== leader && node !== learner) as [ClusterNode, ClusterNode];
    gone.leaves = true;
    let dies: Promise<void> | undefined;
    leader.replica.membership.subscribe(() => {
      // Nothing that it proposes from here on leaves it.
      if (isJoint(leader.replica.membership.confState)) dies ??= cluster.kill(leader);
    });
    const asked = stays.store.changeMembers({ kind: 'replace', id: learner.id, removed: gone.id });
    await cluster.until('the leader to be in the joint configuration', () => dies);
    await dies;
    const members = await asked;
    assert.deepEqual(members.map(({ id }) => id).sort((a, b) => a - b), [leader.id, stays.id, learner.id].sort((a, b) => a - b));
    for (const node of [stays, learner]) {
      await cluster.until('it to have left the joint configuration', () => !isJoint(node.replica.membership.confState));
      assert.deepEqual(idsAt(node), [leader.id, stays.id, learner.id].sort((a, b) => a - b));
    }
    await cluster.until('the other one to be gone', () => codeOf(gone.removed) === 'REMOVED');
    await cluster.without(gone);
    await cluster.up(leader);
    await load(cluster, 0, 100);
    await cluster.settled();
    assert.ok(!isJoint(leader.replica.membership.confState));
  });

  it('D1 a member that joins is sent a snapshot from before it was added, where the log is gone', async () => {
    await started(3);
    const leader = await cluster.leader();
    for (let i = 0; leader.store.status().firstLogIndex === 1; i += 200) await load(cluster, i, i + 200);
    const node = await join(leader, 4, true);
    assert.ok(node.store.status().snapshots.received > 0);
    await promoted(node);
    await cluster.settled();
  });

  it('D1 a voter that is added while another one is lost for good begins, and makes a quorum with the rest', async () => {
    await started(3);
    await load(cluster, 0, 50);
    const leader = await cluster.leader();
    const members = await leader.store.changeMembers({ kind: 'add', id: 0, peerUrls: [urlOf(4)], learner: false });
    const { id } = members.find(({ peerUrls }) => peerUrls[0] === urlOf(4)) as MemberInfo;
    const node = cluster.machine(id, leader);
    const lost = await cluster.follower();
    await cluster.kill(lost);
    cluster.nodes.splice(cluster.nodes.indexOf(lost), 1);
    await cluster.until('nobody to lead', () => leader.replica.leadership.leader === 0);
    await cluster.up(node);
    await cluster.leader();
    await load(cluster, 50, 100);
    await remove(await cluster.leader(), lost);
    await cluster.settled();
  });

  it('R5 a member that joined and lost its directory is refused, and its replacement is let in', async () => {
    await started(3);
    const node = await join(await cluster.leader(), 4, true);
    await load(cluster, 0, 50);
    await cluster.kill(node);
    node.disk = calm.newDisk();
    await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'EMPTIED');
    await remove(await cluster.leader(), node);
    await cluster.without(node);
    await join(await cluster.leader(), 5);
    await cluster.settled();
  });

  it('etcd refuses in these words what is not there, is there already, or is not ready', async () => {
    await started(3);
    const [one] = cluster.nodes as [ClusterNode];
    const refused = (change: Parameters<typeof one.store.changeMembers>[0], code: string): Promise<void> =>
      assert.rejects(one.store.changeMembers(change), { code });
    await refused({ kind: 'remove', id: 99 }, 'MEMBER_NOT_FOUND');
    await refused({ kind: 'update', id: 99, peerUrls: [urlOf(9)] }, 'MEMBER_NOT_FOUND');
    await refused({ kind: 'promote', id: 2 }, 'MEMBER_NOT_LEARNER');
    await refused({ kind: 'add', id: 0, peerUrls: ['http://n2:2380'], learner: false }, 'PEER_URL_EXISTS');
    const members = await one.store.changeMembers({ kind: 'add', id: 0, peerUrls: [urlOf(4)], learner: true });
    const learner = members.find(({ isLearner }) => isLearner) as MemberInfo;
    await refused({ kind: 'promote', id: learner.id }, 'LEARNER_NOT_READY');
    await refused({ kind: 'add', id: 0, peerUrls: [urlOf(5)], learner: true }, 'TOO_MANY_LEARNERS');
    await one.store.changeMembers({ kind: 'update', id: learner.id, peerUrls: [urlOf(6)] });
    assert.deepEqual(one.store.members().find(({ id }) => id === learner.id)?.peerUrls, [urlOf(6)]);
    await one.store.changeMembers({ kind: 'remove', id: learner.id });
    assert.equal(one.store.members().length, 3);
  });

  it('a change is refused while a member keeps the version of the cluster down, and the refusal names it', async () => {
    cluster = new Cluster(calm);
    const [one, , three] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    three.newestVersion = 1;
    await cluster.upAll();
    await cluster.leader();
    await assert.rejects(one.store.changeMembers({ kind: 'add', id: 0, peerUrls: [urlOf(4)], learner: true }), /CLUSTER_TOO_OLD.*n3/);
  });
});
