import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { encodeInternalKey } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import { LEVELS } from '../base/settings.js';
import type { TableMeta } from '../table/table-meta.js';
import { SMALL_FORMAT, SMALL_SETTINGS, TreeHarness } from '../testing/tree-harness.js';
import { Version } from '../version/version.js';
import { pickLeveled, targetBytes, type PickerInput } from './leveled.js';

async function fill(harness: TreeHarness, rounds: number, keys: number, start = 1): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 20; i++) {
      const n = start + round * 20 + i;
      const key = utf8(`k${((n * 7919) % keys).toString().padStart(5, '0')}`);
      const live = harness.tree.current.get(USER_SPACE, key, Number.MAX_SAFE_INTEGER) !== undefined;
      harness.write([{ space: USER_SPACE, key, revision: n, sub: 0, tombstone: false, liveDelta: live ? 0 : 1, value: utf8(`v${n}`.padEnd(90)) }]);
    }
    harness.seal();
    await harness.flush();
  }
}

function input(harness: TreeHarness, over: Partial<PickerInput> = {}): PickerInput {
  return { manifest: harness.manifest, settings: SMALL_SETTINGS, proposer: 7, gcRevision: 0, blocked: new Set(), ...over };
}

/** Carries out plans until none is due; how many there were. */
async function settle(harness: TreeHarness, gcRevision: number): Promise<number> {
  for (let plans = 0; ; plans++) {
    const choice = pickLeveled(input(harness, { gcRevision }));
    if (choice.kind === 'none') return plans;
    assert(plans < 200, 'the picker comes to an end');
    assert.equal(harness.apply(choice.op).kind, 'planned');
    await harness.compact(harness.lastIndex);
    await harness.record();
  }
}

function entriesOf({ manifest }: TreeHarness): number {
  return manifest.levels.flat().reduce((sum, { entries }) => sum + entries, 0);
}

