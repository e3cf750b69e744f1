import assert from 'node:assert/strict';
import { must } from '../../base/assert.js';
import { MiB, utf8 } from '../../base/bytes.js';
import type { SlowDisk } from '../../base/disk/testing/slow-disk.js';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { VirtualTime } from './virtual-time.js';

type Node = ClusterNode<SlowDisk>;

/** As the members have it. */
const ELECTION_MS = 300;
/** Of a disk that is well. */
const SYNC_MS = 4;

describe('members whose disks are slow', () => {
  let time: VirtualTime;
  let cluster: Cluster<SlowDisk>;
  let leader: Node;
  let others: readonly Node[];

  beforeEach(async () => {
    time = new VirtualTime();
    cluster = new Cluster(time, { logSegmentBytes: MiB });
    for (const { disk } of cluster.nodes) disk.syncMs = SYNC_MS;
    await time.during(cluster.upAll());
    leader = await time.until('a leader', () => cluster.leading);
    others = cluster.nodes.filter((node) => node !== leader);
    // A log goes on in a fresh segment once the cluster has its version: a slow write of its own.
    await time.until('the version', () => cluster.nodes.every(({ store }) => store.status().clusterVersion === NEWEST_VERSION));
    await time.during(leader.store.put(put('k', 'v')));
    await time.pass(ELECTION_MS);
  });
  afterEach(() => time.during(cluster.close()));

  /** One put after the other, for so long; how long each took, in ms. */
  async function write({ store }: Node, forMs: number): Promise<number[]> {
    const took: number[] = [];
    for (const end = time.now() + forMs; time.now() < end; ) {
      const began = time.now();
      await time.during(store.put(put(`k${took.length % 50}`, `${took.length}`)));
      took.push(time.now() - began);
    }
    return took;
  }

  function successor(): Node | undefined {
    return others.find(({ replica }) => replica.leadership.isLeader);
  }

  function isLost(what: RegExp): boolean {
    return leader.events.some((event) => event.type === 'leader-lost' && what.test(event.why));
  }

  it('D1 a leader whose sync does not return hands over within two election time-outs, and what was acknowledged stays', async () => {
    const acknowledged = new Map<string, number>();
    let writing = true;
    let gapMs = 0;
    const writers = others.map(async ({ id, store }) => {
      for (let i = 0; writing; i++) {
        const key = `${id} ${i % 50}`;
        const began = time.now();
        acknowledged.delete(key);
        await store.put(put(key, `${i}`)).then(() => acknowledged.set(key, i), (error: unknown) => {
          if (codeOf(error) === undefined) throw error;
        });
        gapMs = Math.max(gapMs, time.now() - began);
      }
    });
    await time.pass(ELECTION_MS);
    const { term } = leader.replica.leadership;
    let release = (): void => undefined;
    leader.disk.stall = new Promise((resolve) => (release = resolve));
    try {
      const next = await time.until('another leader', successor, 2 * ELECTION_MS);
      assert.equal(next.replica.leadership.term, term + 1, 'asked to lead, not elected after a time-out');
      assert.ok(isLost(/its own disk has been writing/));
      await time.pass(2 * ELECTION_MS);
    } finally {
      writing = false;
      leader.disk.stall = undefined;
      release();
      await time.during(Promise.all(writers));
    }
    assert.ok(gapMs <= 2 * ELECTION_MS, `a client waited for ${gapMs} ms`);
    assert.ok(acknowledged.size > 50);
    for (const [key, value] of acknowledged) {
      const { kvs } = await time.during(leader.store.range(get(key)));
      assert.deepEqual(must(kvs[0], key).value, utf8(`${value}`), key);
    }
  });

  it('a leader whose disk becomes slow by its own past and by its peers hands over, and writes are as quick as before', async () => {
    const before = await write(leader, 5 * ELECTION_MS);
    assert.equal(successor(), undefined);
    leader.disk.syncMs = ELECTION_MS / 3;
    const deadline = time.now() + 10 * ELECTION_MS;
    while (successor() === undefined) {
      assert.ok(time.now() < deadline, 'a leader whose disk is slow leads on');
      await write(leader, 1);
    }
    assert.ok(isLost(/the disk here is slow/));
    const next = await time.until('the next leader to serve', () => cluster.leading);
    const after = await write(next, 2 * ELECTION_MS);
    assert.ok(Math.max(...after) <= Math.max(...before), `${after.join()} ms a write, ${before.join()} before`);
  });

  it('where all disks become slow alike nobody could do better: the leader leads on', async () => {
    await write(leader, 3 * ELECTION_MS);
    for (const { disk } of cluster.nodes) disk.syncMs = ELECTION_MS / 6;
    await write(leader, 10 * ELECTION_MS);
    assert.equal(cluster.leading, leader);
    assert.ok(!isLost(/disk/));
  });

  it('a follower whose disk is slow changes neither who leads nor how long a write takes', async () => {
    const before = await write(leader, ELECTION_MS);
    must(others[0], 'a follower').disk.syncMs = ELECTION_MS / 2;
    const after = await write(leader, 10 * ELECTION_MS);
    assert.equal(cluster.leading, leader);
    assert.ok(!isLost(/disk/));
    assert.ok(Math.max(...after) <= Math.max(...before), `up to ${Math.max(...after)} ms a write, ${Math.max(...before)} before`);
  });
});
