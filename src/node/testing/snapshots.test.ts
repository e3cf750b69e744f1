import assert from 'node:assert/strict';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

const KEYS = 700;

describe('snapshots between members', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  afterEach(() => cluster.close());

  /** Writes until no log holds any more what these lack, and gives the number of the next write. */
  async function leaveBehind(down: readonly ClusterNode[], from: number): Promise<number> {
    let next = from;
    const lacking = Math.max(...down.map(({ replica }) => replica.log.lastIndex())) + 1;
    while (cluster.alive.some(({ store }) => store.status().firstLogIndex <= lacking)) {
      await load(cluster, next, next + 200, KEYS);
      next += 200;
    }
    return next;
  }

  const received = ({ events }: ClusterNode): number => events.filter(({ type }) => type === 'snapshot-received').length;

  it('two members at once, under load and while tables are compacted: both catch up, with few snapshots', async () => {
    cluster = await Cluster.start(calm, { members: 5 });
    await load(cluster, 0, 800, KEYS);
    const leader = await cluster.leader();
    const down = cluster.nodes.filter((node) => node !== leader).slice(0, 2);
    for (const node of down) await cluster.kill(node);
    let next = await leaveBehind(down, 800);
    for (const node of down) node.events.length = 0;
    const before = leader.events.filter(({ type }) => type === 'plan').length;
    const up = Promise.all(down.map((node) => cluster.up(node)));
    const near = ({ store }: ClusterNode): boolean => store.status().appliedIndex + 100 > leader.store.status().commitIndex;
    const caughtUp = (): boolean => down.every((node) => node.up && received(node) > 0 && near(node));
    for (const end = next + 12_000; !caughtUp() && next < end; next += 100) await load(cluster, next, next + 100, KEYS);
    await up;
    assert.ok(caughtUp(), cluster.describe());
    await cluster.settled();
    assertEqualTrees(cluster.nodes);
    assert.ok(leader.events.filter(({ type }) => type === 'plan').length > before, 'tables were compacted meanwhile');
    for (const node of down) assert.ok(received(node) <= 3, `${received(node)} snapshots for ${node.id}`);
  });

  it('S5 one that is cut off in the midst goes on with what it has, and says how far it is', async () => {
    let cut: (() => void) | undefined;
    let told = 0;
    cluster = new Cluster(calm, {
      watcher: {
        onEvent: (node, event) => {
          if (event.type !== 'snapshot-progress') return;
          const receiving = node.store.status().snapshots.receiving;
          assert.ok(receiving && receiving.tables === event.tables && event.tables <= event.totalTables && event.bytes <= event.totalBytes);
          told++;
          cut?.();
        },
      },
    });
    await cluster.upAll();
    await cluster.leader();
    await load(cluster, 0, 600, KEYS);
    await cluster.settled();
    const node = await cluster.follower();
    const others = cluster.nodes.filter((other) => other !== node);
    await cluster.kill(node);
    await leaveBehind([node], 600);
    await cluster.until('the others to settle', () => others.every(({ store }) => {
      const { pendingPlans, sealedMemtables, owedTables } = store.status();
      return pendingPlans + sealedMemtables + owedTables === 0;
    }));
    cluster.hub.fetched.clear();
    cut = () => {
      cut = undefined;
      for (const other of others) cluster.hub.cut(node.id, other.id);
    };
    await cluster.up(node);
    await cluster.until('the transfer to be cut', () => cut === undefined);
    await cluster.until('it to be given up', () => node.store.status().snapshots.receiving === undefined);
    assert.equal(received(node), 0);
    cluster.hub.heal();
    await cluster.until('it to arrive', () => received(node) > 0);
    await cluster.settled();
    assertEqualTrees(cluster.nodes);
    assert.ok(told >= 1);
    const tables = node.replica.tree.materialized.list().reduce((sum, { bytes }) => sum + bytes, 0);
    const fetched = cluster.hub.fetched.get(node.id) ?? 0;
    assert.ok(fetched < 1.3 * tables, `${fetched} bytes came of tables of ${tables}`);
  });

  it('one that is superseded ends: the newer version is put in place, and nothing of the older is left', async () => {
    cluster = await Cluster.start(calm);
    await load(cluster, 0, 600, KEYS);
    await cluster.settled();
    const node = await cluster.follower();
    await cluster.kill(node);
    let next = await leaveBehind([node], 600);
    node.events.length = 0;
    await cluster.up(node);
    await cluster.until('a transfer', () => node.store.status().snapshots.receiving !== undefined || received(node) > 0);
    // The leader of another term offers a version of its own.
    const leader = await cluster.leader();
    await leader.replica.transferLeadership();
    await load(cluster, next, next + 600, KEYS);
    next += 600;
    await cluster.until('it to have one', () => received(node) > 0);
    await cluster.settled();
    assertEqualTrees(cluster.nodes);
    await cluster.until('nothing half to be left', () => node.disk.files().every((path) => !path.includes('recv-')), 20_000);
  });
});
