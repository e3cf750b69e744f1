import assert from 'node:assert/strict';
import { get, put } from '../../api/testing/requests.js';
import { must } from '../../base/assert.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { TABLE_REGIONS_METHOD, decodeRegionsAnswer, encodeRegionsRequest } from '../../replica/fetch/table-wire.js';
import { decodeEntriesAnswer, encodeEntriesRequest, LOG_ENTRIES_METHOD } from '../../replica/log-recovery/entries-call.js';
import { LOG_MENDED } from '../../replica/log-recovery/recover-log.js';
import { beginRecovery, planRecovery } from '../../replica/readmission/begin.js';
import { findEvidence } from '../../replica/readmission/evidence.js';
import { readIntent, writeIntent } from '../../replica/readmission/intent.js';
import { VERSION_METHOD } from '../../replica/snapshot/peer-versions.js';
import { receiveVersion } from '../../replica/snapshot/version-message.js';
import { NOBODY_CAN_ADMIT } from '../../replica/start/ask-admission.js';
import { EarlyHandler } from '../../replica/start/early-handler.js';
import { giveLeftState } from '../../replica/start/left-state.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { resolved, rotEntries } from './log-damage.js';
import { replaceOthers } from './replace-others.js';
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

  it('R5 D1 finds members that took the place of all that its flags name, at other addresses', async () => {
    await started();
    const stays = await replaceOthers(cluster);
    await cluster.settled(20_000);
    await lost('MISSING', (disk) => void disk.unlink('hardstate'), stays);
    await recover(stays);
    await inPlaceOf(stays, await cluster.recovered(stays));
  });

  it('D1 while it waits to be let in it gives the others entries that only it has', async () => {
    await started();
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    for (const node of cluster.nodes) await cluster.stop(node);
    const { table } = await resolved(a.disk);
    for (const node of [a, b]) await rotEntries(node.disk, [table.lastIndex - 3, table.lastIndex - 1]);
    await c.disk.unlink('hardstate');
    await recover(c);
    const [, , next] = await Promise.all([cluster.up(a), cluster.up(b), cluster.recovered(c)]);
    assert.ok([a, b].every((node) => node.events.some((event) => event.type === 'warning' && event.message === LOG_MENDED)));
    await inPlaceOf(c, next);
  });

  it('D1 R6 what it gives: entries, its version, blocks of its tables; and never that it lacks an entry', async () => {
    await started();
    const node = await cluster.follower();
    await cluster.stop(node);
    const { durable } = node.replica.tree;
    const { table } = await resolved(node.disk);
    await node.disk.unlink('hardstate');
    const env = calm.env({ self: node.id, disk: node.disk, process: { alive: true }, hub: cluster.hub, emit: () => undefined });
    const early = new EarlyHandler(env.network);
    const left = await giveLeftState(env, { peers: [] }, early);
    const ask = (method: string, request: Uint8Array): Promise<Uint8Array> => early.onCall(9, method, request);
    const { lastIndex } = table;
    const wanted = [{ index: lastIndex, term: table.term(lastIndex) }, { index: lastIndex + 1, term: table.term(lastIndex) + 1 }];
    const entries = encodeEntriesRequest({ bound: 99, insists: true, beforeTerm: 0, wanted });
    const { said, leads } = decodeEntriesAnswer(await ask(LOG_ENTRIES_METHOD, entries));
    assert.deepEqual([said.map(({ says }) => says), said[0]?.entry?.index, leads], [['have', 'unsure'], lastIndex, 0]);
    const { manifest } = await receiveVersion(env, node.id, await ask(VERSION_METHOD, new Uint8Array(0)));
    assert.deepEqual([manifest.flushed, manifest.last], [durable.flushed, durable.last]);
    const meta = durable.list()[0] as TableMeta;
    const blocks = encodeRegionsRequest({ birth: meta.birth, fileDigest: meta.fileDigest, offset: 0, bytes: 1 });
    assert.equal(decodeRegionsAnswer(await ask(TABLE_REGIONS_METHOD, blocks)).kind, 'pieces');
    await left.close();
  });

  it('R5 D1 is told when nobody can let it in, and is let in once another directory is put back', async () => {
    await started();
    const [a, b, c] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode];
    for (const node of cluster.nodes) await cluster.stop(node);
    const whole = copyOf(b.disk);
    for (const node of [a, b]) {
      await node.disk.unlink('hardstate');
      await recover(node);
    }
    const comes = cluster.recovered(a);
    const others = [cluster.up(c), cluster.recovered(b).catch(() => undefined)];
    const isTold = (event: KintsugiEvent): boolean =>
      event.type === 'warning' && event.message === NOBODY_CAN_ADMIT && /force-new-cluster/.test(String(event.data?.['remedy']));
    await cluster.until('both to be told', () => [a, b].every((node) => node.events.some(isTold)), 20_000);
    await cluster.kill(b);
    b.disk = whole;
    await cluster.up(b);
    await inPlaceOf(a, await comes);
    await Promise.all(others);
  });

  it('R5 R1 once more before it has taken its place: whoever it is then takes the place of the first', async () => {
    await started();
    const node = await lost('MISSING', (disk) => void disk.unlink('hardstate'));
    await recover(node);
    await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'READMISSION');
    const admitted = await cluster.reopened(node);
    assert.notEqual(admitted.id, node.id);
    // The files show the learner alone from now on.
    for (const copy of ['recovering', 'recovering.copy']) admitted.disk.openSync(copy, 'write').writeSync(new Uint8Array(16).fill(7), 0);
    await recover(admitted);
    const next = await cluster.recovered(admitted);
    await inPlaceOf(node, next);
    assert.ok(next.id !== admitted.id && next.replica.membership.isRemoved(admitted.id));
  });

  it('R5 D1 that ended when half of what it was told was written down is told again', async () => {
    await started();
    const node = await lost('MISSING', (disk) => void disk.unlink('hardstate'));
    await recover(node);
    // As of one that knows its id by a file.
    await writeIntent(node.disk, { ...must(await readIntent(node.disk), 'it asks'), shown: [node.id], byName: false });
    await assert.rejects(cluster.up(node), (error) => codeOf(error) === 'READMISSION');
    const intent = must(await readIntent(node.disk), 'it is let in');
    assert.deepEqual([intent.stage, intent.shown], ['admitted', [node.id]]);
    await writeIntent(node.disk, { ...intent, stage: 'asks', replaces: 0, past: 0 });
    const next = await cluster.recovered(await cluster.reopened(node));
    assert.equal(next.id, intent.id);
    await inPlaceOf(node, next);
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
