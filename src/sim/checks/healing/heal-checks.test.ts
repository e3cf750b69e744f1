import assert from 'node:assert/strict';
import type { HintStatus } from '../../../healing/status/hint-status.js';
import type { Replica } from '../../../replica/replica.js';
import { copyPath } from '../../../healing/repair/table-copies.js';
import { formatWith, makeTable, sampleEntries } from '../../../storage/table/testing/sample-tables.js';
import { tablePath } from '../../../storage/table/table-meta.js';
import { FaultsNoted } from './faults-noted.js';
import { HealsChecked } from './heals-checked.js';
import { HintsTrue } from './hints-true.js';
import { isWithinParity } from '../../oracle/parity-reach.js';
import { ParityUsed } from './parity-used.js';
import { ReadersKept } from '../tree/readers-kept.js';
import { RepairsKept } from './repairs-kept.js';
import { watch, type FakeNode, type Watch } from '../testing/fake-node.js';
import { dataBlock, give, rot } from '../testing/given-tables.js';
import { VersionsKept } from '../tree/versions-kept.js';

const TABLE = makeTable(sampleEntries(120), formatWith('rs(4,2)', 512), 1, { term: 1, proposer: 1, sequence: 10, ordinal: 0 });
const { meta } = TABLE;
const PATH = tablePath(1);
const SECOND = 1_000_000;

