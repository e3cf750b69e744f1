import assert from 'node:assert/strict';
import { must } from '../../base/assert.js';
import { SLOT_BYTES, slotOffset } from '../../replica/hard-state/slots.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { calm } from './surroundings.js';

describe('a hard state that goes bad under a running member', () => {
  let cluster: Cluster;
  let node: ClusterNode;

  beforeEach(async () => {
    cluster = await Cluster.start(calm);
    await load(cluster, 0, 20, 20);
    node = await cluster.follower();
    node.events.length = 0;
  });
  afterEach(() => cluster.close());

  /** It is told of so many bad copies, and comes back with what it has promised. */
  async function isMended(copies: number): Promise<void> {
    const { faults } = await node.store.scrub(() => undefined);
    assert.equal(faults, copies);
    const told = node.events.find((event) => event.type === 'warning' && event.message.includes('hard state'));
    assert.equal(told?.type === 'warning' ? told.data.copies : undefined, copies);
    assert.equal((await node.store.scrub(() => undefined)).faults, 0);
    const { term } = node.replica.leadership;
    await cluster.kill(node);
    await cluster.up(node);
    assert.ok(node.replica.leadership.term >= term);
    await cluster.settled();
  }

  it('R5 three bad copies of four are found by a scrub and written anew: the member starts again', async () => {
    for (const slot of [0, 1, 3]) must(node.disk.node('hardstate'), 'its file').bytes.fill(0xaa, slotOffset(slot), slotOffset(slot) + SLOT_BYTES);
    await isMended(3);
  });

  it('R5 a file that was deleted is there again', async () => {
    await node.disk.unlink('hardstate');
    await isMended(4);
  });
});
