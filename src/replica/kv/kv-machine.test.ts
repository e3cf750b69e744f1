import assert from 'node:assert/strict';
import { KvMachine } from './kv-machine.js';
import { APPLIED_WINDOW } from './applied-ids.js';
import { runToEnd } from './testing/run-to-end.js';
import { range } from './range.js';
import { SYSTEM_KEYS } from './system-keys.js';
import { MemoryTree } from './testing/memory-tree.js';
import { Harness } from './testing/harness.js';
import { TO_END, command, op, rangeOf } from './testing/requests.js';
import { utf8, compareBytes } from '../../base/bytes.js';

const id = (sequence: number, incarnation = 1, member = 1): { member: number; incarnation: number; sequence: number } => ({
  member, incarnation, sequence,
});

function filled(keys: number, sliceKeys = 4): Harness {
  const kv = Harness.onMemory({ sliceKeys });
  for (let i = 0; i < keys; i++) kv.put(`k${String(i).padStart(5, '0')}`, `${i}`);
  return kv;
}

describe('apply is all or nothing', () => {
  it('S2 nobody sees half a delete: slices read and insert, one flip publishes', () => {
    const kv = filled(40);
    const before = kv.tree.publications;
    const apply = kv.machine.apply(++kv.index, undefined, command.del('k', 'l'), true);
    let slices = 0;
    for (let step = apply.next(); step.done !== true; step = apply.next()) {
      slices += 1;
      assert.equal(kv.tree.publications, before);
      assert.equal(kv.range('k', 'l', { countOnly: true }).count, 40);
      assert.equal(kv.machine.revision, 41);
    }
    assert.equal(slices, 10 + 10);
    assert.equal(kv.tree.publications, before + 1);
    assert.equal(kv.range('k', 'l', { countOnly: true }).count, 0);
    assert.equal(kv.machine.revision, 42);
    assert.equal(kv.tree.pinned, 0);
  });

  it('D1 an unreadable block leaves no trace, and the entry applies as if nothing had been once it is repaired', () => {
    const commands = [
      command.put('k00007', 'x', { prevKv: true }),
      command.del('k00007'),
      command.del('k', 'l', true),
      command.txn([], [op.put('new', '1'), op.del('k00001', 'k00009'), op.range('k', 'l')]),
      command.txn([{ key: utf8('k'), rangeEnd: utf8('l'), result: 'greater', target: { kind: 'version', version: 0 } }], [op.put('n', '')]),
    ];
    for (const what of commands) {
      const good = filled(20);
      const bad = filled(20);
      bad.tree.faulty = (key) => compareBytes(key, utf8('k00007')) === 0;
      const sealed = bad.machine.sealState(bad.index);
      const publications = bad.tree.publications;
      for (let attempt = 0; attempt < 2; attempt++) {
        assert.throws(() => runToEnd(bad.machine.apply(bad.index + 1, id(1), what, true)), { code: 'BLOCK_UNREADABLE' });
        assert.throws(() => runToEnd(bad.machine.prefetch(bad.tree.current, what)), { code: 'BLOCK_UNREADABLE' });
        assert.equal(bad.tree.publications, publications);
        assert.deepEqual(bad.machine.sealState(bad.index), sealed);
      }
      bad.tree.faulty = undefined;
      assert.deepEqual(bad.apply(what, id(1)), good.apply(what, id(1)));
      assert.deepEqual(bad.tree.spaces, good.tree.spaces);
    }
  });

  it('an apply that is given up in the middle changes nothing and lets the next one in', () => {
    const kv = filled(20);
    const apply = kv.machine.apply(kv.index + 1, undefined, command.del('k', 'l'), true);
    apply.next();
    assert.throws(() => kv.machine.tryApplyFast(kv.index + 1, undefined, command.put('a', ''), true), /one after the other/);
    apply.return({ kind: 'duplicate' });
    assert.equal(kv.tree.pinned, 1 - 1);
    assert.equal(kv.put('a', '').revision, 22);
  });

  it('S2 entries are applied in the order of the log', () => {
    const kv = filled(1);
    assert.throws(() => runToEnd(kv.machine.apply(1, undefined, command.put('a', ''), true)), /in order/);
  });

  it('a put is one read and one write without a pinned view', () => {
    const kv = filled(5);
    kv.tree.reads = 0;
    assert.deepEqual(kv.machine.tryApplyFast(++kv.index, undefined, command.put('k00001', 'x'), false), { kind: 'done', response: undefined });
    assert.equal(kv.tree.reads, 1);
    assert.equal(kv.tree.pinned, 0);
    assert.equal(kv.machine.tryApplyFast(kv.index + 1, undefined, command.del('k', 'l'), false), undefined);
  });

  it('sub-revisions follow the operations of a txn, and the sum of live deltas is the count', () => {
    const kv = filled(2);
    kv.txn([], [op.put('b', ''), op.del('k', 'l'), op.put('a', ''), op.txn([], [op.put('c', '')])]);
    const subs = new Map(kv.tree.spaces[1].map((chain) => [Buffer.from(chain.key).toString(), chain.versions.at(-1)]));
    const shown = ['b', 'k00000', 'k00001', 'a', 'c'].map((key) => {
      const write = subs.get(key);
      return `${write?.revision}.${write?.sub} ${write?.liveDelta}`;
    });
    assert.deepEqual(shown, ['4.0 1', '4.1 -1', '4.2 -1', '4.3 1', '4.4 1']);
  });

  it('a range that began before a delete goes on showing its own revision', () => {
    const kv = filled(30);
    const view = kv.tree.view();
    const read = range(view, rangeOf('k', 'l'), kv.machine.state());
    kv.del('k', 'l');
    const response = runToEnd(read);
    assert.deepEqual([response.kvs.length, response.count, response.revision], [30, 30, 31]);
  });

  it('a long sorted range yields and stays stable', () => {
    const kv = Harness.onMemory();
    for (let i = 0; i < 2000; i++) kv.put(`k${String(i).padStart(5, '0')}`, `${i % 7}`);
    const read = range(kv.tree.current, rangeOf('k', 'l', { sortTarget: 'value', sortOrder: 'descend' }), kv.machine.state());
    let yields = 0;
    let step = read.next();
    for (; step.done !== true; step = read.next()) yields += 1;
    assert.ok(yields >= 7, `${yields} yields`);
    const got = step.value.kvs.map((kv) => `${Buffer.from(kv.value)} ${Buffer.from(kv.key)}`);
    const expected = [...got].sort((a, b) => (a[0] !== b[0] ? (a < b ? 1 : -1) : a < b ? -1 : 1));
    assert.deepEqual(got, expected);
  });
});