describe('pickLeveled', () => {
  it('comes to rest with every level within its target, and gives only plans that apply', async () => {
    const harness = await TreeHarness.open();
    await fill(harness, 40, 2000);
    let plans = 0;
    for (;;) {
      const choice = pickLeveled(input(harness));
      if (choice.kind === 'none') break;
      assert(++plans < 200, 'the picker comes to an end');
      assert.equal(harness.apply(choice.op).kind, 'planned');
      await harness.compact(harness.lastIndex);
      await harness.record();
    }
    assert(plans > 5 && (harness.manifest.levels[2]?.length ?? 0) > 0, `${plans} plans`);
    harness.manifest.levels.forEach((tables, level) => {
      if (level === 0) assert(tables.length < SMALL_SETTINGS.level0Tables);
      else assert(tables.reduce((sum, t) => sum + t.bytes, 0) < targetBytes(SMALL_SETTINGS, level));
    });
  });

  it('C1 a compaction of very many tables has few outputs: their bounds are an edit, which is one entry of the log', () => {
    const tables = (level: number, count: number, span: number): TableMeta[] =>
      Array.from({ length: count }, (_, i): TableMeta => {
        const key = (n: number): Uint8Array => encodeInternalKey(1, utf8(String(n).padStart(8, '0')), 9, 0);
        const id = level * 10_000 + i + 1;
        const digest = id.toString(16).padStart(32, '0');
        return {
          id, birth: { term: 1, proposer: 7, sequence: id, ordinal: 0 }, bytes: SMALL_FORMAT.tableBytes,
          rootDigest: digest, fileDigest: digest,
          smallest: key(i * 100), largest: key(i * 100 + span), entries: 9, tombstones: 0, minRevision: 9, maxRevision: 9, liveDelta: 9,
          scheme: SMALL_FORMAT.scheme,
        };
      });
    const levels = Array.from({ length: LEVELS }, (_, level) => (level === 1 ? tables(1, 900, 9) : []));
    levels[0] = tables(0, SMALL_SETTINGS.level0Tables, 90_000);
    const manifest = Version.empty().with({ nextTableId: 20_000, levels });
    const settings = { ...SMALL_SETTINGS, level1Bytes: 1000 * SMALL_FORMAT.tableBytes };
    const choice = pickLeveled({ manifest, settings, proposer: 7, gcRevision: 0, blocked: new Set() });
    assert(choice.kind === 'plan' && choice.op.inputs.length > 900, choice.kind);
    const bytes = choice.op.inputs.length * SMALL_FORMAT.tableBytes;
    assert(bytes / choice.op.format.tableBytes <= 128, `${bytes / choice.op.format.tableBytes} outputs`);
    assert.deepEqual({ ...choice.op.format, tableBytes: 0 }, { ...SMALL_FORMAT, tableBytes: 0 });
  });

  it('after a Compact garbage goes by itself, wherever it lies, until less than a quarter of what is there may go', async () => {
    for (const rounds of [3, 12, 60]) {
      const harness = await TreeHarness.open();
      await fill(harness, rounds, 40);
      await settle(harness, 0);
      const before = entriesOf(harness);
      const live = harness.tree.current.countLive(new Uint8Array(0), undefined);
      assert(before >= rounds * 20, `${before} versions are kept`);
      const plans = await settle(harness, rounds * 20);
      assert(plans <= 60, `${plans} plans`);
      assert(entriesOf(harness) * 0.75 <= live + 16, `${entriesOf(harness)} entries are left of ${before}, and ${live} keys`);
      assert.equal(harness.tree.current.countLive(new Uint8Array(0), undefined), live);
    }
  });

  it('is pure, and plans around pending plans', async () => {
    const harness = await TreeHarness.open();
    await fill(harness, 30, 3000);
    for (const choice = pickLeveled(input(harness)); choice.kind === 'plan'; ) {
      assert.equal(harness.apply(choice.op).kind, 'planned');
      await harness.compact(harness.lastIndex);
      break;
    }
    await fill(harness, 4, 3000, 5000);
    let pending = 0;
    for (;;) {
      const choice = pickLeveled(input(harness));
      assert.deepEqual(pickLeveled(input(harness)), choice);
      if (choice.kind === 'none') break;
      assert.equal(harness.apply(choice.op).kind, 'planned');
      pending++;
    }
    assert(pending >= 2, `${pending} plans at once`);
    for (const plan of harness.manifest.plans) assert.equal((await harness.compact(plan.index)).kind, 'edited');
  });

  it('H4 passes over blocked tables and goes on with others', async () => {
    const harness = await TreeHarness.open();
    await fill(harness, 4, 500);
    const level0 = harness.manifest.levels[0] as readonly TableMeta[];
    const oldest = level0.at(-1) as TableMeta;
    assert.equal(pickLeveled(input(harness, { blocked: new Set([oldest.id]) })).kind, 'none', 'all newer ones overlap it');
    const newest = level0[0] as TableMeta;
    const choice = pickLeveled(input(harness, { blocked: new Set([newest.id]) }));
    assert(choice.kind === 'plan');
    assert(!choice.op.inputs.some((ref) => ref.id === newest.id));
    assert.equal(choice.op.inputs.length, 3);
  });

  it('collects tombstones below the GC revision, once, and what they deleted at once', async () => {
    const harness = await TreeHarness.open();
    await fill(harness, 3, 60);
    let revision = 1000;
    for (let i = 0; i < 60; i++) {
      const key = utf8(`k${i.toString().padStart(5, '0')}`);
      harness.write([{ space: USER_SPACE, key, revision: ++revision, sub: 0, tombstone: true, liveDelta: -1, value: new Uint8Array(0) }]);
    }
    harness.seal();
    await harness.flush();
    const settle = async (gcRevision: number): Promise<number> => {
      for (let plans = 0; ; plans++) {
        const choice = pickLeveled(input(harness, { gcRevision }));
        if (choice.kind === 'none') return harness.manifest.list().reduce((sum, t) => sum + t.entries, 0);
        assert(plans < 20);
        harness.apply(choice.op);
        await harness.compact(harness.lastIndex);
      }
    };
    assert.equal(await settle(revision), 1, 'a watch may begin at the last delete');
    assert.equal(await settle(revision + 1), 0);
    assert.equal(harness.tree.current.countLive(new Uint8Array(0), undefined), 0);
  });

  it('frees the versions that Compact lets go of without another write, once, and counts as before', async () => {
    const harness = await TreeHarness.open();
    const keys = 60;
    await fill(harness, 30, keys);
    const settle = async (gcRevision: number): Promise<number> => {
      for (let plans = 0; ; plans++) {
        const choice = pickLeveled(input(harness, { gcRevision }));
        if (choice.kind === 'none') return plans;
        assert(plans < 200, 'the picker comes to an end');
        harness.apply(choice.op);
        await harness.compact(harness.lastIndex);
      }
    };
    const below = (): number => harness.manifest.levels.slice(1).flat().reduce((sum, table) => sum + table.entries, 0);
    await settle(0);
    assert(below() > 5 * keys, 'history is kept until Compact');
    assert((await settle(600)) > 0);
    assert(below() <= (4 / 3) * keys, `${below()} entries of ${keys} keys are left`);
    assert.equal(harness.tree.current.countLive(new Uint8Array(0), undefined), keys);
  });
});
