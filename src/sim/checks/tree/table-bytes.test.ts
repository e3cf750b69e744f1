import assert from 'node:assert/strict';
import { tablePath } from '../../../storage/table/table-meta.js';
import { formatWith, makeTable, sampleEntries } from '../../../storage/table/testing/sample-tables.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { give, rot } from '../testing/given-tables.js';
import { TableBytes } from './table-bytes.js';

const TABLE = makeTable(sampleEntries(120), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
const PATH = tablePath(1);

describe('bytes of tables', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let three: FakeNode;

  beforeEach(() => {
    w = watch();
    [one, two, three] = w.nodes as [FakeNode, FakeNode, FakeNode];
    for (const node of w.nodes) give(w, node, TABLE);
  });

  it('S2 a birth with two digests is reported', () => {
    const check = new TableBytes(w.reporter, w.oracle);
    const edit = { type: 'edit', index: 9, plan: 0, added: [1], removed: [] } as const;
    check.onEvent(one, edit);
    check.onEvent(two, edit);
    assert.deepEqual(w.reported(), []);
    three.holds([{ ...TABLE.meta, fileDigest: '00'.repeat(16) }], 31);
    check.onEvent(three, edit);
    assert.deepEqual(w.reported(), ['byte-equal tables']);
  });

  it('S6 a materialized table with other bytes is reported, unless a fault struck where the node could not see it', () => {
    const check = new TableBytes(w.reporter, w.oracle);
    const said = (how: 'relink' | 'rewrite'): number => {
      check.onEvent(one, { type: 'materialized', table: 1, how, bytes: TABLE.meta.bytes });
      return w.violations.length;
    };
    assert.equal(said('relink'), 0);
    rot(one, PATH, 700, 10);
    assert.equal(said('rewrite'), 1);
    w.oracle.noteDamage(1, 'tables/plan-10-0.tmp', 0, 100, 'lost-write');
    w.oracle.noteDamage(1, 'tables/heal-1.tmp', 0, 100, 'lost-write');
    assert.equal(said('relink'), 2, 'its own production was read back');
    assert.equal(said('rewrite'), 3, 'and so was the copy');
    w.oracle.noteDamage(1, PATH, 700, 10, 'burst');
    assert.equal(said('rewrite'), 3);
  });

  it('S5 a file that is gone is reported at the next start', () => {
    const check = new TableBytes(w.reporter, w.oracle);
    check.files(one, false);
    one.files.delete(PATH);
    check.files(one, false);
    assert.deepEqual(w.reported(), []);
    check.onStart(one);
    assert.deepEqual(w.reported(), ['files of the durable manifest are there']);
    two.files.delete(PATH);
    w.oracle.noteDamage(2, PATH, 0, TABLE.meta.bytes, 'missing');
    check.onStart(two);
    assert.equal(w.violations.length, 1);
  });

  it('S5 an earlier version may name files that have gone, where the end of the manifest was destroyed, and nowhere else', () => {
    const check = new TableBytes(w.reporter, w.oracle);
    for (const node of [one, two]) {
      w.oracle.onDeath(node);
      node.files.delete(PATH);
      const { last } = node.durable;
      node.durable = node.durable.with({ last: { ...last, index: last.index - 1 } });
    }
    w.oracle.noteDamage(2, 'manifest/1', 4096, 4096, 'zeroed', true);
    check.onStart(two);
    assert.deepEqual(w.reported(), []);
    check.onStart(one);
    assert.deepEqual(w.reported(), ['files of the durable manifest are there']);
  });
});