describe('a proposal applies once', () => {
  it('D1 the second time it is a duplicate and changes nothing', () => {
    const kv = filled(0);
    assert.equal(kv.apply(command.put('a', '1'), id(5)).kind, 'done');
    assert.equal(kv.apply(command.put('a', '1'), id(5)).kind, 'duplicate');
    assert.equal(kv.apply(command.txn([], [op.put('a', '1')]), id(5)).kind, 'duplicate');
    assert.equal(kv.machine.revision, 2);
    assert.equal(kv.apply(command.put('a', '1'), id(4)).kind, 'done');
    assert.equal(kv.apply(command.put('a', '1'), id(5, 1, 2)).kind, 'done');
    assert.equal(kv.machine.revision, 4);
  });

  it('a refused proposal is not tried again when it comes back', () => {
    const kv = filled(0);
    assert.equal(kv.apply(command.put('a', '', { ignoreValue: true }), id(1)).kind, 'refused');
    kv.put('a', 'x');
    assert.equal(kv.apply(command.put('a', '', { ignoreValue: true }), id(1)).kind, 'duplicate');
  });

  it('D1 a refused transaction is not tried again either, and nothing of it is ever carried out', () => {
    const kv = filled(0);
    const txn = command.txn([], [op.put('b', '1'), op.put('a', '', { ignoreValue: true })]);
    assert.equal(kv.apply(txn, id(1)).kind, 'refused');
    kv.put('a', 'x');
    const { revision } = kv.machine;
    assert.equal(kv.apply(txn, id(1)).kind, 'duplicate');
    assert.equal(kv.machine.revision, revision);
    assert.equal(kv.range('b').count, 0);
  });

  it('an id of an older incarnation or below the window is refused, never run', () => {
    const kv = filled(0);
    kv.apply(command.put('a', '1'), id(1, 2));
    assert.equal(kv.apply(command.put('a', '1'), id(9, 1)).kind, 'evicted');
    kv.apply(command.put('a', '1'), id(APPLIED_WINDOW + 5, 2));
    assert.equal(kv.apply(command.put('a', '1'), id(1, 2)).kind, 'evicted');
    assert.equal(kv.apply(command.put('a', '1'), id(5, 2)).kind, 'evicted');
    assert.equal(kv.apply(command.put('a', '1'), id(6, 2)).kind, 'done');
    assert.equal(kv.machine.revision, 4);
  });

  it('a new incarnation starts afresh', () => {
    const kv = filled(0);
    kv.apply(command.put('a', '1'), id(1, 1));
    assert.equal(kv.apply(command.put('a', '1'), id(1, 2)).kind, 'done');
    assert.equal(kv.apply(command.put('a', '1'), id(1, 2)).kind, 'duplicate');
  });
});

describe('state at a seal', () => {
  it('S2 is all that a restart needs', () => {
    const kv = filled(3);
    kv.compact(2);
    kv.apply(command.put('a', '1'), id(7));
    kv.tree.write(kv.machine.sealState(kv.index));
    kv.put('later', '');
    const again = new KvMachine(kv.tree);
    again.load(kv.tree.current, kv.index - 1);
    assert.deepEqual([again.revision, again.compactRevision, again.appliedIndex], [5, 2, kv.index - 1]);
    assert.equal(again.classify(id(7)), 'duplicate');
    assert.equal(again.classify(id(6)), 'new');
    assert.deepEqual(again.sealState(9), again.sealState(9));
  });

  it('nothing sealed yet is the empty store', () => {
    const machine = new KvMachine(new MemoryTree());
    machine.load(new MemoryTree().current, 0);
    assert.deepEqual(machine.state(), { revision: 1, compactRevision: 0 });
  });

  it('damaged state is refused', () => {
    const kv = filled(1);
    for (const write of kv.machine.sealState(kv.index)) {
      const tree = new MemoryTree();
      tree.write(kv.machine.sealState(kv.index).map((w) => (w.key === write.key ? { ...w, value: w.value.slice(0, -1) } : w)));
      assert.throws(() => new KvMachine(tree).load(tree.current, kv.index), { code: 'CODEC' });
    }
    const half = new MemoryTree();
    half.write(kv.machine.sealState(kv.index).filter((w) => w.key === SYSTEM_KEYS.kv));
    assert.throws(() => new KvMachine(half).load(half.current, kv.index), /in part/);
  });

  it('D1 what a member proposed stays applied once after its removal, and what it proposed last still is', () => {
    const kv = filled(0);
    kv.apply(command.put('a', '1'), id(1));
    kv.machine.retireMember(1);
    assert.equal(kv.apply(command.put('a', '1'), id(1)).kind, 'duplicate');
    assert.equal(kv.apply(command.put('a', '2'), id(2)).kind, 'done');
    assert.equal(kv.range('\0', TO_END).count, 1);
  });
});
