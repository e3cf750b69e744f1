import assert from 'node:assert/strict';
import { DiskError } from '../../base/errors.js';
import { ReplicaError } from '../../replica/base/errors.js';
import { HardStateError } from '../../replica/hard-state/errors.js';
import { LogError } from '../../replica/log/errors.js';
import { StorageError } from '../../storage/base/errors.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { formatWith, makeTable, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import { watch, type FakeNode, type Watch } from '../checks/testing/fake-node.js';
import { dataBlock, give, rot } from '../checks/testing/given-tables.js';

const FORMAT = formatWith('rs(4,2)', 512);
const TABLE = makeTable(sampleEntries(120), FORMAT, 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
const OTHER = makeTable(sampleEntries(80, 2), FORMAT, 2, { term: 1, proposer: 1, sequence: 20, ordinal: 0 });
const PATH = tablePath(1);

describe('the damage oracle', () => {
  let w: Watch;
  let one: FakeNode;
  let two: FakeNode;
  let three: FakeNode;

  beforeEach(() => {
    w = watch();
    [one, two, three] = w.nodes as [FakeNode, FakeNode, FakeNode];
    for (const node of w.nodes) give(w, node, TABLE);
  });

  it('D1 lets the same block go on two nodes of three, never on the third', () => {
    const { offset, length } = dataBlock(w, TABLE);
    for (const node of [one, two]) {
      assert.ok(w.oracle.verdict.mayDamage(node.id, PATH, offset, length));
      rot(node, PATH, offset, length);
    }
    assert.equal(w.oracle.verdict.mayDamage(3, PATH, offset + 5, 1), false);
    assert.ok(w.oracle.verdict.mayDamage(3, PATH, offset + length, 10), 'the block after it');
    assert.deepEqual(w.oracle.verdict.goodCopyOf(TABLE.meta.fileDigest, offset, 1), { node: 3, path: PATH });
    assert.equal(w.oracle.verdict.goodCopyOf(TABLE.meta.fileDigest, offset, 3), undefined);
    assert.equal(w.oracle.verdict.everyCopyGone(TABLE.meta.fileDigest, offset, 1), false);
    rot(three, PATH, offset, length);
    assert.ok(w.oracle.verdict.everyCopyGone(TABLE.meta.fileDigest, offset, 1));
    assert.match(w.oracle.verdict.lostBlock() ?? '', /data block/);
  });

  it('D1 what is only on the disk of one that stopped cannot be served, and is no excuse to stop', () => {
    const { offset, length } = dataBlock(w, TABLE);
    rot(one, PATH, offset, length);
    rot(two, PATH, offset, length);
    three.state = 'fenced';
    const { verdict } = w.oracle;
    assert.match(verdict.lostBlock() ?? '', /data block/);
    assert.equal(verdict.lostBlock(true), undefined);
    rot(three, PATH, offset, length);
    assert.match(verdict.lostBlock(true) ?? '', /data block/);
  });

  it('D1 spares a voter only while a majority of the others has all that was committed', () => {
    const { verdict, ledger } = w.oracle;
    assert.ok(verdict.maySpare(1) && verdict.maySpare(1, true));
    ledger.noteLeaving(2);
    assert.ok(!verdict.maySpare(1) && !verdict.maySpare(1, true));
    ledger.noteLeaving(2, false);
    // The newest change of the members is entry 50: node 2 has it, node 3 does not yet.
    one.applied = two.applied = 50;
    w.oracle.onEvent(one, { type: 'members-changed', index: 50, change: 'add', members: 3 });
    assert.ok(!verdict.maySpare(1));
    three.applied = 50;
    assert.ok(verdict.maySpare(1));
  });

  it('R5 a learner that is to be a voter counts as one whose vote is missing once its promises are lost', () => {
    const { verdict, ledger, roster } = w.oracle;
    // Node 3 was added after the others: it does not vote yet.
    let voters = [1, 2];
    Object.defineProperty(roster, 'halves', { get: () => [voters] });
    assert.ok(verdict.maySpare(3) && verdict.maySpare(1, true));
    w.oracle.noteDamage(3, 'hardstate', 0, 1, 'misnamed', true);
    assert.ok(verdict.maySpare(1, true), 'nobody makes it a voter');
    ledger.noteRising(3);
    assert.ok(!verdict.maySpare(1, true), 'what is left would be node 2, and the vote that is missing');
    ledger.noteRising(3, false);
    assert.ok(verdict.maySpare(1, true));
    ledger.noteRising(3);
    ledger.noteLeaving(3);
    assert.ok(!ledger.rises(3));
    w.oracle.noteReborn(3, true);
    ledger.noteRising(3);
    assert.ok(verdict.maySpare(3));
    voters = [1];
    assert.ok(!verdict.maySpare(3), 'one of two is no majority');
    ledger.noteRising(3, false);
    assert.ok(verdict.maySpare(3));
  });

  it('R5 another member on a machine has promised nothing, and on an empty disk nothing was ever struck', () => {
    const { ledger } = w.oracle;
    w.oracle.noteFault(1, 'wipe');
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'zeroed', true);
    w.oracle.noteDamage(1, PATH, 0, 1, 'zeroed');
    w.oracle.noteReborn(1, false);
    assert.ok(!ledger.forgets(1) && ledger.grave(1, 'log') === undefined);
    assert.ok(ledger.changed(1, 'tables') !== undefined, 'its tables are those from before');
    w.oracle.noteReborn(1, true);
    assert.equal(ledger.changed(1, 'tables'), undefined);
  });

  it('D1 a copy within parity counts, a missing, a read error or a doomed node does not', () => {
    const { offset, length } = dataBlock(w, TABLE);
    rot(two, PATH, offset + 40, 3);
    rot(three, PATH, offset, length);
    assert.ok(w.oracle.verdict.mayDamage(1, PATH, offset, length));
    assert.deepEqual(w.oracle.census.faultsOf(2, TABLE.meta)?.map((fault) => fault.state), ['within-parity']);
    w.oracle.noteDamage(2, PATH, offset, 512, 'sticky-read-error');
    assert.equal(w.oracle.verdict.mayDamage(1, PATH, offset, length), false);
    w.oracle.noteMended(2);
    assert.ok(w.oracle.verdict.mayDamage(1, PATH, offset, length));
    w.oracle.noteDamage(2, 'log/1.seg', 0, 1, 'zeroed', false);
    assert.ok(w.oracle.verdict.mayDamage(1, PATH, offset, length));
    w.oracle.noteDamage(2, 'log/1.seg', 0, 1, 'zeroed', true);
    assert.ok(w.oracle.verdict.lacksEntries(2) && w.oracle.verdict.mayDamage(1, PATH, offset, length), 'it serves its tables meanwhile');
    w.oracle.noteDamage(2, 'hardstate', 0, 1, 'zeroed', true);
    assert.equal(w.oracle.verdict.mayDamage(1, PATH, offset, length), false);
    assert.equal(w.oracle.verdict.mayLose(1), false);
  });

  it('D1 a table that only one durable manifest names may not be damaged, nor that node be lost', () => {
    assert.ok(w.oracle.verdict.mayLose(1));
    give(w, one, TABLE, OTHER);
    two.files.set('tables/plan-20-0.tmp', OTHER.bytes.slice());
    assert.equal(w.oracle.verdict.mayDamage(1, tablePath(2), 0, 1), false);
    assert.equal(w.oracle.verdict.mayLose(1), false);
    give(w, two, TABLE, OTHER);
    assert.ok(w.oracle.verdict.mayDamage(1, tablePath(2), 0, 1));
    assert.ok(w.oracle.verdict.mayLose(1));
  });

  it('D1 a footer can be read at either end, and what lies beyond the end of a table is nobody\'s', () => {
    const regions = w.oracle.census.pristine(TABLE.meta.fileDigest)?.regions ?? assert.fail();
    const [head] = regions;
    for (const node of w.nodes) rot(node, PATH, 0, head?.length ?? 0);
    assert.equal(w.oracle.verdict.lostBlock(), undefined);
    assert.ok(w.oracle.verdict.mayDamage(1, PATH, TABLE.meta.bytes, 1000));
    assert.ok(w.oracle.verdict.mayDamage(1, 'hints', 0, 10));
  });

  it('knows the tables of a node that is down, and no longer those of one that was wiped', () => {
    w.oracle.onDeath(two);
    two.down = true;
    assert.equal(w.oracle.census.durableOf(2), two.durable);
    three.files.clear();
    assert.deepEqual(w.oracle.verdict.goodCopyOf(TABLE.meta.fileDigest, 0, 1), { node: 2, path: PATH });
    w.oracle.noteFault(2, 'wipe');
    assert.equal(w.oracle.verdict.goodCopyOf(TABLE.meta.fileDigest, 0, 1), undefined);
  });

  it('excuses a typed stop only by damage that can have caused it', () => {
    const faulty = new LogError('ENTRY_UNREADABLE', 'entry 5');
    assert.equal(w.oracle.verdict.excuse(1, faulty), undefined);
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'junk', false);
    assert.equal(w.oracle.verdict.excuse(1, faulty), undefined, 'what must be survived');
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'junk', true);
    assert.equal(w.oracle.verdict.excuse(1, faulty), 'junk of its log');
    assert.equal(w.oracle.verdict.excuse(2, faulty), undefined, 'another node');
    assert.equal(w.oracle.verdict.excuse(1, new LogError('ENTRY_FAULTY', 'entry 5')), undefined, 'it asks the others');
    assert.equal(w.oracle.verdict.excuse(1, new HardStateError('UNREADABLE', '')), undefined);
    assert.equal(w.oracle.verdict.excuse(1, new StorageError('MANIFEST_UNREADABLE', '')), undefined);
    assert.equal(w.oracle.verdict.excuse(1, new ReplicaError('ENTRY_DAMAGED', '')), undefined);
    assert.equal(w.oracle.verdict.excuse(1, new Error('boom')), undefined);
    assert.equal(w.oracle.verdict.excuse(1, new ReplicaError('EMPTIED', '')), undefined);
    w.oracle.noteFault(1, 'wipe');
    assert.equal(w.oracle.verdict.excuse(1, new ReplicaError('EMPTIED', '')), 'its directory was wiped');
    assert.equal(w.oracle.verdict.excuse(2, new ReplicaError('ROLLED_BACK', '')), undefined);
    w.oracle.noteFault(2, 'roll-back');
    assert.equal(w.oracle.verdict.excuse(2, new ReplicaError('ROLLED_BACK', '')), 'its directory was rolled back');
  });

  it('excuses what a refusal of the disk ends, in the life that met it', () => {
    const refused = new HardStateError('WRITE_FAILED', '', {}, new DiskError('SYNC_FAILED', ''));
    const log = new LogError('SYNC_FAILED', '', {}, new DiskError('SYNC_FAILED', ''));
    w.oracle.noteDamage(1, 'tables/plan-9-0.tmp', 0, 1, 'bit-flip', false);
    assert.equal(w.oracle.verdict.excuse(1, refused), undefined);
    w.oracle.noteDamage(1, 'log/1.seg', 0, 1, 'sync-error');
    assert.equal(w.oracle.verdict.excuse(1, log), undefined, 'a log goes on elsewhere');
    assert.equal(w.oracle.verdict.excuse(1, refused), 'sync-error of its log');
    assert.equal(w.oracle.verdict.excuse(1, new DiskError('SYNC_FAILED', '')), 'sync-error of its log');
    w.oracle.onDeath(one);
    assert.equal(w.oracle.verdict.excuse(1, refused), undefined);
    w.world.nowUs += 1;
    w.oracle.noteDamage(1, 'tables/9.sst', 0, 1, 'read-error');
    assert.equal(w.oracle.verdict.excuse(1, refused), undefined, 'nobody may end of a table that cannot be read');
  });
});
