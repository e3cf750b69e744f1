import assert from 'node:assert/strict';
import { utf8 } from '../../base/bytes.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { Tree } from '../../storage/tree/tree.js';
import { Version } from '../../storage/version/version.js';
import type { PendingPlan } from '../../storage/version/pending.js';
import { SMALL_FORMAT, TreeHarness } from '../../storage/testing/tree-harness.js';
import { EtcdError } from '../../api/etcd-error.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import type { Report } from './agreement.js';
import { Executor } from './executor.js';
import { ManifestWriter, type ManifestWriterParts } from './manifest-writer.js';

async function turns(count = 40): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('the executor', () => {
  let harness: TreeHarness;
  let clock: ManualClock;
  let reports: Report[];
  let executor: Executor;
  let member: MemberState;

  afterEach(() => assert.deepEqual(member.failures, []));

  async function flushOne(revision: number, materialize = true): Promise<void> {
    harness.write([{ space: USER_SPACE, key: utf8(`k${revision}`), revision, sub: 0, tombstone: false, liveDelta: 1, value: utf8('v'.repeat(400)) }]);
    harness.seal();
    await harness.flush(materialize);
  }

  function planAll(): PendingPlan {
    const inputs = harness.manifest.list().map((t) => ({ id: t.id, digest: t.fileDigest }));
    const op = { kind: 'plan', proposer: 7, purpose: 'compact', inputs, outputLevel: 1, gcRevision: 0, format: SMALL_FORMAT } as const;
    const outcome = harness.apply(op);
    assert.equal(outcome.kind, 'planned');
    return (outcome as Extract<typeof outcome, { kind: 'planned' }>).plan;
  }

  beforeEach(async () => {
    harness = await TreeHarness.open();
    clock = new ManualClock();
    reports = [];
    member = new MemberState().serve();
    executor = make(harness.tree);
  });

  function make(tree: Tree): Executor {
    return new Executor({
      env: { clock, disk: harness.disk, workers: { breathe: () => undefined }, events: silent } as unknown as Env,
      tree, tables: harness.tables,
      life: member.life, room: member.room,
      healing: { repair: () => Promise.reject(new EtcdError('DATA_LOSS')) },
      reports: { send: (report) => void reports.push(report) },
    });
  }

  it('H4 S5 a plan that waits for inputs is over when it is closed, and names what it lacks until then', async () => {
    await flushOne(2);
    await flushOne(3, false);
    const plan = planAll();
    executor.compact(plan);
    await turns();
    assert.deepEqual(executor.lacking().map((table) => table.id), [2]);
    assert.equal(clock.timers, 1);
    executor.close(plan.index);
    for (let i = 0; i < 5; i++) {
      clock.advance(1_000);
      await turns();
    }
    assert.deepEqual(executor.lacking(), []);
    assert.equal(clock.timers, 0);
    assert.deepEqual(reports, []);
  });

  it('H4 a plan whose input is lost blocks neither others nor whoever waits for it', async () => {
    await flushOne(2);
    const plan = planAll();
    await harness.disk.unlink(tablePath(1));
    harness.tables.forget(1);
    executor.compact(plan);
    await turns();
    assert.deepEqual(reports.map((report) => report.outcome.kind), ['failed']);
    await executor.settled(plan.index);
    harness.write([{ space: USER_SPACE, key: utf8('other'), revision: 9, sub: 0, tombstone: false, liveDelta: 1, value: utf8('v') }]);
    const sealed = harness.seal();
    assert.ok(sealed.kind === 'sealed');
    executor.flush(sealed.seal);
    await turns();
    assert.ok(executor.outputs(sealed.seal.index), 'the flush is done');
    clock.advance(500);
    await turns();
    assert.equal(reports.filter((report) => report.outcome.kind === 'failed').length, 2, 'and the plan is tried again');
  });

  it('S2 a seal that is to be redone before replay has come to it is carried out once', async () => {
    harness.write([{ space: USER_SPACE, key: utf8('k'), revision: 2, sub: 0, tombstone: false, liveDelta: 1, value: utf8('v') }]);
    const sealed = harness.seal();
    assert.ok(sealed.kind === 'sealed');
    const { seal } = sealed;
    const { tree } = harness;
    let replayed = false;
    const replaying = {
      get latest() {
        return tree.latest;
      },
      sealed: (index: number) => (replayed ? tree.sealed(index) : undefined),
    } as unknown as Tree;
    const late = make(replaying);
    late.redo(seal.index);
    replayed = true;
    late.flush(seal);
    await turns();
    assert.deepEqual(member.failures, []);
    assert.deepEqual(reports.map(({ sequence }) => sequence), [seal.index]);
    assert.ok(late.outputs(seal.index));
  });

  it('S2 what is to be redone while another version takes its place is carried out once, after that', async () => {
    await flushOne(2);
    const plan = planAll();
    executor.hold(Version.empty());
    executor.redo(plan.index);
    await turns();
    assert.equal(reports.length, 0);
    executor.resume();
    executor.compact(plan);
    executor.redo(plan.index);
    await turns();
    assert.deepEqual(reports.map((report) => report.sequence), [plan.index]);
    executor.redo(plan.index);
    await turns();
    assert.deepEqual(reports.map((report) => report.sequence), [plan.index, plan.index]);
    assert.deepEqual(member.failures, []);
  });

  it('S2 a member that has stopped is not set going again', async () => {
    await flushOne(2);
    const plan = planAll();
    await executor.stop();
    executor.hold(Version.empty());
    executor.resume();
    executor.redo(plan.index);
    await turns();
    assert.deepEqual(reports, []);
  });

  it('S5 what a closed plan left is gone before the same plan writes again', async () => {
    await flushOne(2);
    const plan = planAll();
    executor.compact(plan);
    await turns();
    const [made] = executor.outputs(plan.index) ?? [];
    assert.ok(made);
    executor.close(plan.index);
    executor.compact(plan);
    await turns();
    assert.deepEqual(executor.outputs(plan.index), [made]);
    assert.ok(harness.disk.sizeOf(`tables/plan-${plan.index}-0.tmp`) !== undefined);
  });
});

describe('the manifest writer', () => {
  it('is not deaf to what comes in the moment it ends', async () => {
    const recorded: unknown[] = [];
    let next: unknown;
    const tree = {
      durable: Version.empty(),
      unrecorded: () => next,
      setDurable: () => (next = undefined),
      collect: () => Promise.resolve([]),
    };
    const store = { append: async () => void recorded.push(next) };
    const member = new MemberState().serve();
    const parts = { tree, store, life: member.life, healing: { durableMoved: () => undefined } } as unknown as ManifestWriterParts;
    const writer = new ManifestWriter(parts, { durableMoved: () => Promise.resolve() });
    writer.kick();
    next = { ops: [], manifest: Version.empty().with({ last: { index: 1, term: 1 } }) };
    writer.kick();
    await turns(3);
    assert.equal(recorded.length, 1);
    assert.deepEqual(member.failures, []);
  });
});
