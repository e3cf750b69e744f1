import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import { silent } from '../../base/testing/silent.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { decodeManifest } from '../../storage/version/testing/decode-manifest.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { SMALL_FORMAT, TreeHarness } from '../../storage/testing/tree-harness.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import { SnapshotSender } from './snapshot-sender.js';

async function flushOne(harness: TreeHarness, revision: number): Promise<void> {
  harness.write([{ space: USER_SPACE, key: utf8(`k${revision}`), revision, sub: 0, tombstone: false, liveDelta: 1, value: utf8('v') }]);
  harness.seal();
  await harness.flush();
}

async function compactAll(harness: TreeHarness): Promise<void> {
  const inputs = harness.manifest.list().map((t) => ({ id: t.id, digest: t.fileDigest }));
  harness.apply({ kind: 'plan', proposer: 7, purpose: 'compact', inputs, outputLevel: 1, gcRevision: 0, format: SMALL_FORMAT });
  await harness.compact(harness.lastIndex);
  await harness.record();
}

/** The leader's core waits for a snapshot to arrive at 2. */
const RECEIVING = new Map([[2, { state: 'snapshot' as const, match: 0 }]]);

describe('sending snapshots', () => {
  let harness: TreeHarness;
  let clock: ManualClock;
  let sender: SnapshotSender;

  beforeEach(async () => {
    harness = await TreeHarness.open();
    clock = new ManualClock();
    sender = new SnapshotSender({
      clock, events: silent, tree: harness.tree, membership: new MemberState().membership,
    });
    await flushOne(harness, 2);
    await flushOne(harness, 3);
    await harness.record();
  });

  const files = (ids: readonly number[]): boolean => ids.every((id) => harness.disk.sizeOf(tablePath(id)) !== undefined);

  it('S5 what a snapshot names is kept from the moment it is made, though it leaves when the durable version is another', async () => {
    const snapshot = sender.snapshot();
    const ids = decodeManifest(snapshot.data as Uint8Array).list().map((table) => table.id);
    await flushOne(harness, 4);
    await compactAll(harness);
    assert.ok(harness.tree.durable.flushed.index > snapshot.metadata.index);
    assert.ok(files(ids), 'the snapshot has not left yet');
    assert.equal(sender.floor(), snapshot.metadata.index, 'nor may the log after it go');
    sender.started(2, snapshot);
    clock.advance(5_000);
    sender.alive(2);
    sender.tick(RECEIVING);
    await harness.record();
    assert.ok(files(ids), 'the transfer lives');
    assert.deepEqual(new Set(sender.tables().map((table) => table.id)), new Set(ids));
    clock.advance(5_000);
    assert.deepEqual(sender.tick(RECEIVING), [2], 'the core is told that it is given up');
    await harness.record();
    assert.ok(!files(ids), 'nobody gave a sign of life');
    assert.equal(sender.floor(), Infinity);
  });

  it('S5 a follower whose snapshot has arrived keeps the log after it while it comes nearer: no sync without end', async () => {
    const snapshot = sender.snapshot();
    const { index } = snapshot.metadata;
    sender.started(2, snapshot);
    await flushOne(harness, 4);
    await flushOne(harness, 5);
    await harness.record();
    const { flushed } = harness.tree.durable;
    assert.ok(flushed.index > index + 1);
    const at = (match: number, ms: number): number => {
      clock.advance(ms);
      sender.tick(new Map([[2, { state: 'replicate' as const, match }]]));
      return sender.floor();
    };
    assert.equal(at(index, 5_000), index, 'it has arrived: the tables go, the log stays');
    assert.equal(sender.tables().length, 0);
    assert.equal(at(index + 1, 5_000), index + 1);
    assert.equal(at(index + 1, 5_000), index + 1, 'it may stand still for a while');
    assert.equal(at(index + 1, 5_000), Infinity, 'and not for ever');
    // Once more, and it gets there.
    const later = sender.snapshot();
    sender.started(2, later);
    await flushOne(harness, 6);
    await harness.record();
    assert.equal(at(later.metadata.index, 2_000), later.metadata.index);
    assert.equal(at(harness.tree.durable.flushed.index, 5_000), Infinity, 'what it lacks is in no danger any more');
    const last = sender.snapshot();
    sender.started(2, last);
    await flushOne(harness, 7);
    await harness.record();
    assert.equal(at(last.metadata.index, 2_000), last.metadata.index);
    clock.advance(5_000);
    sender.tick(undefined);
    assert.equal(sender.floor(), Infinity, 'whoever leads no more keeps nothing');
  });

  it('S5 a version that a member asked for is kept while it shows signs of life, and no longer', async () => {
    const manifest = sender.giveVersion(3);
    assert.ok(manifest);
    const ids = manifest.list().map((table) => table.id);
    for (let second = 0; second < 8; second++) {
      clock.advance(1_000);
      sender.alive(3);
      sender.tick(RECEIVING);
    }
    await compactAll(harness);
    assert.ok(files(ids));
    assert.equal(sender.floor(), manifest.flushed.index, 'the log after it is kept too');
    clock.advance(5_000);
    sender.tick(RECEIVING);
    await harness.record();
    assert.ok(!files(ids));
    assert.equal(sender.floor(), Infinity);
  });

  it('S5 a snapshot that never leaves holds nothing for ever', async () => {
    const snapshot = sender.snapshot();
    assert.equal(sender.snapshot(), snapshot, 'made once for one version');
    const ids = decodeManifest(snapshot.data as Uint8Array).list().map((table) => table.id);
    await compactAll(harness);
    clock.advance(5_000);
    sender.tick(RECEIVING);
    await harness.record();
    assert.ok(!files(ids));
  });
});
