import assert from 'node:assert/strict';
import { DiskError } from '../../../base/errors.js';
import { HardStateError } from '../../../replica/hard-state/errors.js';
import { ReplicaError } from '../../../replica/base/errors.js';
import { LogError } from '../../../replica/log/errors.js';
import { StorageError } from '../../../storage/base/errors.js';
import { formatWith, makeTable, sampleEntries, type MadeTable } from '../../../storage/table/testing/sample-tables.js';
import { tablePath } from '../../../storage/table/table-meta.js';
import { HintsKept } from '../healing/hints-kept.js';
import { TableBytes } from './table-bytes.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';

const FORMAT = formatWith('rs(4,2)', 512);
const TABLE = makeTable(sampleEntries(120), FORMAT, 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
const OTHER = makeTable(sampleEntries(80, 2), FORMAT, 2, { term: 1, proposer: 1, sequence: 20, ordinal: 0 });
const PATH = tablePath(1);

let w: Watch;
let one: FakeNode;
let two: FakeNode;
let three: FakeNode;

function give(node: FakeNode, ...tables: readonly MadeTable[]): void {
  for (const { meta, bytes } of tables) node.files.set(tablePath(meta.id), bytes.slice());
  node.holds(tables.map(({ meta }) => meta), 30);
  w.oracle.onStart(node);
}

function rot(node: FakeNode, path: string, from: number, length: number): void {
  const bytes = node.files.get(path) ?? assert.fail();
  for (let i = from; i < from + length; i++) bytes[i] = (bytes[i] as number) ^ 0xa5;
}

/** The first data block. */
function block(): { readonly offset: number; readonly length: number } {
  return w.oracle.pristine(TABLE.meta.fileDigest)?.regions.find((region) => region.kind === 'data') ?? assert.fail();
}

beforeEach(() => {
  w = watch();
  [one, two, three] = w.nodes as [FakeNode, FakeNode, FakeNode];
  for (const node of w.nodes) give(node, TABLE);
});

describe('the damage oracle', () => {
  it('D1 lets the same block go on two nodes of three, never on the third', () => {
    const { offset, length } = block();
    for (const node of [one, two]) {
      assert.ok(w.oracle.mayDamage(node.id, PATH, offset, length));
      rot(node, PATH, offset, length);
    }
    assert.equal(w.oracle.mayDamage(3, PATH, offset + 5, 1), false);
    assert.ok(w.oracle.mayDamage(3, PATH, offset + length, 10), 'the block after it');
    assert.deepEqual(w.oracle.goodCopyOf(TABLE.meta.fileDigest, offset, 1), { node: 3, path: PATH });
    assert.equal(w.oracle.goodCopyOf(TABLE.meta.fileDigest, offset, 3), undefined);
    assert.equal(w.oracle.everyCopyGone(TABLE.meta.fileDigest, offset, 1), false);
    rot(three, PATH, offset, length);
    assert.ok(w.oracle.everyCopyGone(TABLE.meta.fileDigest, offset, 1));
    assert.match(w.oracle.lostBlock() ?? '', /data block/);
  });

  it('D1 a copy within parity counts, a missing, a read error or a doomed node does not', () => {
    const { offset, length } = block();
    rot(two, PATH, offset + 40, 3);
    rot(three, PATH, offset, length);
    assert.ok(w.oracle.mayDamage(1, PATH, offset, length));
    assert.deepEqual(w.oracle.faultsOf(2, TABLE.meta)?.map((fault) => fault.state), ['within-parity']);
    w.oracle.noteDamage(2, PATH, offset, 512, 'sticky-read-error');
    assert.equal(w.oracle.mayDamage(1, PATH, offset, length), false);
    w.oracle.noteMended(2);
    assert.ok(w.oracle.mayDamage(1, PATH, offset, length));
    w.oracle.noteDamage(2, 'log/1.seg', 0, 1, 'zeroed', false);
    assert.ok(w.oracle.mayDamage(1, PATH, offset, length));
    w.oracle.noteDamage(2, 'log/1.seg', 0, 1, 'zeroed', true);
    assert.equal(w.oracle.mayDamage(1, PATH, offset, length), false);
    assert.equal(w.oracle.mayLose(1), false);
  });

  it('D1 a table that only one durable manifest names may not be damaged, nor that node be lost', () => {
    assert.ok(w.oracle.mayLose(1));
    give(one, TABLE, OTHER);
    two.files.set('tables/plan-20-0.tmp', OTHER.bytes.slice());
    assert.equal(w.oracle.mayDamage(1, tablePath(2), 0, 1), false);
    assert.equal(w.oracle.mayLose(1), false);
    give(two, TABLE, OTHER);
    assert.ok(w.oracle.mayDamage(1, tablePath(2), 0, 1));
    assert.ok(w.oracle.mayLose(1));
  });

  it('D1 a footer is to be had from either end, and what lies beyond the end of a table is nobody\'s', () => {
    const regions = w.oracle.pristine(TABLE.meta.fileDigest)?.regions ?? assert.fail();
    const [head] = regions;
    for (const node of w.nodes) rot(node, PATH, 0, head?.length ?? 0);
    assert.equal(w.oracle.lostBlock(), undefined);
    assert.ok(w.oracle.mayDamage(1, PATH, TABLE.meta.bytes, 1000));
    assert.ok(w.oracle.mayDamage(1, 'hints', 0, 10));
  });

  it('knows the tables of a node that is down, and no longer those of one that was wiped', () => {
    w.oracle.onDeath(two);
    two.down = true;
    assert.equal(w.oracle.durableOf(2), two.durable);
    three.files.clear();
    assert.deepEqual(w.oracle.goodCopyOf(TABLE.meta.fileDigest, 0, 1), { node: 2, path: PATH });
    w.oracle.noteFault(2, 'wipe');
    assert.equal(w.oracle.goodCopyOf(TABLE.meta.fileDigest, 0, 1), undefined);
  });

  it('excuses a typed stop only by damage that can have caused it', () => {
    const faulty = new LogError('ENTRY_FAULTY', 'entry 5');
    assert.equal(w.oracle.excuse(1, faulty), undefined);
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'junk', false);
    assert.equal(w.oracle.excuse(1, faulty), undefined, 'what must be survived');
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'junk', true);
    assert.equal(w.oracle.excuse(1, faulty), 'junk of its log');
    assert.equal(w.oracle.excuse(2, faulty), undefined, 'another node');
    assert.equal(w.oracle.excuse(1, new HardStateError('UNREADABLE', '')), undefined);
    assert.equal(w.oracle.excuse(1, new StorageError('MANIFEST_UNREADABLE', '')), undefined);
    assert.equal(w.oracle.excuse(1, new ReplicaError('ENTRY_UNKNOWN', '')), undefined);
    assert.equal(w.oracle.excuse(1, new Error('boom')), undefined);
    assert.equal(w.oracle.excuse(1, new ReplicaError('EMPTIED', '')), undefined);
    w.oracle.noteFault(1, 'wipe');
    assert.equal(w.oracle.excuse(1, new ReplicaError('EMPTIED', '')), 'its directory was wiped');
    assert.equal(w.oracle.excuse(2, new ReplicaError('ROLLED_BACK', '')), undefined);
    w.oracle.noteFault(2, 'roll-back');
    assert.equal(w.oracle.excuse(2, new ReplicaError('ROLLED_BACK', '')), 'its directory was rolled back');
  });

  it('excuses what a refusal of the disk ends, in the life that met it', () => {
    const refused = new LogError('SYNC_FAILED', '', {}, new DiskError('SYNC_FAILED', ''));
    w.oracle.noteDamage(1, 'tables/plan-9-0.tmp', 0, 1, 'bit-flip', false);
    assert.equal(w.oracle.excuse(1, refused), undefined);
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'sync-error');
    assert.equal(w.oracle.excuse(1, refused), 'sync-error of its log');
    assert.equal(w.oracle.excuse(1, new DiskError('SYNC_FAILED', '')), 'sync-error of its log');
    w.oracle.onDeath(one);
    assert.equal(w.oracle.excuse(1, refused), undefined);
    w.world.nowUs += 1;
    w.oracle.noteDamage(1, 'tables/9.sst', 0, 1, 'read-error');
    assert.equal(w.oracle.excuse(1, refused), undefined, 'nobody may end of a table that cannot be read');
  });
});

