import assert from 'node:assert/strict';
import { get, put } from '../../api/testing/requests.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { beginRecovery, planRecovery } from '../../replica/readmission/begin.js';
import { findEvidence } from '../../replica/readmission/evidence.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

describe('a member that is re-admitted', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  afterEach(() => cluster.close());

  async function started(members = 3, autoRecover = false): Promise<void> {
    cluster = await Cluster.start(calm, { members, autoRecover });
    await cluster.until('the newest version', () => cluster.nodes.every((node) => node.store.status().clusterVersion === NEWEST_VERSION));
    await load(cluster, 0, 600);
    await cluster.settled();
  }

  const copyOf = (disk: MemoryDisk): MemoryDisk => {
    const copy = new MemoryDisk();
    for (const dir of ['tables', 'manifest', 'log']) void copy.mkdir(dir);
    for (const path of disk.files()) {
      const from = disk.openSync(path, 'read');
      const bytes = new Uint8Array(from.size());
      from.readSync(bytes, 0);
      copy.openSync(path, 'create').writeSync(bytes, 0);
    }
    return copy;
  };

  /** What an operator's `kintsugi recover` does. */
  async function recover(node: ClusterNode, emptied = false): Promise<void> {
    const evidence = await findEvidence(node.disk);
    const claimed = { self: node.id, clusterId: 77n };
    await beginRecovery(node.disk, planRecovery({ evidence, claimed, emptied }, seededRandom(node.id)));
  }

  /** It has the vote of the old one, which is gone for good, and all data. */
  async function inPlaceOf(old: ClusterNode, next: ClusterNode): Promise<void> {
    assert.notEqual(next.id, old.id);
    await cluster.until('the new member to vote', () => next.replica.membership.standing(next.id) === 'voter' && next.replica.readmissions.pending === undefined, 20_000);
    await cluster.settled(20_000);
    for (const { replica } of cluster.alive) {
      assert.ok(replica.membership.isRemoved(old.id));
      assert.equal(replica.membership.voters.length, 3);
    }
    assert.equal((await next.store.range(get('key599'))).kvs.length, 1);
    assert.deepEqual(next.disk.files().filter((path) => /^(recovering|refused|aside)/.test(path)), []);
    await next.store.put(put('after', 'all'));
  }

  async function lost(code: string, damage: (disk: MemoryDisk) => MemoryDisk | void, which?: ClusterNode): Promise<ClusterNode> {
    const node = which ?? (await cluster.follower());
    await cluster.kill(node);
    node.disk = damage(node.disk) ?? node.disk;
    await assert.rejects(cluster.up(node), (error) => codeOf(error) === code, code);
    return node;
  }

  it('R5 D1 without a hard state: it keeps its tables, catches up, and takes its own place', async () => {
    await started();
    const node = await lost('MISSING', (disk) => void disk.unlink('hardstate'));
    await recover(node);
    await load(cluster, 600, 700);
    const next = await cluster.recovered(node);
    await inPlaceOf(node, next);
    assert.ok(next.events.some((event) => event.type === 'snapshot-received' && event.reusedBytes > 0 && event.fetchedBytes < event.reusedBytes));
  });

  it('R5 D1 with a hard state that cannot be read', async () => {
    await started();
    const node = await lost('UNREADABLE', (disk) => disk.openSync('hardstate', 'write').writeSync(new Uint8Array(3 * 11 * 4096).fill(7), 0));
    await recover(node);
    await inPlaceOf(node, await cluster.recovered(node));
  });

  it('R5 D1 emptied', async () => {
    await started();
    const node = await lost('EMPTIED', () => new MemoryDisk());
    await assert.rejects(recover(node), { code: 'NOT_CONFIRMED' });
    await recover(node, true);
    await inPlaceOf(node, await cluster.recovered(node));
  });

  it('R5 D1 rolled back', async () => {
    await started();
    const node = await cluster.follower();
    const old = copyOf(node.disk);
    await cluster.kill(node);
    await cluster.up(node);
    await cluster.until('the start to be announced', () => cluster.alive.every(({ replica }) => replica.kv.incarnationOf(node.id) === 2));
    const again = await lost('ROLLED_BACK', () => old, node);
    await recover(again);
    await inPlaceOf(again, await cluster.recovered(again));
  });

  it('R5 D1 by itself, with autoRecover, and again when it loses its promises again', async () => {
    await started(3, true);
    let node = await cluster.follower();
    for (let times = 0; times < 2; times++) {
      await cluster.kill(node);
      await node.disk.unlink('hardstate');
      const next = await cluster.recovered(node);
      await inPlaceOf(node, next);
      node = next;
    }
  });
});
