/** How large entries go in: slice by slice, and seen by nobody before all is there. */

import assert from 'node:assert/strict';
import { KvMachine } from './kv-machine.js';
import { deleteRange } from './operations.js';
import { Overlay } from './overlay.js';
import { Pace, SLICE_KEYS } from './pace.js';
import { readRange } from './range.js';
import { ResponseBudget } from './response-budget.js';
import { readTxn } from './txn.js';
import { Harness } from './testing/harness.js';
import { MemoryTree } from './testing/memory-tree.js';
import { command, op, rangeOf, txnOf } from './testing/requests.js';
import { runToEnd } from './testing/run-to-end.js';
import { StorageTree } from './testing/storage-tree.js';
import { KiB, MiB, utf8 } from '../../base/bytes.js';
import { USER_SPACE, type ReadView, type TreeWrite } from '../../storage/base/read-view.js';
import type { KvCommand } from './command.js';

const keyOf = (i: number): string => `k${String(i).padStart(5, '0')}`;
const KEYS = 40;

function live(view: ReadView, revision: number): readonly [walked: number, counted: number, found: number] {
  let walked = 0;
  for (const _ of view.scan(USER_SPACE, { from: utf8('k'), to: utf8('l'), atRevision: revision })) walked++;
  let found = 0;
  for (let i = 0; i < KEYS; i++) {
    const entry = view.get(USER_SPACE, utf8(keyOf(i)), revision);
    if (entry !== undefined && !entry.tombstone) found++;
  }
  return [walked, view.countLive(utf8('k'), utf8('l')), found];
}

/** Half of the keys in a table, half in the memtable. */
async function stored(sliceKeys: number): Promise<{ storage: StorageTree; machine: KvMachine; index: number }> {
  const storage = new StorageTree();
  const machine = new KvMachine(storage.tree, { sliceKeys });
  let index = 0;
  for (let i = 0; i < KEYS; i += 2) runToEnd(machine.apply(++index, undefined, command.put(keyOf(i), 'v'), false));
  await storage.flush(++index, machine.sealState(index));
  index++;
  for (let i = 1; i < KEYS; i += 2) runToEnd(machine.apply(++index, undefined, command.put(keyOf(i), 'v'), false));
  return { storage, machine, index };
}

const LARGE: readonly KvCommand[] = [
  command.del('k', 'l'),
  command.txn([], [op.del('k', 'l'), op.put('k1', ''), op.del(keyOf(3)), op.put('k2', ''), op.del('k1')]),
  command.txn([], Array.from({ length: 100 }, (_, i) => op.put(`k-${i}`, 'x'))),
];

describe('a large entry', () => {
  LARGE.forEach((what, at) => {
    it(`S2 is seen by nobody before all of it is there, and then at once (${at})`, async () => {
      const { storage: { tree }, machine, index } = await stored(4);
      const { revision } = machine;
      const early = tree.view();
      const views: ReadView[] = [];
      const apply = machine.apply(index + 1, undefined, what, true);
      const before = [KEYS, KEYS, KEYS];
      let pauses = 0;
      for (let step = apply.next(); step.done !== true; step = apply.next()) {
        pauses++;
        const view = tree.view();
        views.push(view);
        assert.equal(machine.revision, revision);
        for (const one of [early, view, tree.current, ...views]) assert.deepEqual(live(one, revision), before);
        // Nor by who asks for more than there is.
        assert.equal(live(tree.current, revision + 1)[0], KEYS);
      }
      assert.ok(pauses > 10, `${pauses} pauses`);
      assert.equal(machine.revision, revision + 1);
      const after = live(tree.current, revision + 1);
      assert.equal(after[0], after[1]);
      assert.notDeepEqual(after, before);
      const late = tree.view();
      assert.deepEqual(live(late, revision + 1), after);
      for (const one of [early, ...views]) {
        assert.deepEqual(live(one, revision), before);
        one.release();
      }
      late.release();
    });
  });

  it('S1 no memtable is sealed, and nothing else written, within it', async () => {
    const { storage: { tree }, machine, index } = await stored(4);
    const apply = machine.apply(index + 1, undefined, command.del('k', 'l'), false);
    for (let i = 0; i < 15; i++) assert.equal(apply.next().done, false);
    assert.throws(() => tree.seal(index + 1), /S1/);
    assert.throws(() => tree.write([]), /S2/);
    assert.throws(() => machine.sealState(index + 1), /S2/);
    // Half of it would be left behind.
    apply.return({ kind: 'duplicate' });
    assert.throws(() => runToEnd(machine.apply(index + 1, undefined, command.del('k', 'l'), false)), /S2 entries are applied one after the other/);
  });

  it('S2 leaves equal tables, whatever the slices', async () => {
    const digests: string[][] = [];
    for (const sliceKeys of [1, 7, 1000]) {
      const { storage, machine, index } = await stored(sliceKeys);
      let at = index;
      for (const what of LARGE) runToEnd(machine.apply(++at, undefined, what, sliceKeys === 7));
      await storage.flush(++at, machine.sealState(at));
      digests.push(storage.tree.latest.list().map((table) => table.fileDigest));
    }
    assert.equal(digests[0]?.length, 2);
    assert.deepEqual(digests[1], digests[0]);
    assert.deepEqual(digests[2], digests[0]);
  });
});

