import assert from 'node:assert/strict';
import { EMPTY, utf8 } from '../../base/bytes.js';
import type { SmallDisk } from '../../base/disk/testing/small-disk.js';
import { codeOf } from '../../base/errors.js';
import { get, put } from '../../api/testing/requests.js';
import type { DeleteRangeRequest, RequestOp, TxnRequest } from '../../api/requests.js';
import { NEWEST_VERSION } from '../../replica/base/protocol.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { load } from './load.js';
import { smallDisks } from './small-disks.js';

const ALL: DeleteRangeRequest = { key: utf8('key'), rangeEnd: utf8('kez'), prevKv: false };
const NO_SPACE = (error: unknown): boolean => codeOf(error) === 'NO_SPACE';

function txn(success: readonly RequestOp[], failure: readonly RequestOp[] = []): TxnRequest {
  return { compare: [], success, failure };
}

describe('alarms', function () {
  this.timeout(60_000);
  let cluster: Cluster<SmallDisk>;

  afterEach(() => cluster.close());

  async function start(quotaBytes = 0): Promise<void> {
    cluster = await Cluster.start(smallDisks, { logSegmentBytes: 64 * 1024, quotaBytes });
    await cluster.until('the newest version', () => cluster.nodes.every(({ replica }) => replica.state.version === NEWEST_VERSION));
  }

  function alarmed(): boolean {
    return cluster.nodes.every(({ replica }) => replica.state.alarms.noSpace);
  }

  function calm(): boolean {
    return cluster.nodes.every(({ up, replica }) => up && !replica.state.alarms.noSpace);
  }

  it('NOSPACE refuses what makes the store larger, on all members, until an operator takes it back; restarts change nothing', async () => {
    await start();
    await load(cluster, 0, 60, 30);
    const [a, b, c] = cluster.nodes as [ClusterNode<SmallDisk>, ClusterNode<SmallDisk>, ClusterNode<SmallDisk>];
    await a.store.changeAlarm({ action: 'raise', member: 2, type: 'NOSPACE' });
    await cluster.until('all to know', alarmed);
    assert.deepEqual(await b.store.alarms(), [{ member: 2, type: 'NOSPACE', byItself: false }]);
    assert.ok(c.store.status().errors.includes('memberID:2  alarm:NOSPACE'));
    const nested = txn([], [{ kind: 'txn', request: txn([{ kind: 'put', request: put('x', 'y') }]) }]);
    for (const { store } of cluster.nodes) {
      await assert.rejects(store.put(put('x', 'y')), NO_SPACE);
      await assert.rejects(store.txn(nested), NO_SPACE);
      assert.equal((await store.range(get('key1'))).count, 1);
    }
    assert.equal((await a.store.txn(txn([{ kind: 'delete-range', request: { key: utf8('key2'), rangeEnd: EMPTY, prevKv: false } }]))).succeeded, true);
    assert.equal((await b.store.deleteRange({ ...ALL, rangeEnd: utf8('key2') })).deleted, 12);
    await c.store.compact({ revision: (await c.store.range(get('key3'))).revision, physical: false });
    for (const node of cluster.nodes) await cluster.kill(node);
    await cluster.upAll();
    await cluster.leader();
    await cluster.until('all to know again', alarmed);
    // Of an operator's the members take nothing back, however much room there is.
    await assert.rejects(b.store.put(put('x', 'y')), NO_SPACE);
    await c.store.changeAlarm({ action: 'lower', member: 2, type: 'NOSPACE' });
    assert.deepEqual(await a.store.alarms(), []);
    await b.store.put(put('x', 'y'));
    await cluster.settled();
  });

  it('an alarm that is in tables is found again by a restart', async () => {
    await start();
    await cluster.nodes[0]?.store.changeAlarm({ action: 'raise', member: 3, type: 'CORRUPT' });
    await load(cluster, 0, 400, 200);
    await cluster.settled();
    const node = await cluster.follower();
    assert.ok(node.replica.log.firstIndex() > 100, `the log begins at ${node.replica.log.firstIndex()}`);
    await cluster.kill(node);
    await cluster.up(node);
    await cluster.settled();
    assert.deepEqual(node.replica.state.alarms.list(), [{ member: 3, type: 'CORRUPT', byItself: false }]);
    await node.store.put(put('x', 'y'));
  });

  it('D1 CORRUPT comes by itself when a block has no copy left, refuses nothing else, and goes when one comes back', async () => {
    await start();
    await load(cluster, 0, 600, 300);
    await cluster.settled();
    const [reader] = cluster.nodes as [ClusterNode<SmallDisk>];
    const [table] = [...reader.replica.tree.materialized.list()].sort((a, b) => b.bytes - a.bytes);
    assert.ok(table && table.bytes > 16_000, 'a table of many blocks');
    const from = Math.floor(table.bytes / 4);
    const good = new Uint8Array(Math.floor(table.bytes / 2));
    for (const { disk } of cluster.nodes) {
      const file = await disk.open(tablePath(table.id), 'write');
      file.readSync(good, from);
      file.writeSync(good.map((byte) => byte ^ 0xff), from);
      await file.sync();
      file.close();
    }
    const all = { ...get('key', true), rangeEnd: utf8('kez') };
    await assert.rejects(reader.store.range(all), { code: 'DATA_LOSS' });
    const corrupt = (): boolean => cluster.nodes.every(({ replica }) => replica.state.alarms.of(reader.id, 'CORRUPT')?.byItself === true);
    await cluster.until('all to know', corrupt);
    for (const { store } of cluster.nodes) await store.put(put('x', 'y'));

    for (const { disk } of cluster.nodes) {
      const file = await disk.open(tablePath(table.id), 'write');
      file.writeSync(good, from);
      await file.sync();
      file.close();
    }
    assert.ok((await reader.store.range(all)).count > 0);
    await cluster.until('the alarms to go', () => cluster.nodes.every(({ replica }) => replica.state.alarms.list().length === 0));
    assert.deepEqual(cluster.failures, []);
  });

  it('C1 comes by itself when a quorum is short of room, lets deletes through, and goes by itself when there is room', async () => {
    await start();
    await load(cluster, 0, 200, 50);
    await cluster.settled();
    const full = cluster.nodes.slice(0, 2);
    for (const { disk } of full) disk.fill();
    for (let i = 0, refused = false; !refused; i++) {
      await cluster.nodes[i % 3]?.store.put(put(`more${i % 50}`, 'v'.repeat(300))).catch((error: unknown) => {
        assert.ok(NO_SPACE(error) || codeOf(error) === 'TOO_MANY_REQUESTS', String(error));
        refused = NO_SPACE(error);
      });
    }
    await cluster.until('all to know', alarmed);
    assert.ok((await cluster.nodes[2]?.store.alarms() ?? []).every(({ byItself }) => byItself));
    assert.equal((await cluster.nodes[0]?.store.range(get('key1', true)))?.count, 1);
    assert.equal((await cluster.nodes[2]?.store.deleteRange(ALL))?.deleted, 50);
    for (const { disk } of full) disk.capacity = Infinity;
    await cluster.until('the alarm to go', calm);
    await cluster.nodes[0]?.store.put(put('after', 'x'));
    await cluster.settled();
    assert.deepEqual(cluster.failures, []);
  });

  it('comes by quota; garbage is compacted away after a Compact, and then it goes by itself', async () => {
    await start(160 * 1024);
    const [a] = cluster.nodes as [ClusterNode<SmallDisk>];
    let at = 0;
    for (let refused = false; !refused; at++) {
      await a.store.put(put(`key${at % 60}`, 'v'.repeat(500))).catch((error: unknown) => {
        assert.ok(NO_SPACE(error), String(error));
        refused = true;
      });
    }
    await cluster.until('all to know', alarmed);
    assert.equal((await a.store.range(get('key1'))).count, 1);
    await a.store.compact({ revision: (await a.store.range(get('key1'))).revision, physical: false });
    await cluster.until('the alarm to go', calm);
    await a.store.put(put('after', 'x'));
    await cluster.settled();
  });
});
