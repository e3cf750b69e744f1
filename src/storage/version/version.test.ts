import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { encodeInternalKey } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import type { TableMeta } from '../table/table-meta.js';
import { SMALL_FORMAT } from '../testing/tree-harness.js';
import type { PendingPlan } from './pending.js';
import { Version } from './version.js';

/** Tables of the same sequence hold the same bytes. */
function table(id: number, sequence: number): TableMeta {
  const key = encodeInternalKey(USER_SPACE, utf8(`k${id}`), 5, 0);
  return {
    id, birth: { term: 1, proposer: 7, sequence, ordinal: 0 }, bytes: 1000,
    rootDigest: '1'.padStart(32, '0'), fileDigest: sequence.toString(16).padStart(32, '0'),
    smallest: key, largest: key, entries: 1, tombstones: 0, minRevision: 5, maxRevision: 5, liveDelta: 1, scheme: SMALL_FORMAT.scheme,
  };
}

function plan(index: number, inputs: readonly TableMeta[]): PendingPlan {
  const refs = inputs.map(({ id, fileDigest }) => ({ id, digest: fileDigest }));
  return {
    index, term: 1, proposer: 7, purpose: 'compact', inputs: refs, outputLevel: 1, gcRevision: 0, format: SMALL_FORMAT, bottommost: true,
  };
}

describe('Version', () => {
  const [one, two, three, heir] = [table(1, 11), table(2, 12), table(3, 13), table(4, 11)];
  const empty = Version.empty();
  const levels = [[three, one], [two], ...empty.levels.slice(2)];
  const version = empty.with({
    nextTableId: 5, levels, plans: [plan(21, [one, two])], seals: [{ index: 20, term: 1, proposer: 7, format: SMALL_FORMAT }],
  });

  it('S2 finds tables by id, by level and by what their bytes are, in level order', () => {
    assert.deepEqual(version.list(), [three, one, two]);
    assert.deepEqual([...version.tables().keys()], [3, 1, 2]);
    assert.equal(version.table(2), two);
    assert.equal(version.table(4), undefined);
    assert(version.has(3) && !version.has(4));
    assert.deepEqual(version.level(0), [three, one]);
    assert.deepEqual(version.level(99), []);
    assert.deepEqual(version.located().get(1), { meta: one, level: 0, position: 1 });
    assert.deepEqual(version.named(one), [one]);
    assert.deepEqual(version.named({ ...one, birth: { ...one.birth, ordinal: 1 } }), [], 'the digest alone is no name');
    assert.deepEqual(empty.list(), []);
  });

  it('S5 inputs of pending plans are busy, and nothing else', () => {
    assert.deepEqual([1, 2, 3, 4].filter((id) => version.isBusy(id)), [1, 2]);
    assert(version.isPending(20) && version.isPending(21) && !version.isPending(22));
    assert.equal(version.seal(20)?.index, 20);
    assert.equal(version.plan(20), undefined);
    assert.equal(version.with({ plans: [] }).isBusy(1), false);
    assert(version.isBusy(1), 'a version never changes');
  });

  it('S2 a version made of another shares what it has found out only where nothing changed', () => {
    const moved = version.with({ last: { index: 30, term: 2 } });
    assert.equal(moved.tables(), version.tables());
    assert.equal(moved.last.index, 30);
    const healed = moved.with({ nextTableId: 6, levels: [[three, heir], ...levels.slice(1)] });
    assert.deepEqual(healed.list(), [three, heir, two]);
    assert.deepEqual(healed.named(one), [heir], 'the same bytes under a new id');
    assert.deepEqual(version.list(), [three, one, two]);
    assert.throws(() => version.with({ levels: [[]] }), /S2/);
  });
});
