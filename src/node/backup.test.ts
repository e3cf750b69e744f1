import assert from 'node:assert/strict';
import { get, put } from '../api/testing/requests.js';
import { fromUtf8, utf8 } from '../base/bytes.js';
import { MemoryDisk } from '../base/disk/memory-disk.js';
import { codeOf, DiskError } from '../base/errors.js';
import { testWorkers } from '../base/testing/test-env.js';
import { backupNames, foldBackup, heldTables, INCOMING } from '../replica/backup/backup-folder.js';
import { NEWEST_VERSION } from '../replica/base/protocol.js';
import { decodeKeyValue } from '../replica/kv/value-record.js';
import { USER_SPACE } from '../storage/base/read-view.js';
import { tablePath } from '../storage/table/table-meta.js';
import { all, newIdFor, openIn, restored, restoreTo, save, shown } from './testing/backups.js';
import { Cluster } from './testing/cluster.js';
import type { ClusterNode } from './testing/cluster-node.js';
import { bytesOf, rot, spoil } from './testing/files.js';
import { load, valueOf } from './testing/load.js';
import { calm } from './testing/surroundings.js';

describe('backup and restore of real members', function () {
  this.timeout(30_000);
  const clusters: Cluster[] = [];

  async function begin(writes = 0): Promise<Cluster> {
    const cluster = await Cluster.start(calm);
    clusters.push(cluster);
    await load(cluster, 0, writes);
    return cluster;
  }

  async function again(...args: Parameters<typeof restored>): Promise<Cluster> {
    const cluster = await restored(...args);
    clusters.push(cluster);
    return cluster;
  }

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
  });

  it('D1 what was saved is there again: keys, revisions, versions, history and the compact revision, on every member', async () => {
    const cluster = await begin(400);
    const [node] = cluster.nodes;
    assert.ok(node);
    await load(cluster, 400, 600, 50);
    await node.store.deleteRange({ key: utf8('key7'), rangeEnd: new Uint8Array(0), prevKv: false });
    await node.store.compact({ revision: 300, physical: false });
    await load(cluster, 600, 700, 50);
    const before = await all(node);
    const past = await all(node, 500);
    const from = await save(node);
    const backup = await openIn(from);
    assert.deepEqual(await backup.damages(), []);
    assert.equal(backup.archive.header.revision, before.revision);
    assert.equal(backup.archive.header.keys, before.kvs.length);

    const copy = await again(from);
    for (const member of copy.nodes) {
      const now = await all(member);
      assert.equal(now.revision, before.revision);
      assert.deepEqual(shown(now.kvs), shown(before.kvs));
      assert.deepEqual(shown((await all(member, 500)).kvs), shown(past.kvs));
      await assert.rejects(all(member, 299), { code: 'COMPACTED' });
      assert.equal(member.store.status().compactRevision, 300);
    }
    const [first] = copy.nodes;
    assert.ok(first);
    assert.equal((await first.store.put(put('new', 'x'))).revision, before.revision + 1);
    await load(copy, 0, 300);
    await copy.settled();
    assert.equal(new Set(copy.nodes.map((member) => JSON.stringify(member.store.status().manifest))).size, 1, 'S2 equal trees');
  });

  it('R4 a backup holds what was acknowledged before it was asked for, and no half of an entry', async () => {
    const cluster = await begin();
    const follower = await cluster.follower();
    let acknowledged = 0;
    let stop = false;
    const writing = (async () => {
      for (let i = 1; !stop; i++) {
        const ops = ['a', 'b', 'c'].map((key) => ({ kind: 'put' as const, request: put(key, String(i)) }));
        await (cluster.nodes[i % 3] as ClusterNode).store.txn({ compare: [], success: ops, failure: [] });
        acknowledged = i;
      }
    })();
    for (let round = 0; round < 5; round++) {
      await cluster.until('more writes', () => acknowledged > round * 20);
      const least = acknowledged;
      const backup = await openIn(await save(follower));
      const values = backup.withState(({ kv }, tree) => ['a', 'b', 'c'].map((key) => {
        const entry = tree.current.get(USER_SPACE, utf8(key), kv.revision);
        assert.ok(entry);
        const kvOf = decodeKeyValue(entry.key, entry.revision, entry.value);
        return `${fromUtf8(kvOf.value)} at ${kvOf.modRevision}`;
      }));
      assert.equal(new Set(values).size, 1, `one txn: ${values.join()}`);
      assert.ok(Number.parseInt(values[0] ?? '', 10) >= least);
      assert.ok(backup.archive.header.revision >= least + 1, `${backup.archive.header.revision} after ${least} acknowledged`);
    }
    stop = true;
    await writing;
  });

  it('S5 tables of a backup stay while it is read, and go when it is left', async () => {
    const cluster = await begin(500);
    await cluster.settled();
    const [node] = cluster.nodes;
    assert.ok(node);
    const tables = node.replica.tree.materialized.list();
    const stream = node.store.backup();
    await stream.next();
    await load(cluster, 500, 1500, 40);
    await cluster.settled();
    const left = tables.filter(({ id }) => !node.replica.tree.latest.has(id));
    assert.ok(left.length > 0, 'compaction has replaced some of them');
    for (const { id } of tables) assert.ok(node.disk.sizeOf(tablePath(id)) !== undefined, `table ${id} is read`);
    await stream.return();
    await node.replica.tree.collect();
    for (const { id } of left) assert.equal(node.disk.sizeOf(tablePath(id)), undefined, `table ${id} is let go`);
  });

  it('what is written while a backup is read is not in it', async () => {
    const cluster = await begin(300);
    const [node] = cluster.nodes;
    assert.ok(node);
    const before = await all(node);
    const disk = new MemoryDisk();
    const file = await disk.open('backup', 'create');
    let offset = 0;
    for await (const { bytes } of node.store.backup()) {
      await file.write(bytes, offset);
      offset += bytes.length;
      await load(cluster, offset % 1000, (offset % 1000) + 20, 100);
    }
    const copy = await again(disk);
    assert.deepEqual(shown((await all(copy.nodes[0] as ClusterNode)).kvs), shown(before.kvs));
  });

  it('not more than two are under way, and a refused one holds nothing', async () => {
    const [node] = (await begin(50)).nodes;
    assert.ok(node);
    const streams = [node.store.backup(), node.store.backup()];
    for (const stream of streams) await stream.next();
    await assert.rejects(node.store.backup().next(), { code: 'TOO_MANY_REQUESTS' });
    for (const stream of streams) await stream.return();
    await save(node);
  });

  it('S4 a table that is gone or bad beyond parity comes from the others', async () => {
    const cluster = await begin(600);
    await cluster.settled();
    const [node] = cluster.nodes;
    assert.ok(node);
    const before = await all(node);
    const [first, second] = node.replica.tree.materialized.list();
    assert.ok(first && second);
    await node.disk.unlink(tablePath(first.id));
    await spoil(node.disk, tablePath(second.id), 0, second.bytes - 2000);
    const backup = await openIn(await save(node));
    assert.deepEqual(await backup.damages(), []);
    assert.equal(backup.archive.header.revision, before.revision);
  });

  it('D1 a block that no member has fails the backup with DATA_LOSS: never a bad archive', async () => {
    const cluster = await begin(600);
    await cluster.settled();
    const [node] = cluster.nodes;
    assert.ok(node);
    const [table] = [...node.replica.tree.materialized.list()].sort((a, b) => b.bytes - a.bytes);
    assert.ok(table && table.bytes > 16_000, 'a table of many blocks');
    for (const member of cluster.nodes) await spoil(member.disk, tablePath(table.id), table.bytes / 4, table.bytes / 2);
    await assert.rejects(save(node), { code: 'DATA_LOSS' });
    await assert.rejects(save(node), { code: 'DATA_LOSS' }, 'and again: nothing is held');
  });

  it('--bump-revision: revisions go on above, and all older ones are compacted', async () => {
    const cluster = await begin(200);
    const [node] = cluster.nodes;
    assert.ok(node);
    const before = await all(node);
    const copy = await again(await save(node), { bump: 1_000_000 });
    for (const member of copy.nodes) {
      const now = await all(member);
      assert.equal(now.revision, before.revision + 1_000_000);
      assert.deepEqual(shown(now.kvs), shown(before.kvs));
      await assert.rejects(all(member, before.revision), { code: 'COMPACTED' });
      await assert.rejects(all(member, now.revision - 1), { code: 'COMPACTED' });
    }
    const written = await (copy.nodes[0] as ClusterNode).store.put(put('new', 'x'));
    assert.equal(written.revision, before.revision + 1_000_001);
  });

  it('the old cluster does not disturb the new one: what its members proposed is forgotten', async () => {
    const cluster = await begin(200);
    const [node] = cluster.nodes;
    assert.ok(node);
    assert.ok(node.replica.kv.incarnationOf(1) > 0);
    const copy = await again(await save(node));
    // A restored member has a first life of its own.
    assert.deepEqual(copy.nodes.map(({ replica }) => replica.kv.incarnationOf(99)), [0, 0, 0]);
    await copy.until('all to have announced their first life', () => copy.nodes.every(({ replica }) => [1, 2, 3].every((id) => replica.kv.incarnationOf(id) === 1)));
  });

  it('members that came and went, ids that are used up and alarms stay with the old cluster; the new one has those of its flags', async () => {
    const cluster = await begin();
    await cluster.until('the newest version', () => cluster.nodes.every(({ store }) => store.status().clusterVersion === NEWEST_VERSION));
    const [node] = cluster.nodes;
    assert.ok(node);
    const url = 'http://m9:2380';
    const members = await node.store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: true });
    const added = members.find(({ peerUrls }) => peerUrls[0] === url)?.id;
    assert.ok(added !== undefined);
    await node.store.changeAlarm({ action: 'raise', member: node.id, type: 'CORRUPT' });
    await load(cluster, 0, 400);
    assert.ok(node.replica.tree.durable.flushed.index > 0, 'tables hold them');
    const copy = await again(await save(node));
    for (const member of copy.nodes) {
      assert.deepEqual(member.store.members().map(({ id }) => id), [1, 2, 3]);
      assert.deepEqual(member.replica.membership.confState.learners, []);
      assert.deepEqual(await member.store.alarms(), []);
    }
    // And it can change its own.
    const now = await (copy.nodes[0] as ClusterNode).store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: true });
    assert.equal(now.length, 4);
    await load(copy, 400, 800);
    await copy.settled();
    assert.equal((copy.nodes[1] as ClusterNode).store.members().length, 4);
  });

  it('R5 a member that is restored again beside a cluster that has met it is refused', async () => {
    const cluster = await begin(100);
    const from = await save(cluster.nodes[0] as ClusterNode);
    const copy = await again(from);
    const [node] = copy.nodes;
    assert.ok(node);
    await copy.until('all to be met', () => copy.nodes.every(({ replica }) => replica.kv.incarnationOf(node.id) === 1));
    await copy.stop(node);
    node.disk = new MemoryDisk();
    await restoreTo(node.disk, await openIn(from), node.id);
    await assert.rejects(copy.up(node), { code: 'ROLLED_BACK' });
  });

  it('a member of the new cluster that was not restored gets all of it from the others', async () => {
    const cluster = await begin(300);
    const before = await all(cluster.nodes[0] as ClusterNode);
    const copy = await again(await save(cluster.nodes[0] as ClusterNode), { lacking: 1 });
    assert.deepEqual(shown((await all(copy.nodes[0] as ClusterNode)).kvs), shown(before.kvs));
  });

  it('a damaged backup is refused before anything is touched, and so is a directory in use', async () => {
    const cluster = await begin(300);
    const from = await save(cluster.nodes[0] as ClusterNode);
    const good = bytesOf(from, 'backup');
    for (let i = 0; i < 60; i++) {
      const at = (i * 2_654_435_761) % good.length;
      const spoiled = new MemoryDisk();
      const bytes = good.slice();
      bytes[at] = (bytes[at] as number) ^ (1 << (i % 8));
      spoiled.openSync('backup', 'create').writeSync(bytes, 0);
      const target = new MemoryDisk();
      const tried = openIn(spoiled).then((backup) => restoreTo(target, backup, 1));
      await assert.rejects(tried, (error) => /DAMAGED|NOT_A_BACKUP/.test(codeOf(error) ?? ''), `byte ${at}`);
      assert.deepEqual(await target.list(''), [], 'nothing was touched');
    }
    const used = new MemoryDisk();
    used.openSync('precious', 'create').writeSync(utf8('x'), 0);
    await assert.rejects(restoreTo(used, await openIn(from), 1), { code: 'NOT_EMPTY' });
    assert.deepEqual(await used.list(''), ['precious']);
  });

  it('R5 a restore that was cut short anywhere is refused by a start, and begins anew', async () => {
    const cluster = await begin(150);
    const backup = await openIn(await save(cluster.nodes[0] as ClusterNode));
    let finished = false;
    let refused = 0;
    for (let allowed = 1; !finished; allowed += 8) {
      let changes = 0;
      const disk = new MemoryDisk({
        onChange: () => {
          if (++changes > allowed) throw new DiskError('IO', 'the power is off');
        },
      });
      finished = await restoreTo(disk, backup, 1).then(() => true, () => false);
      if (finished || disk.sizeOf('restoring') === undefined) continue;
      refused++;
      changes = -Infinity;
      const copy = new Cluster(calm, { members: 1, clusterId: newIdFor(backup) });
      clusters.push(copy);
      const [node] = copy.nodes;
      assert.ok(node);
      node.disk = disk;
      await assert.rejects(copy.up(node), /RESTORE_UNFINISHED.*kintsugi restore again/);
      await restoreTo(disk, backup, 1);
      await copy.up(node);
      await copy.leader();
      assert.equal((await node.store.range(get('key3'))).kvs.length, 1);
    }
    assert.ok(refused > 5, `${refused} places`);
  });

  it('a folder: a second backup copies only what it lacks, and each can be restored', async () => {
    const cluster = await begin(800);
    await cluster.settled();
    const [node] = cluster.nodes;
    assert.ok(node);
    const folder = { disk: new MemoryDisk(), workers: testWorkers };
    const fold = async (name: string): Promise<{ newTables: number; tables: number }> => {
      await save(node, new Set(await heldTables(folder)), folder.disk, INCOMING);
      return foldBackup(folder, name);
    };
    const first = await fold('monday');
    assert.equal(first.newTables, first.tables);
    const monday = await all(node);
    await load(cluster, 800, 860);
    const second = await fold('tuesday');
    assert.ok(second.newTables < second.tables / 2, `${second.newTables} of ${second.tables}`);
    const tuesday = await all(node);
    assert.deepEqual(await backupNames(folder.disk), ['monday', 'tuesday']);
    for (const [name, expected] of [['monday', monday], ['tuesday', tuesday]] as const) {
      const copy = await again(folder.disk, { path: `${name}.backup` });
      assert.deepEqual(shown((await all(copy.nodes[0] as ClusterNode)).kvs), shown(expected.kvs));
    }
    await assert.rejects(fold('monday'), { code: 'NOT_EMPTY' });
  });

  it('a folder: a table that has rotted is found by all that need it, and comes again', async () => {
    const cluster = await begin(500);
    await cluster.settled();
    const [node] = cluster.nodes;
    assert.ok(node);
    const folder = { disk: new MemoryDisk(), workers: testWorkers };
    await save(node, new Set(), folder.disk, INCOMING);
    await foldBackup(folder, 'one');
    const victim = `tables/${(await folder.disk.list('tables'))[0] ?? ''}`;
    await rot(folder.disk, victim, 1000, 1001);
    const damaged = await openIn(folder.disk, 'one.backup');
    assert.equal((await damaged.damages())[0]?.file, victim);
    await assert.rejects(restoreTo(new MemoryDisk(), damaged, 1), { code: 'DAMAGED' });
    await save(node, new Set(await heldTables(folder)), folder.disk, INCOMING);
    const again = await foldBackup(folder, 'two');
    assert.ok(again.newTables >= 1);
    for (const name of ['one', 'two']) assert.deepEqual(await (await openIn(folder.disk, `${name}.backup`)).damages(), []);
    await folder.disk.unlink(victim);
    await assert.rejects(openIn(folder.disk, 'one.backup'), { code: 'INCOMPLETE' });
  });

  it('values of a member\'s memtables are saved as they were, whatever their size', async () => {
    const cluster = await begin();
    const [node] = cluster.nodes;
    assert.ok(node);
    await node.store.put(put('large', 'x'.repeat(600_000)));
    await node.store.put(put('small', valueOf(1)));
    const before = await all(node);
    const copy = await again(await save(node));
    assert.deepEqual(shown((await all(copy.nodes[2] as ClusterNode)).kvs), shown(before.kvs));
  });
});
