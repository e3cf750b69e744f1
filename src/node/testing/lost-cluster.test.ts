import assert from 'node:assert/strict';
import type { KeyValue } from '../../api/requests.js';
import { get, put } from '../../api/testing/requests.js';
import { fromUtf8, utf8 } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { codeOf } from '../../base/errors.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { testClock, testRandom, testWorkers } from '../../base/testing/test-env.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { LostCluster, type Made, type NewCluster } from '../../replica/lost-cluster/force-new-cluster.js';
import { goOn } from '../../replica/lost-cluster/takeover.js';
import type { Findings } from '../../replica/lost-cluster/findings.js';
import { readJoined } from '../../replica/state/joined.js';
import { RepairStore } from '../../healing/repair/repair-store.js';
import { versionAtRest } from '../../replica/start/version-at-rest.js';
import { decodeBlock } from '../../storage/block/block-codec.js';
import { TableImage } from '../../storage/table/table-image.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { bytesOf, spoil } from './files.js';
import { load, valueOf } from './load.js';
import { rotEntries } from './log-damage.js';
import { calm } from './surroundings.js';

const NAMED: NewCluster = {
  name: 'n2', peerUrls: ['http://n2:2380'], acceptLoss: false, bump: 0, command: 'kintsugi recover again', logSegmentBytes: 64 * 1024,
};

const envOf = (disk: Disk) => ({ disk, clock: testClock, workers: testWorkers, random: testRandom, events: { emit: () => undefined } });

function openLost(disk: Disk): Promise<LostCluster> {
  const kept = new RepairStore(envOf(disk));
  return LostCluster.open(envOf(disk), { patch: ({ fileDigest }, offset) => kept.get(fileDigest, offset) });
}

async function lookAt(disk: Disk): Promise<Findings> {
  const lost = await openLost(disk);
  lost.close();
  return lost.findings;
}

async function makeNew(disk: Disk, options: Partial<NewCluster> = {}): Promise<Made> {
  const lost = await openLost(disk);
  try {
    return await lost.makeNew({ ...NAMED, ...options });
  } finally {
    lost.close();
  }
}

/** The one member of it, up. */
async function cluster({ clusterId, memberId }: Made, disk: MemoryDisk): Promise<Cluster> {
  const one = new Cluster(calm, { ids: [memberId], clusterId });
  (one.nodes[0] as ClusterNode).disk = disk;
  await one.upAll();
  await one.leader();
  return one;
}

async function all({ store }: ClusterNode, revision = 0): Promise<{ readonly kvs: readonly KeyValue[]; readonly revision: number }> {
  return store.range({ ...get(''), key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), revision });
}

const shown = (kvs: readonly KeyValue[]): string[] =>
  kvs.map((kv) => [fromUtf8(kv.key), fromUtf8(kv.value), kv.createRevision, kv.modRevision, kv.version].join(' '));

/** By name, all files but those that say nothing. */
const contents = (disk: MemoryDisk): Map<string, Uint8Array> => new Map(disk.files().map((path) => [path, bytesOf(disk, path)]));

/** Is only read. */
class Untouched extends MemoryDisk {
  constructor(from: MemoryDisk) {
    let copied = false;
    super({ onChange: (change) => assert.ok(!copied, `nothing is written: ${change.kind}`) });
    for (const path of from.files()) copyFile(from, this, path);
    copied = true;
  }
}

function copyFile(from: Disk, to: Disk, path: string): void {
  const parts = path.split('/').slice(0, -1);
  if (parts.length > 0) void to.mkdir(parts.join('/'));
  const file = to.openSync(path, 'create');
  file.writeSync(bytesOf(from, path), 0);
  file.close();
}