describe('bytes of tables', () => {
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
      node.durable = node.durable.with({ last: { ...node.durable.last, index: node.durable.last.index - 1 } });
    }
    w.oracle.noteDamage(2, 'manifest/1', 4096, 4096, 'zeroed', true);
    check.onStart(two);
    assert.deepEqual(w.reported(), []);
    check.onStart(one);
    assert.deepEqual(w.reported(), ['files of the durable manifest are there']);
  });
});

describe('hints', () => {
  const HINT = { tableId: 1, kind: 'corrected', node: 1, state: 'open', offsets: undefined } as const;
  const event = (state: string) => ({ type: 'hint', table: 1, node: 1, kind: 'corrected', state }) as const;
  let check: HintsKept;
  /** It starts again and has no hints. */
  const restartWithout = (): void => {
    one.lives++;
    one.hints = [];
    check.step(one);
  };

  beforeEach(() => {
    check = new HintsKept(w.reporter, w.oracle);
    check.onEvent(one, event('open'));
    one.hints = [HINT];
    check.step(one);
  });

  it('H2 one that a restart has lost is reported, one that it kept is not', () => {
    check.saved(one);
    one.lives++;
    check.step(one);
    assert.deepEqual(w.reported(), []);
    restartWithout();
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that was not saved yet, or whose file was struck, may be lost', () => {
    one.hintsSaved = false;
    check.saved(one);
    restartWithout();
    check.onEvent(one, event('open'));
    one.hints = [HINT];
    one.hintsSaved = true;
    check.saved(one);
    w.oracle.noteDamage(1, 'hints', 0, 10, 'junk');
    restartWithout();
    assert.deepEqual(w.reported(), []);
  });

  it('H2 one whose file has a bad sector when a life opens it may be lost', () => {
    check.saved(one);
    w.world.nowUs += 1000;
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    restartWithout();
    assert.deepEqual(w.reported(), []);
  });

  it('H2 one that was still known after the bad sector was met is reported, as is one whose file could not be read for once', () => {
    check.saved(one);
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    w.world.nowUs += 1000;
    check.step(one);
    w.oracle.noteDamage(1, 'hints', 0, 41, 'read-error');
    w.oracle.noteDamage(1, 'hints', 0, 41, 'misread');
    w.oracle.noteDamage(1, 'hints.tmp', 0, 4096, 'sticky-read-error');
    restartWithout();
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that is lost within a life is reported, whatever was done to its file', () => {
    check.saved(one);
    w.world.nowUs += 1000;
    w.oracle.noteDamage(1, 'hints', 0, 4096, 'sticky-read-error');
    w.oracle.noteDamage(1, 'hints', 0, 10, 'junk');
    one.hints = [];
    check.step(one);
    assert.deepEqual(w.reported(), ['hints are never lost']);
  });

  it('H2 one that ends while its table is durable is reported', () => {
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), ['hints end when the fault is gone']);
  });

  it('H2 one that ends while the same bytes are bad under their new id is reported, with good ones it is not', () => {
    const heir = { meta: { ...TABLE.meta, id: 5 }, bytes: TABLE.bytes };
    give(one, heir);
    one.hints = [];
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), []);
    rot(one, tablePath(5), 800, 20);
    check.onEvent(one, event('open'));
    check.onEvent(one, event('done'));
    assert.deepEqual(w.reported(), ['hints end when the fault is gone']);
    w.oracle.noteDamage(1, tablePath(5), 800, 20, 'burst');
    check.onEvent(one, event('open'));
    check.onEvent(one, event('done'));
    assert.equal(w.violations.length, 1);
  });
});
