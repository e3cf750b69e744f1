import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { put } from '../../api/testing/requests.js';
import { SlowDisk } from '../../base/disk/testing/slow-disk.js';
import { codeOf } from '../../base/errors.js';
import { testEnv } from '../../base/testing/test-env.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';

/** Five times what the members of these tests hold worth a change of leader. */
const SLOW_MS = 40;

describe('a member whose disk becomes slow', function () {
  this.timeout(60_000);
  let cluster: Cluster<SlowDisk>;
  let writing: Promise<unknown>;
  let over: boolean;

  beforeEach(async () => {
    over = false;
    cluster = await Cluster.start<SlowDisk>({
      newDisk: () => new SlowDisk(), env: ({ self, disk, hub, emit }) => testEnv(self, disk, hub, emit), powerLoss: () => undefined,
    });
    writing = Promise.all(cluster.nodes.map(async ({ id, store }) => {
      for (let i = 0; !over; i++) {
        // What became of one that a snapshot overtook, or a change of leader, is not known.
        await store.put(put(`k${id}-${i % 50}`, `${i}`)).catch((error: unknown) => assert.ok(codeOf(error), String(error)));
      }
    }));
  });

  afterEach(async () => {
    over = true;
    await writing.finally(() => cluster.close());
  });

  const handedOver = (node: ClusterNode<SlowDisk>): boolean =>
    node.events.some((event) => event.type === 'leader-lost' && event.why.startsWith('the disk here is slow'));

  it('leads no more: a quicker one does', async () => {
    const slow = await cluster.until('one to hand over', () => {
      // Whoever leads is the slow one.
      const leader = cluster.nodes.find(({ replica }) => replica.leadership.isLeader);
      const found = cluster.nodes.find(handedOver);
      if (leader !== undefined && found === undefined) for (const node of cluster.nodes) node.disk.syncMs = node === leader ? SLOW_MS : 0;
      return found;
    });
    await cluster.until('a quicker one to lead', () => cluster.nodes.some((node) => node !== slow && node.replica.leadership.isLeader) || undefined);
  });

  it('leads on where all disks are as slow, and is followed by one that is slow alone', async () => {
    for (const { disk } of cluster.nodes) disk.syncMs = SLOW_MS;
    await sleep(1_500);
    for (const { disk } of cluster.nodes) disk.syncMs = 0;
    (await cluster.follower()).disk.syncMs = SLOW_MS;
    await sleep(1_500);
    assert.ok(!cluster.nodes.some(handedOver));
  });
});