describe('checks of healing', () => {
  let w: Watch;
  let one: FakeNode;

  beforeEach(() => {
    w = watch();
    [one] = w.nodes as [FakeNode, ...FakeNode[]];
    for (const node of w.nodes) give(w, node, TABLE);
  });

  describe('what parity must restore', () => {
    for (const [scheme, shards] of [['rs(4,2)', 2], ['xor(8)', 1], ['secded', 0]] as const) {
      it(`D1 with ${scheme} is counted in shards or bits, and the decoder restores it`, () => {
        const made = makeTable(sampleEntries(60), formatWith(scheme, 512), 1, meta.birth);
        w = watch();
        const node = w.nodes[0] as FakeNode;
        node.files.set(PATH, made.bytes.slice());
        node.holds([made.meta], 30);
        w.oracle.onStart(node);
        const { offset, length, spec } = w.oracle.census.pristine(made.meta.fileDigest)?.regions.find(({ kind }) => kind === 'data') ?? assert.fail();
        const born = made.bytes.slice(offset, offset + length);
        const stored = born.slice();
        assert.ok(isWithinParity(stored, born, spec));
        stored.fill(0, 0, 40);
        assert.ok(isWithinParity(stored, born, spec), 'a header is no shard');
        stored.set(born);
        stored[120] = (born[120] as number) ^ 1;
        assert.ok(isWithinParity(stored, born, spec), 'one bit');
        for (let i = 100; i < length - 100; i++) stored[i] = (born[i] as number) ^ 0xff;
        assert.equal(isWithinParity(stored, born, spec), false, `more than ${shards} shards`);
        assert.equal(isWithinParity(stored.subarray(0, 0), born, spec), false);
      });
    }

    it('D1 a block within parity that cannot be read is reported, one beyond it or read with a fault is not', () => {
      const check = new ParityUsed(w.reporter, w.oracle);
      const { offset, length } = dataBlock(w, TABLE);
      const said = (): void => check.onEvent(one, { type: 'block-unreadable', table: 1, offset, why: '' });
      rot(one, PATH, offset, length);
      said();
      one.files.set(PATH, TABLE.bytes.slice());
      rot(one, PATH, offset + 60, 1);
      w.oracle.noteDamage(2, PATH, offset, 10, 'misread');
      assert.deepEqual(w.reported(), []);
      said();
      assert.deepEqual(w.reported(), ['what parity can restore is read']);
      w.oracle.noteDamage(1, PATH, offset, 10, 'misread');
      said();
      assert.equal(w.violations.length, 1);
    });
  });

  describe('hints and faults', () => {
    const OPEN = { type: 'hint', table: 1, node: 1, kind: 'corrected', state: 'open' } as const;

    it('H1 a hint against sound bytes is reported, unless two reads failed or the table was struck', () => {
      const check = new HintsTrue(w.reporter, w.oracle);
      rot(one, PATH, 700, 1);
      check.onEvent(one, OPEN);
      one.files.set(PATH, TABLE.bytes.slice());
      assert.deepEqual(w.reported(), []);
      w.oracle.noteDamage(1, PATH, 700, 10, 'misread');
      check.onEvent(one, OPEN);
      assert.deepEqual(w.reported(), ['hints mean faults']);
      w.oracle.noteDamage(1, PATH, 700, 10, 'misread');
      check.onEvent(one, OPEN);
      w.oracle.noteDamage(2, PATH, 700, 10, 'bit-flip');
      check.onEvent(w.nodes[1] as FakeNode, { ...OPEN, node: 2 });
      assert.equal(w.violations.length, 1);
    });

    it('H1 rot that a read corrected and that leaves no hint is reported', () => {
      const check = new FaultsNoted(w.reporter, w.oracle);
      const { offset, length } = dataBlock(w, TABLE);
      const read = (): void => {
        one.faults.corrected(meta, { kind: 'data', offset, length }, '');
        for (let i = 0; i < 40; i++) {
          w.world.nowUs += SECOND;
          check.step(one);
        }
      };
      check.watch(one, one.running?.replica as Replica);
      read();
      rot(one, PATH, offset + 60, 1);
      one.hints = [{ tableId: 1, kind: 'corrected', node: 1, state: 'open', offsets: undefined }];
      read();
      assert.deepEqual(w.reported(), []);
      one.hints = [];
      read();
      assert.deepEqual(w.reported(), ['a corrected read of rot leaves a hint']);
    });
  });

  describe('repairs', () => {
    const path = (): string => `repairs/${meta.fileDigest}-${dataBlock(w, TABLE).offset}`;
    let check: RepairsKept;
    beforeEach(() => (check = new RepairsKept(w.reporter, w.oracle)));

    it('H5 one that is not on the disk is reported, unless the disk refused it', () => {
      const said = (): void => check.repaired(one, { type: 'block-repaired', table: 1, offset: dataBlock(w, TABLE).offset, from: 2 });
      one.files.set(path(), new Uint8Array(9));
      said();
      one.files.delete(path());
      assert.deepEqual(w.reported(), []);
      said();
      assert.deepEqual(w.reported(), ['repairs are kept until the fault is gone']);
      w.oracle.noteDamage(1, `${path()}.tmp`, 0, 9, 'no-space');
      said();
      assert.equal(w.violations.length, 1);
    });

    it('H5 one that goes before its table is good is reported, afterwards it may go', () => {
      for (const bad of [false, true]) {
        if (bad) rot(one, PATH, dataBlock(w, TABLE).offset, 60);
        one.files.set(path(), new Uint8Array(9));
        check.step(one);
        one.files.delete(path());
        assert.deepEqual(w.reported(), []);
        check.step(one);
      }
      assert.deepEqual(w.reported(), ['repairs are kept until the fault is gone']);
    });
  });

  describe('heals', () => {
    const PROPOSED = { type: 'heal-proposed', table: 1 } as const;

    it('H5 one that is proposed by a leader without a good copy is reported', () => {
      const check = new HealsChecked(w.reporter, w.oracle, w.nodes);
      check.proposed(one, PROPOSED);
      rot(one, PATH, 700, 300);
      one.files.set(copyPath(1), TABLE.bytes.slice());
      check.proposed(one, PROPOSED);
      assert.deepEqual(w.reported(), []);
      one.files.delete(copyPath(1));
      check.proposed(one, PROPOSED);
      assert.deepEqual(w.reported(), ['a heal is proposed by who has the table']);
    });

    it('H4 one that waits while a place is free is reported, one that waits for a place or a plan is not', () => {
      const check = new HealsChecked(w.reporter, w.oracle, w.nodes);
      const hint = (tableId: number, state: HintStatus['state']): HintStatus => ({ tableId, kind: 'corrected', node: 2, state, offsets: undefined });
      const wait = (): void => {
        for (let i = 0; i < 25; i++) {
          check.heard(one);
          check.step();
        }
      };
      one.leads = true;
      one.hints = [hint(1, 'pending'), hint(5, 'claimed'), hint(6, 'claimed')];
      wait();
      one.hints = [hint(1, 'backoff')];
      wait();
      assert.deepEqual(w.reported(), []);
      one.hints = [hint(1, 'pending'), hint(5, 'backoff')];
      for (let i = 0; i < 25; i++) check.step();
      assert.deepEqual(w.reported(), [], 'a leader that is paused');
      wait();
      assert.deepEqual(w.reported(), ['no heal waits for another']);
    });
  });

  describe('what a node still needs', () => {
    it('S5 a table that goes under an open view is reported, after the release it may go', async () => {
      const check = new ReadersKept(w.reporter);
      const { tree } = one.running?.replica as Replica;
      check.watch(one, one.running?.replica as Replica);
      const views = [tree.view(), tree.view()];
      for (const view of views) view.release();
      one.deletable = [1];
      await tree.collect();
      assert.deepEqual(w.reported(), []);
      const view = tree.view();
      await tree.collect();
      assert.deepEqual(w.reported(), ['files under a reader stay']);
      view.release();
      await tree.collect();
      assert.equal(w.violations.length, 1);
      const unpin = tree.pin([meta]);
      await tree.collect();
      assert.deepEqual(w.reported(), ['files under a reader stay', 'files in a transfer stay']);
      unpin();
      await tree.collect();
      assert.equal(w.violations.length, 2);
    });

    it('S2 a version that a start has lost is reported, unless its manifest was destroyed, or the beginning of its log', () => {
      const check = new VersionsKept(w.reporter, w.oracle);
      const lost = { type: 'warning', message: 'the version here is lost: the peers are asked for theirs', data: { why: '' } } as const;
      w.oracle.noteDamage(2, 'manifest/1', 0, 4096, 'zeroed', true);
      check.onEvent(w.nodes[1] as FakeNode, lost);
      w.oracle.noteDamage(3, 'log/0000000000000001.seg', 0, 4096, 'missing', true);
      check.onEvent(w.nodes[2] as FakeNode, lost);
      w.oracle.noteDamage(1, 'manifest/1', 0, 4096, 'zeroed', false);
      w.oracle.noteDamage(1, 'log/0000000000000001.seg', 0, 4096, 'zeroed', false);
      const asks = { type: 'warning', message: 'log entries are damaged: the other members are asked for them', data: {} } as const;
      check.onEvent(one, asks);
      check.onEvent(one, lost);
      assert.deepEqual(w.reported(), [], 'it asked for entries in this life');
      one.lives++;
      check.onEvent(one, lost);
      assert.deepEqual(w.reported(), ['the durable version is kept']);
    });
  });
});
