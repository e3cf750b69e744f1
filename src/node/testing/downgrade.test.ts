import assert from 'node:assert/strict';
import { ByteReader, utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { ACTED_METHOD } from '../../replica/downgrades.js';
import { encodeAlarm } from '../../replica/entry/entry.js';
import { decodeHeader, HEADER_BYTES } from '../../replica/log/segment-layout.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

type Three = [ClusterNode, ClusterNode, ClusterNode];

describe('going back to an older version of the cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  const are = (version: number): boolean => cluster.alive.every((node) => node.store.status().clusterVersion === version);
  const allAre = (version: number): Promise<true> => cluster.until(`version ${version}`, () => are(version) || undefined);
  const ready = (nodes = cluster.alive): Promise<true> =>
    cluster.until('the way back', () => nodes.every((node) => node.store.status().downgrade?.ready) || undefined, 20_000);

  /** Members that know versions up to `newest`. */
  async function started(newest = 2): Promise<Three> {
    cluster = new Cluster(calm);
    for (const node of cluster.nodes) node.newestVersion = newest;
    await cluster.upAll();
    await cluster.leader();
    await allAre(newest);
    await load(cluster, 0, 200);
    return cluster.nodes as Three;
  }

  /** One by one, as an operator does. */
  async function restart(node: ClusterNode, newest: number): Promise<void> {
    await cluster.stop(node);
    node.newestVersion = newest;
    await cluster.up(node);
    await cluster.leader();
  }

  /** The downgrade after which it has heard the older program, as it tells a leader that asks. */
  async function actedOn({ replica }: ClusterNode): Promise<number> {
    return new ByteReader(await replica.downgrades.answer(ACTED_METHOD, new Uint8Array(0)), 'answer').varint();
  }

  async function formatsOf(node: ClusterNode): Promise<Set<number | undefined>> {
    const formats = new Set<number | undefined>();
    for (const name of await node.disk.list('log')) {
      if (!name.endsWith('.seg')) continue;
      const file = await node.disk.open(`log/${name}`, 'read');
      const header = new Uint8Array(HEADER_BYTES);
      await file.read(header, 0);
      formats.add(decodeHeader(header, 0)?.format);
      file.close();
    }
    return formats;
  }

  async function refused(code: string, promise: Promise<unknown>): Promise<Error> {
    let found: unknown;
    await assert.rejects(promise, (error) => {
      found = error;
      return codeOf(error) === code;
    });
    return found as Error;
  }

  afterEach(() => cluster.close());

  it('S1 members of the older version read all files after it, one by one, and the version is raised once all are new again', async () => {
    const [one, two, three] = await started();
    const follower = await cluster.follower();
    assert.equal(await follower.store.downgrade('validate', 1), 2);
    assert.equal(follower.store.status().storageVersion, 2);
    assert.equal(await follower.store.downgrade('enable', 1), 1);
    await allAre(1);
    assert.ok(cluster.alive.every((node) => node.store.status().downgrade?.target === 1));
    await load(cluster, 200, 400);
    await ready();
    for (const node of cluster.nodes) {
      assert.deepEqual(await formatsOf(node), new Set([1]), `formats of n${node.id}`);
      assert.equal(node.store.status().storageVersion, 1);
    }
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.ok(are(1), 'nobody raises it while all are new');
    let written = 400;
    for (const node of [one, two, three]) {
      await restart(node, 1);
      await load(cluster, written, (written += 100));
    }
    await cluster.settled();
    assert.ok(are(1));
    for (const node of [one, two, three]) {
      await restart(node, 2);
      await cluster.until('it to hear of all', () => cluster.nodes.every(({ id }) => id === node.id || node.replica.gossip.of(id)) || undefined);
    }
    await allAre(2);
    await load(cluster, written, written + 300);
    await cluster.settled();
    for (const node of cluster.nodes) {
      assert.equal(node.store.status().downgrade, undefined);
      const { count } = await node.store.range({ ...get('key0'), rangeEnd: utf8('kez'), countOnly: true });
      assert.equal(count, written + 300);
    }
  });

  it('S1 cancel raises it again, at once and for good; a second way back is as good as the first', async () => {
    await started();
    const leader = await cluster.leader();
    await leader.store.downgrade('enable', 1);
    await refused('DOWNGRADE_IN_PROCESS', leader.store.downgrade('enable', 1));
    assert.equal(await leader.store.downgrade('cancel', 0), 2);
    assert.equal(await leader.store.downgrade('cancel', 0), 2, 'nothing is left to take back');
    await allAre(2);
    await load(cluster, 200, 600);
    await (await cluster.follower()).store.downgrade('enable', 1);
    await ready();
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.leader();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.ok(are(1), 'all have come back at once: the version waits for the operator');
    await ready();
    await (await cluster.leader()).store.downgrade('cancel', 0);
    await allAre(2);
    await cluster.settled();
  });

  it('S1 a leader that has not heard the older program itself asks those that have', async () => {
    const [one, two, three] = await started();
    await (await cluster.leader()).store.downgrade('enable', 1);
    await ready();
    await restart(three, 1);
    await cluster.until('both to hear it', () => [one, two].every(({ replica }) => replica.gossip.of(three.id)?.newest === 1) || undefined);
    while ((await actedOn(two)) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await cluster.stop(three);
    // One begins anew while nobody older is there, and leads.
    await cluster.kill(one);
    await cluster.up(one);
    const first = await cluster.leader();
    if (first === two) first.replica.driver.transferLeader(one.id);
    await cluster.until('it to lead', () => (one.replica.leadership.mayShapeTree && two.replica.leadership.leader === one.id) || undefined);
    const { lowered } = one.replica.state;
    assert.deepEqual([await actedOn(one), await actedOn(two)], [0, lowered?.at]);
    three.newestVersion = 2;
    await cluster.up(three);
    await allAre(2);
    assert.ok(one.replica.leadership.isLeader);
    await cluster.settled();
  });

  it('S1 the way back goes one version at a time, and the way forward in one', async () => {
    await started(NEWEST_VERSION);
    const leader = await cluster.leader();
    await refused('INVALID_DOWNGRADE_TARGET_VERSION', leader.store.downgrade('enable', NEWEST_VERSION - 2));
    for (let version = NEWEST_VERSION - 1; version >= 1; version--) {
      assert.equal(await leader.store.downgrade('enable', version), version);
      await allAre(version);
      await ready();
    }
    for (const node of cluster.nodes) assert.deepEqual(await formatsOf(node), new Set([1]), `formats of n${node.id}`);
    for (const node of cluster.nodes) await restart(node, 1);
    await load(cluster, 200, 400);
    assert.ok(are(1));
    for (const node of cluster.nodes) await restart(node, NEWEST_VERSION);
    await allAre(NEWEST_VERSION);
    await cluster.settled();
  });

  it('S1 what the older version cannot say is a reason to refuse, and so are a member that is away and another version', async () => {
    const [one, two, three] = await started();
    const leader = await cluster.leader();
    await refused('INVALID_DOWNGRADE_TARGET_VERSION', leader.store.downgrade('validate', 2));
    await refused('INVALID_DOWNGRADE_TARGET_VERSION', leader.store.downgrade('enable', 0));
    await leader.store.changeAlarm({ action: 'raise', member: one.id, type: 'CORRUPT' });
    assert.match((await refused('DOWNGRADE_REFUSED', two.store.downgrade('enable', 1))).message, /alarm/);
    await leader.store.changeAlarm({ action: 'lower', member: one.id, type: 'CORRUPT' });
    const follower = [one, two, three].find((node) => node !== leader) as ClusterNode;
    await cluster.stop(follower);
    assert.match((await refused('DOWNGRADE_REFUSED', leader.store.downgrade('validate', 1))).message, /does not answer/);
    await cluster.up(follower);
    await leader.store.changeMembers({ kind: 'add', id: 0, peerUrls: ['http://m9:2380'], learner: true });
    assert.match((await refused('DOWNGRADE_REFUSED', leader.store.downgrade('enable', 1))).message, /members/);
    assert.ok(are(2));
  });

  it('S2 what needs the higher version and comes after the entry changes nothing, alike on all members, and is gone from their logs', async () => {
    const [one] = await started();
    const leader = await cluster.leader();
    await leader.store.downgrade('enable', 1);
    assert.ok(leader.replica.driver.proposeAsLeader(encodeAlarm({ action: 'raise', member: one.id, type: 'NOSPACE', byItself: true })));
    const last = leader.replica.driver.node.lastIndex;
    await leader.store.put(put('a', '1'));
    await cluster.until('the entry', () => cluster.nodes.every((node) => node.replica.state.lowered?.through === last) || undefined);
    assert.deepEqual(cluster.nodes.map((node) => node.replica.state.alarms.list().length), [0, 0, 0]);
    await ready();
    for (const node of cluster.nodes) assert.ok(node.store.status().firstLogIndex > last);
    for (const node of cluster.nodes) await restart(node, 1);
    await cluster.settled();
  });

  it('S1 a member that was away, or is started too early with the older program, is refused or waits, and loses nothing', async () => {
    const [one, two, three] = await started();
    await (await cluster.leader()).store.downgrade('enable', 1);
    // Before it has applied that.
    await cluster.kill(three);
    await load(cluster, 200, 300);
    await ready([one, two]);
    const before = await formatsOf(three);
    three.newestVersion = 1;
    if (before.has(2)) await cluster.up(three).then(() => cluster.kill(three), (error: unknown) => assert.equal(codeOf(error), 'CLUSTER_NEWER'));
    three.newestVersion = 2;
    await cluster.up(three);
    await ready();
    assert.deepEqual(await formatsOf(three), new Set([1]));
    for (const node of [one, two, three]) await restart(node, 1);
    await cluster.settled();
  });
});
