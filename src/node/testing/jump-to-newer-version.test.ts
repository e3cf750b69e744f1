import assert from 'node:assert/strict';
import { fromUtf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { EtcdError } from '../../api/etcd-error.js';
import { NEWER_VERSION_USED } from '../../replica/snapshot/newer-version.js';
import { get, put } from '../../api/testing/requests.js';
import { FIRST_VERSION } from '../../replica/base/protocol.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { assertEqualTrees } from './equal-trees.js';
import { rewrite } from './files.js';
import { calm } from './surroundings.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import type { Version } from '../../storage/version/version.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';

const KEYS = 400;

function value(i: number, round: number): string {
  return `${i}-${round}-`.padEnd(180, String((i * 2654435761) % 1000003));
}

async function write(cluster: Cluster, round: number): Promise<void> {
  for (let at = 0; at < KEYS; at += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => (await cluster.leader()).store.put(put(`k${at + i}`, value(at + i, round)))),
    );
  }
}

function tables(node: ClusterNode): readonly TableMeta[] {
  return node.replica.tree.durable.list();
}

/** Nothing of it is left, parity included. */
function zero(node: ClusterNode, { id }: TableMeta): Promise<void> {
  return rewrite(node.disk, tablePath(id), (bytes) => bytes.fill(0));
}

/**
 * Tables without any of the state machine's own keys: a start can do without them, apply cannot.
 */
function userTables(node: ClusterNode): TableMeta[] {
  return tables(node).filter(({ smallest, largest }) => smallest[0] === USER_SPACE && largest[0] === USER_SPACE);
}

/**
 * Overwrites everything until no other member has any of `old` in any version. Gives the number of
 * rounds.
 */
async function compactAway(cluster: Cluster, others: readonly ClusterNode[], old: readonly TableMeta[]): Promise<number> {
  const digests = new Set(old.map((table) => table.fileDigest));
  const names = (version: Version): boolean => version.list().some((table) => digests.has(table.fileDigest));
  const gone = ({ replica: { tree } }: ClusterNode): boolean => !names(tree.durable) && !names(tree.latest);
  let round = 1;
  do await write(cluster, ++round);
  while (round < 12 || (round < 60 && !others.every(gone)));
  await cluster.until('the others to let go of the tables', () => others.every(gone));
  return round;
}

async function assertWhole(cluster: Cluster, round: number): Promise<void> {
  await cluster.settled();
  for (const node of cluster.nodes) {
    for (let i = 0; i < KEYS; i += 5) {
      for (const serializable of [false, true]) {
        const { kvs } = await node.store.range(get(`k${i}`, serializable));
        assert.equal(kvs[0] && fromUtf8(kvs[0].value), value(i, round), `node ${node.id}`);
      }
    }
  }
  assertEqualTrees(cluster.nodes);
  for (const node of cluster.nodes) assert.equal((await node.store.scrub(() => undefined)).faults, 0, `node ${node.id} is clean`);
}

function jumped(node: ClusterNode): boolean {
  return node.events.some((event) => event.type === 'warning' && event.message === NEWER_VERSION_USED);
}

function inTime(work: Promise<unknown>): Promise<unknown> {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('the member does not come up')), 20_000).unref());
  return Promise.race([work, late]);
}

describe('a member whose peers no longer keep what it lacks', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let others: ClusterNode[];

  beforeEach(async () => {
    // The log is never shortened: Raft has no reason to send a snapshot. Where the cluster's
    // version is raised the log goes on in another segment, and the first one may go.
    cluster = new Cluster(calm, { logSegmentBytes: 8 * 1024 * 1024 });
    for (const each of cluster.nodes) each.newestVersion = FIRST_VERSION;
    await cluster.upAll();
    await cluster.leader();
    await write(cluster, 1);
    await cluster.settled();
    node = await cluster.follower();
    others = cluster.nodes.filter((other) => other !== node);
    await cluster.kill(node);
  });

  afterEach(async () => {
    assert.ok(cluster.nodes.every(({ events }) => !events.some((event) => event.type === 'snapshot-sent')), 'Raft sent no snapshot');
    await cluster.close();
  });

  it('D1 comes up with a newer version when the state as of the flushed index was in tables that are lost', async () => {
    const lost = tables(node);
    const round = await compactAway(cluster, others, lost);
    for (const [i, table] of lost.entries()) await (i % 2 === 0 ? zero(node, table) : node.disk.unlink(tablePath(table.id)));
    await inTime(cluster.up(node));
    await assertWhole(cluster, round);
    assert.ok(jumped(node));
    // What it was handed is durable, and its log belongs to it.
    await cluster.kill(node);
    await inTime(cluster.up(node));
    await assertWhole(cluster, round);
  });

  it('D1 applies on with a newer version when an entry needs a table that is lost', async () => {
    const lost = userTables(node);
    assert.ok(lost.length > 0);
    const round = await compactAway(cluster, others, lost);
    for (const table of lost) await zero(node, table);
    await inTime(cluster.up(node));
    await assertWhole(cluster, round);
    assert.ok(jumped(node));
    await cluster.kill(node);
    await inTime(cluster.up(node));
    await assertWhole(cluster, round);
  });

  it('D1 R4 a running member that was cut off jumps, and serves nothing older than it served before', async () => {
    const lost = userTables(node);
    for (const table of lost) await zero(node, table);
    for (const other of others) cluster.hub.cut(node.id, other.id);
    await cluster.up(node);
    const round = await compactAway(cluster, others, lost);
    cluster.hub.heal();
    let newest = 0;
    let reading = true;
    const reader = (async () => {
      while (reading) {
        const { revision } = await node.store.range(get('absent', true)).catch(() => ({ revision: newest }));
        // The others have what the tables held: nothing is lost.
        await node.store.range(get('k7', true)).catch((error: unknown) => assert.equal(codeOf(error), 'UNHEALTHY'));
        assert.ok(revision >= newest, `R4 revision ${revision} after ${newest}`);
        newest = revision;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    await assertWhole(cluster, round).finally(() => (reading = false));
    await reader;
    assert.ok(jumped(node));
  });

  it('D1 a read that nobody could help reads on in the version that took its place', async () => {
    await cluster.up(node);
    await cluster.settled();
    const [table] = userTables(node) as [TableMeta];
    await zero(node, table);
    let asked = 0;
    const repair = async (): Promise<void> => {
      asked++;
      await cluster.until('the table to be healed', () => !node.replica.tree.materialized.list().some(({ id }) => id === table.id));
      throw new EtcdError('DATA_LOSS', 'given up meanwhile');
    };
    Object.assign(node.healing, { repair });
    for (let i = 0; i < KEYS; i++) {
      const { kvs } = await node.store.range(get(`k${i}`, true));
      assert.equal(kvs[0] && fromUtf8(kvs[0].value), value(i, 1));
    }
    assert.ok(asked > 0, 'the table was read');
  });
});