describe('a new cluster on what is left of another', function () {
  this.timeout(60_000);
  const clusters: Cluster[] = [];
  const kept = <C extends Cluster>(one: C): C => {
    clusters.push(one);
    return one;
  };

  /** All members are dead; one disk is left, and what the cluster held. */
  async function lost(writes = 900): Promise<{ disk: MemoryDisk; before: Awaited<ReturnType<typeof all>>; past: readonly KeyValue[] }> {
    const three = await Cluster.start(calm);
    await load(three, 0, writes, 200);
    const [, node] = three.nodes as [ClusterNode, ClusterNode];
    await node.store.deleteRange({ key: utf8('key7'), rangeEnd: new Uint8Array(0), prevKv: false });
    await node.store.compact({ revision: 100, physical: false });
    await node.store.put(put('last', 'x'));
    const before = await all(node);
    const past = (await all(node, Math.min(300, before.revision))).kvs;
    await three.close();
    return { disk: node.disk, before, past };
  }

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((one) => one.close()));
  });

  it('D1 has the same keys, revisions and history, one member, another id, and takes writes', async () => {
    const { disk, before, past } = await lost();
    const findings = await lookAt(new Untouched(disk));
    assert.equal(findings.revision, before.revision);
    assert.equal(findings.compactRevision, 100);
    assert.equal(findings.lost, undefined);
    assert.deepEqual(findings.problems, []);
    assert.ok(findings.kept.index >= findings.committed && findings.kept.index === findings.logLast);
    const made = await makeNew(disk);
    assert.notEqual(made.clusterId, 77n);
    assert.ok(![1, 2, 3].includes(made.memberId));
    const one = kept(await cluster(made, disk));
    const [node] = one.nodes as [ClusterNode];
    const now = await all(node);
    assert.equal(now.revision, before.revision);
    assert.deepEqual(shown(now.kvs), shown(before.kvs));
    assert.deepEqual(shown((await all(node, 300)).kvs), shown(past));
    await assert.rejects(all(node, 99), { code: 'COMPACTED' });
    assert.equal((await node.store.put(put('new', 'x'))).revision, before.revision + 1);
    await load(one, 900, 1500);
    await one.settled();
  });

  it('R1 none of the old members is one of it, and what was there is set aside whole', async () => {
    const { disk } = await lost();
    const old = contents(disk);
    const { aside, memberId, clusterId } = await makeNew(disk);
    for (const [path, bytes] of old) {
      if (path === 'reserve' || path.startsWith('repairs/')) continue;
      assert.deepEqual(bytesOf(disk, `${aside}/${path}`), bytes, `${path} is set aside`);
    }
    assert.deepEqual((await readJoined(disk))?.description.clusterId, clusterId);
    const one = kept(await cluster({ memberId, clusterId } as Made, disk));
    const [node] = one.nodes as [ClusterNode];
    assert.deepEqual(node.replica.membership.confState.voters, [memberId]);
    assert.deepEqual(node.replica.membership.members.map(({ id }) => id), [memberId]);
    assert.equal(node.replica.kv.incarnationOf(1), 0, 'what old members proposed is forgotten');
  });

  it('it grows again', async () => {
    const { disk, before } = await lost(300);
    const one = kept(await cluster(await makeNew(disk), disk));
    const [node] = one.nodes as [ClusterNode];
    await one.until('the newest version', () => node.store.status().clusterVersion === NEWEST_VERSION);
    for (const url of ['http://m8:2380', 'http://m9:2380']) {
      const members = await node.store.changeMembers({ kind: 'add', id: 0, peerUrls: [url], learner: false });
      const id = members.find(({ peerUrls }) => peerUrls[0] === url)?.id ?? 0;
      await one.up(one.machine(id, node));
      await one.until('it to be known', () => one.nodes.at(-1)?.replica.membership.standing(id) === 'voter' && node.replica.gossip.of(id) !== undefined);
      await one.settled();
    }
    await load(one, 0, 100, 50);
    await one.settled();
    for (const member of one.nodes) assert.ok((await all(member)).revision >= before.revision + 100);
  });

  it('D1 entries that nobody knows to be committed are named and kept', async () => {
    const three = await Cluster.start(calm);
    await load(three, 0, 60);
    await three.settled();
    const leader = await three.leader();
    for (const node of three.nodes) if (node !== leader) await three.kill(node);
    const waiting = Promise.allSettled(['p', 'q'].map((key) => leader.store.put(put(`unsure-${key}`, 'x'))));
    await three.until('both to be durable', () => leader.replica.log.lastIndex() >= leader.replica.progress.applied.value + 2);
    await three.kill(leader);
    await waiting;
    const { disk } = leader;
    const { unsure, lost: gone, kept: end } = await lookAt(new Untouched(disk));
    assert.equal(gone, undefined);
    assert.deepEqual(unsure?.keys.ranges.map(({ key }) => fromUtf8(key)), ['unsure-p', 'unsure-q']);
    assert.equal(unsure.through, end.index);
    const one = kept(await cluster(await makeNew(disk), disk));
    assert.equal((await all(one.nodes[0] as ClusterNode)).kvs.filter(({ key }) => fromUtf8(key).startsWith('unsure')).length, 2);
    await three.close();
  });

  it('R6 what is lost for certain is named, and nothing is changed until that is accepted; then the sound part stays', async () => {
    const three = await Cluster.start(calm);
    await load(three, 0, 40);
    await three.close();
    const [{ disk }] = three.nodes as [ClusterNode];
    const { flushed, logLast, revision } = await lookAt(disk);
    const bad = logLast - 9;
    assert.ok(bad > flushed.index, 'behind the tables');
    await rotEntries(disk, [bad, bad + 3]);
    const { lost: gone, kept: end } = await lookAt(new Untouched(disk));
    assert.equal(end.index, bad - 1);
    assert.deepEqual([gone?.from, gone?.through, gone?.open, gone?.sound], [bad, logLast, false, 8]);
    assert.ok((gone?.keys.ranges.length ?? 0) > 0, 'their keys are named');
    const before = contents(disk);
    await assert.rejects(makeNew(disk), { code: 'LOSS_NOT_ACCEPTED' });
    assert.deepEqual(contents(disk), before);
    const one = kept(await cluster(await makeNew(disk, { acceptLoss: true }), disk));
    const now = await all(one.nodes[0] as ClusterNode);
    assert.ok(now.revision < revision && now.revision >= revision - 10);
    for (const { key, value } of now.kvs) assert.equal(fromUtf8(value), valueOf(Number(fromUtf8(key).slice(3))));
  });

  it('R6 with less than the tables have led to, all before is compacted: what they dropped is not known', async () => {
    const { disk } = await lost(300);
    const { flushed } = await lookAt(disk);
    for (const name of await disk.list('log')) await disk.unlink(`log/${name}`);
    const findings = await lookAt(disk);
    assert.equal(findings.kept.index, flushed.index);
    if (findings.historyLost) assert.equal(findings.compactRevision, findings.revision);
    await assert.rejects(makeNew(disk), { code: 'LOSS_NOT_ACCEPTED' });
    const one = kept(await cluster(await makeNew(disk, { acceptLoss: true }), disk));
    const [node] = one.nodes as [ClusterNode];
    const now = await all(node);
    assert.equal(now.revision, findings.revision);
    if (findings.historyLost) await assert.rejects(all(node, now.revision - 1), { code: 'COMPACTED' });
    await load(one, 0, 200);
  });

  it('hard state that is gone or damaged keeps nothing from being found', async () => {
    const { disk, before } = await lost();
    await spoil(disk, 'hardstate', 0, disk.sizeOf('hardstate') ?? 0);
    const damaged = await lookAt(new Untouched(disk));
    assert.equal(damaged.revision, before.revision);
    assert.match(damaged.problems.join(), /hardstate is damaged/);
    await disk.unlink('hardstate');
    assert.match((await lookAt(new Untouched(disk))).problems.join(), /hardstate is missing/);
    const one = kept(await cluster(await makeNew(disk), disk));
    assert.deepEqual(shown((await all(one.nodes[0] as ClusterNode)).kvs), shown(before.kvs));
  });

  it('without a manifest and the beginning of the log there is nothing to go on with', async () => {
    const { disk } = await lost();
    for (const name of await disk.list('manifest')) await disk.unlink(`manifest/${name}`);
    await assert.rejects(lookAt(disk), { code: 'STATE_LOST' });
    await assert.rejects(lookAt(new MemoryDisk()), { code: 'NOTHING_HERE' });
  });

  it('S4 tables that are bad beyond parity are named', async () => {
    const { disk } = await lost();
    const { tables } = await lookAt(disk);
    assert.ok(tables > 0);
    const [name] = (await disk.list('tables')).filter((file) => file.endsWith('.sst'));
    const path = tablePath(Number.parseInt(name ?? '', 10));
    await spoil(disk, path, 2000, 9000);
    const { badTables } = await lookAt(disk);
    assert.equal(badTables.length, 1);
    await assert.rejects(makeNew(disk), { code: 'LOSS_NOT_ACCEPTED' });
  });

  it('D1 blocks that others had repaired are not lost, whatever block of a table it is, and are healed from there', async () => {
    const { disk, before } = await lost();
    const [table] = (await versionAtRest(disk, testWorkers)).version.list();
    assert.ok(table !== undefined);
    const image = new TableImage(disk, tablePath(table.id), table, {});
    const store = new RepairStore(envOf(disk));
    for (const { offset, length, spec } of await image.regions()) {
      const decoded = decodeBlock((await image.read(offset, length)).bytes, spec);
      assert.ok(decoded.kind !== 'unreadable');
      await store.put(table.fileDigest, offset, decoded.payload);
    }
    image.close();
    await spoil(disk, tablePath(table.id), 0, table.bytes);
    const untouched = new Untouched(disk);
    assert.deepEqual((await lookAt(untouched)).badTables, []);
    const one = kept(await cluster(await makeNew(disk), disk));
    const [node] = one.nodes as [ClusterNode];
    assert.deepEqual(shown((await all(node)).kvs), shown(before.kvs));
  });

  it('--bump-revision: revisions go on above, and all older ones are compacted', async () => {
    const { disk, before } = await lost(200);
    const one = kept(await cluster(await makeNew(disk, { bump: 1000 }), disk));
    const [node] = one.nodes as [ClusterNode];
    assert.equal((await all(node)).revision, before.revision + 1000);
    await assert.rejects(all(node, before.revision), { code: 'COMPACTED' });
  });

  it('D1 R5 a power loss at any change leaves the old directory or one that goes on; no member begins in between', async () => {
    const { disk: from, before } = await lost(400);
    const found = await lookAt(from);
    const old = (): CrashDisk => {
      const disk = new CrashDisk();
      for (const path of from.files()) copyFile(from, disk, path);
      return disk;
    };
    const settle = async (disk: CrashDisk): Promise<void> => {
      for (const path of disk.files()) {
        const file = await disk.open(path, 'write');
        await file.sync();
        file.close();
      }
      for (const dir of ['', 'tables', 'log', 'manifest', 'repairs']) if ((await disk.list(dir)).length > 0) await disk.syncDir(dir);
    };
    const whole = old();
    await settle(whole);
    const first = whole.changes;
    await makeNew(whole);
    const changes = whole.changes - first;
    const seen = { old: 0, between: 0, done: 0 };
    for (let n = 0; n <= changes; n += n < changes - 60 ? 7 : 1) {
      const disk = old();
      await settle(disk);
      disk.powerOffAfter(n);
      await makeNew(disk).catch((error: unknown) => assert.ok(codeOf(error) !== undefined, String(error)));
      disk.crash(seededRandom(n));
      const now = new MemoryDisk();
      for (const path of disk.files()) copyFile(disk, now, path);
      const stopped = now.sizeOf('takeover') !== undefined;
      if (stopped) {
        const old77 = new Cluster(calm, { ids: [2], clusterId: 77n });
        (old77.nodes[0] as ClusterNode).disk = now;
        await assert.rejects(old77.upAll(), { code: 'TAKEOVER_UNFINISHED' });
        await goOn(now);
        seen.between++;
      } else if ((await readJoined(now)) === undefined) {
        assert.deepEqual((await lookAt(now)).kept, found.kept);
        await makeNew(now);
        seen.old++;
      } else {
        seen.done++;
      }
      const joined = await readJoined(now);
      assert.ok(joined !== undefined, `after ${n} changes`);
      if (n % 5 === 0) {
        const one = await cluster({ clusterId: joined.description.clusterId, memberId: joined.self } as Made, now);
        assert.deepEqual(shown((await all(one.nodes[0] as ClusterNode)).kvs), shown(before.kvs));
        await one.close();
      } else {
        assert.equal((await lookAt(now)).revision, before.revision);
      }
    }
    assert.ok(seen.old > 0 && seen.between > 10 && seen.done > 0, JSON.stringify(seen));
  });
});