/** Counts what is done between two pauses. */
class Watched extends MemoryTree {
  stages = 0;

  override stage(write: TreeWrite): void {
    this.stages++;
    super.stage(write);
  }
}

function filled(keys: number): Harness<Watched> {
  const kv = new Harness(new Watched());
  for (let i = 0; i < keys; i++) kv.put(keyOf(i), 'v');
  return kv;
}

/** The most keys that were read, and the most that were written, between two pauses. */
function widest(kv: Harness<Watched>, what: KvCommand): readonly [reads: number, stages: number] {
  const { tree } = kv;
  let [reads, stages] = [0, 0];
  const apply = kv.machine.apply(++kv.index, undefined, what, false);
  for (let done = false; !done;) {
    tree.reads = 0;
    tree.stages = 0;
    done = apply.next().done === true;
    reads = Math.max(reads, tree.reads);
    stages = Math.max(stages, tree.stages);
  }
  return [reads, stages];
}

describe('work in one turn', () => {
  it('a delete of many keys reads and writes at most a slice of them between two pauses', () => {
    const kv = filled(3_000);
    assert.deepEqual(widest(kv, command.del('k', 'l')), [SLICE_KEYS, SLICE_KEYS]);
    assert.equal(kv.range('k', 'l').count, 0);
  });

  it('a transaction that deletes, counts and reads the same keys does no more', () => {
    const kv = filled(1_000);
    const ops = [op.del('k', 'l'), op.range('k', 'l', { countOnly: true }), op.range('k', 'l'), op.del('k', 'l')];
    const [reads, stages] = widest(kv, command.txn([], ops));
    assert.ok(reads <= SLICE_KEYS + 1 && stages <= SLICE_KEYS, `${reads} reads, ${stages} writes`);
  });

  it('a long stretch of deleted keys is work like any other, for deletes and compares', () => {
    const kv = filled(1_000);
    kv.del('k', 'l');
    kv.put('k99999', '');
    assert.deepEqual(widest(kv, command.del('k', 'l'))[0], SLICE_KEYS);
    kv.put('k99999', '');
    const compare = { key: utf8('k'), rangeEnd: utf8('l'), result: 'greater', target: { kind: 'version', version: 0 } } as const;
    assert.deepEqual(widest(kv, command.txn([compare], []))[0], SLICE_KEYS);
  });

  it('large values make a slice of fewer keys', () => {
    const pace = new Pace();
    let keys = 1;
    while (!pace.step(64 * KiB)) keys++;
    assert.equal(keys, Math.ceil(SLICE_KEYS / 17));
  });
});

describe('a response that is too large', () => {
  it('is given up, and the entry is carried out all the same', () => {
    const kv = filled(100);
    const view = kv.tree.view();
    const budget = new ResponseBudget(true, 1_000);
    const overlay = new Overlay(view, kv.machine.revision + 1);
    const [request] = [command.del('k', 'l', true)].map((what) => (what.kind === 'delete-range' ? what.request : undefined));
    assert.ok(request);
    assert.equal(runToEnd(deleteRange(overlay, request, budget, new Pace())), undefined);
    assert.deepEqual([budget.wanted, budget.exceeded], [false, true]);
    assert.equal(overlay.take().size, 100);
  });

  it('is refused where nothing but the response was asked for', () => {
    const kv = Harness.onMemory();
    const value = new Uint8Array(MiB);
    for (let i = 0; i < 5; i++) kv.put(keyOf(i), '', { value });
    const what = txnOf([], Array.from({ length: 120 }, () => op.range('k', 'l')));
    assert.throws(() => runToEnd(readTxn(kv.tree.current, what, kv.machine.state())), { code: 'RESPONSE_TOO_LARGE' });
    const less = { ...what, success: what.success.slice(0, 90) };
    assert.equal(runToEnd(readTxn(kv.tree.current, less, kv.machine.state())).responses.length, 90);
  });

  it('C1 is refused of a range by itself, in whatever order, and nothing more is read', () => {
    const kv = Harness.onMemory();
    for (let i = 0; i < 2_000; i++) kv.put(keyOf(i), '', { value: new Uint8Array(1_000) });
    const state = kv.machine.state();
    const requests = [{}, { keysOnly: true, limit: 1_999 }, { sortTarget: 'mod', sortOrder: 'descend', limit: 1 }] as const;
    for (const more of requests) {
      const request = rangeOf('k', 'l', more);
      const work = readRange(kv.tree.current, request, state, new ResponseBudget(true, 20_000));
      let yields = 0;
      assert.throws(() => {
        while (work.next().done !== true) yields++;
      }, { code: 'RESPONSE_TOO_LARGE', message: /ask for less at a time/ });
      assert.ok(yields <= 8, `${yields} slices of 128 keys`);
      assert.equal(runToEnd(readRange(kv.tree.current, request, state)).count, 2_000);
    }
  });

  it('to a write says that the write was done', () => {
    const kv = Harness.onMemory();
    const value = new Uint8Array(MiB);
    for (let i = 0; i < 5; i++) kv.put(keyOf(i), '', { value });
    const ops = [op.put('a', ''), ...Array.from({ length: 120 }, () => op.range('k', 'l'))];
    assert.deepEqual(kv.apply(command.txn([], ops)), { kind: 'unanswered' });
    assert.equal(kv.range('a').count, 1);
  });
});
