import assert from 'node:assert/strict';
import type { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { fromUtf8 } from '../../base/bytes.js';
import { get, put } from '../../api/testing/requests.js';
import { LOG_RENEWED } from '../../replica/consensus/log-fence.js';
import { LOG_MOVED } from '../../replica/start/log-opener.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { failingDisks } from './failing-disks.js';
import { load, valueOf } from './load.js';
import { resolved } from './log-damage.js';

type Node = ClusterNode<FaultDisk>;

const said = (node: Node, what: string): boolean => node.events.some((event) => event.type === 'warning' && event.message === what);

async function check(node: Node, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const { kvs } = await node.store.range({ ...get(`key${i}`), serializable: true });
    assert.equal(kvs[0] && fromUtf8(kvs[0].value), valueOf(i), `key${i}`);
  }
}

describe('a member whose disk refuses to write its log', function () {
  this.timeout(60_000);
  let cluster: Cluster<FaultDisk>;

  beforeEach(async () => {
    cluster = await Cluster.start(failingDisks, {});
    await load(cluster, 0, 20);
    await cluster.settled(20_000);
  });

  afterEach(() => cluster.close());

  for (const kind of ['sync-error', 'write-error'] as const) {
    it(`R2 C1 a follower (${kind}) acknowledges nothing of it, and goes on in a fresh segment without ending`, async () => {
      const node = await cluster.follower();
      const before = node.replica.log.lastIndex();
      node.disk.inject({ kind, path: 'log', times: 1 });
      await load(cluster, 20, 40);
      await cluster.until('a fresh segment', () => said(node, LOG_RENEWED));
      await cluster.settled(20_000);
      await check(node, 0, 40);
      assert.equal(node.starts, 1);
      assert.ok(node.replica.log.lastIndex() > before);
      await cluster.kill(node);
      await node.disk.restart();
      assert.deepEqual((await resolved(node.disk)).faults, []);
      await cluster.up(node);
      await cluster.settled(20_000);
      await check(node, 0, 40);
    });

    it(`R2 C1 a leader (${kind}) leads no more, and what it had taken is written once`, async () => {
      const old = await cluster.leader();
      old.disk.inject({ kind, path: 'log', times: 1 });
      const putting = old.store.put(put('during', 'x'));
      await cluster.until('it leads no more', () => said(old, LOG_RENEWED));
      await putting;
      await cluster.settled(20_000);
      for (const node of cluster.nodes) {
        const { kvs } = await node.store.range({ ...get('during'), serializable: true });
        assert.equal(kvs[0]?.version, 1);
      }
    });
  }

  it('C1 serves what it has applied while its disk refuses everything, says so, and comes back with it', async () => {
    const node = await cluster.follower();
    const faults = (['sync-error', 'write-error'] as const).map((kind) => node.disk.inject({ kind, path: 'log' }));
    const leader = await cluster.leader();
    for (let i = 20; i < 30; i++) await leader.store.put(put(`key${i}`, valueOf(i)));
    await cluster.until('it says so', () => node.store.status().errors.some((why) => why.startsWith('the log takes no entries')));
    await check(node, 0, 20);
    for (let i = 30; i < 40; i++) await leader.store.put(put(`key${i}`, valueOf(i)));
    for (const fault of faults) fault.remove();
    await cluster.settled(20_000);
    await check(node, 0, 40);
    assert.equal(node.starts, 1);
  });

  for (const lost of [false, true]) it(`C1 one that cannot open the segment where its log ends goes on in the next${lost ? ', its version lost' : ''}`, async () => {
    const node = await cluster.follower();
    let written = 20;
    // Who has no version sees a log that begins somewhere.
    while (lost && node.store.status().firstLogIndex === 1) {
      await load(cluster, written, (written += 200));
      await cluster.settled(20_000);
    }
    await cluster.stop(node);
    const { kept } = await resolved(node.disk);
    const path = `log/${(kept.at(-1)?.generation ?? 0).toString(16).padStart(16, '0')}.seg`;
    node.disk.inject({ kind: 'open-error', path });
    if (lost) for (const name of await node.disk.list('manifest')) await node.disk.unlink(`manifest/${name}`);
    await load(cluster, written, written + 10);
    await cluster.up(node);
    assert.ok(said(node, LOG_MOVED));
    await cluster.settled(20_000);
    await check(node, 0, written + 10);
    await cluster.stop(node);
    await cluster.up(node);
    await cluster.settled(20_000);
    await check(node, 0, written + 10);
  });

  for (const [what, isFull] of [['for that segment', (path: string) => path.startsWith('log/mend-')], ['for anything', () => true]] as const) {
    it(`C1 one that cannot open the segment where its log ends, and has lost its version, waits where there is no room ${what}`, async () => {
      const node = await cluster.follower();
      let written = 20;
      while (node.store.status().firstLogIndex === 1) {
        await load(cluster, written, (written += 200));
        await cluster.settled(20_000);
      }
      const first = node.replica.log.firstIndex();
      await cluster.stop(node);
      const { kept } = await resolved(node.disk);
      node.disk.inject({ kind: 'open-error', path: `log/${(kept.at(-1)?.generation ?? 0).toString(16).padStart(16, '0')}.seg` });
      for (const name of await node.disk.list('manifest')) await node.disk.unlink(`manifest/${name}`);
      const full = node.disk.inject({ kind: 'no-space', path: isFull });
      node.events.length = 0;
      const starting = cluster.up(node);
      const waits = (): number => node.events.filter((event) => event.type === 'warning' && event.message.includes('no room on the disk')).length;
      await cluster.until('it to wait for room', () => waits() >= 3, 20_000);
      assert.ok(!node.up);
      await load(cluster, written, (written += 10));
      full.remove();
      await starting;
      assert.ok(said(node, LOG_MOVED));
      assert.ok(node.replica.log.firstIndex() >= first, 'it goes on from its own log');
      await cluster.settled(20_000);
      await check(node, 0, written);
      await cluster.stop(node);
      await cluster.up(node);
      await cluster.settled(20_000);
      await check(node, 0, written);
    });
  }
});
