/**
 * History read from the tree against what was applied: whatever is flushed, merged, collected and
 * restarted meanwhile, and however small the parts are in which it is read.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY } from '../../base/bytes.js';
import { SYSTEM_SPACE, USER_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import { codeOf } from '../../base/errors.js';
import { KvMachine } from '../kv/kv-machine.js';
import { rangeTo } from '../kv/range.js';
import { SYSTEM_KEYS, systemWrite } from '../kv/system-keys.js';
import { kvCommand } from '../kv/testing/arbitraries.js';
import { bytes, command, op } from '../kv/testing/requests.js';
import { outcome } from '../kv/testing/harness.js';
import { Oracle } from '../kv/testing/oracle.js';
import { runToEnd } from '../kv/testing/run-to-end.js';
import { StorageTree } from '../kv/testing/storage-tree.js';
import { validateCommand } from '../kv/validate.js';
import { decodeKeyValue } from '../kv/value-record.js';
import type { KeyChange } from '../kv/key-change.js';
import type { KvCommand } from '../kv/command.js';
import { comparePlaces, WindowRoom, type Place } from './history-window.js';
import { previousValue, readHistory } from './read-history.js';

type Step =
  | KvCommand
  | { readonly kind: 'history'; readonly back: number; readonly sub: number; readonly range: readonly [string, string]; readonly bytesMax: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'merge' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'compact-now' };

const KEYS = ['a', 'b', 'b\0', 'c', 'd', '\0', '\xff'];
const history = fc.record({
  kind: fc.constant('history' as const),
  back: fc.nat(12),
  sub: fc.constantFrom(0, 0, 0, 1),
  range: fc.tuple(fc.constantFrom('\0', ...KEYS), fc.constantFrom('\0', '\0', ...KEYS, 'z')),
  bytesMax: fc.constantFrom(1, 150, 400, 1 << 20),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: kvCommand },
  { weight: 4, arbitrary: history },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step[]>({ kind: 'flush' }, { kind: 'merge' }, { kind: 'restart' }, { kind: 'compact-now' }),
  },
);

/** What the machine wrote, in the order in which it wrote it. */
class Recorded {
  readonly writes: TreeWrite[] = [];
  storage = new StorageTree();
  machine = this.fresh();
  index = 0;

  fresh(): KvMachine {
    const { writes, storage } = this;
    const { tree } = storage;
    return new KvMachine({
      view: () => tree.view(),
      get current() { return tree.current; },
      write(some) { writes.push(...some); tree.write(some); },
      stage(one) { writes.push(one); tree.stage(one); },
      publish() { tree.publish(); },
    }, { sliceKeys: 2 });
  }

  async flush(): Promise<void> {
    this.index += 1;
    const { index, machine } = this;
    await this.storage.flush(index, [...machine.sealState(index), systemWrite(index, SYSTEM_KEYS.leases, machine.leases.encode())]);
    this.index += 1;
  }

  async restart(): Promise<void> {
    await this.flush();
    const at = this.storage.restart();
    this.machine = this.fresh();
    const { current } = this.storage.tree;
    this.machine.load(current, at);
    this.machine.leases.load(current.get(SYSTEM_SPACE, SYSTEM_KEYS.leases, at)?.value);
  }

  async merge(): Promise<void> {
    this.index += 1;
    await this.storage.compact(this.index, this.machine.compactRevision);
    this.index += 1;
  }

  apply(what: KvCommand): unknown {
    this.index += 1;
    const applied = runToEnd(this.machine.apply(this.index, undefined, what, true));
    if (applied.kind === 'refused') throw applied.error;
    return applied.kind === 'done' ? applied.response?.response : applied;
  }

  /** In parts, each from a view of its own. */
  history(from: Place, key: Uint8Array, to: Uint8Array | undefined, bytesMax: number): KeyChange[] {
    const all: KeyChange[] = [];
    const room = new WindowRoom();
    for (let at = from; at.revision <= this.machine.revision;) {
      const view = this.storage.tree.view();
      try {
        const { changes, end } = runToEnd(readHistory(view, this.machine.state(), { key, to }, at, bytesMax, room));
        assert(end.revision > at.revision || end.sub > at.sub, 'each part leads on');
        const part = Array.from({ length: changes.length }, (_, n) => n);
        const size = part.reduce((sum, n) => sum + changes.bytesAt(n), 0);
        assert(changes.length <= 1 || size <= bytesMax || end.sub === 0);
        all.push(...part.map((n) => changes.change(n)));
        at = end;
      } finally {
        view.release();
      }
    }
    return all;
  }
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');
const told = (change: TreeWrite | KeyChange): string => {
  const record = 'record' in change ? change.record : change.value;
  return `${change.revision}.${change.sub} ${hex(change.key)} ${change.tombstone ? 'deleted' : hex(record)}`;
};

function check(recorded: Recorded, oracle: Oracle, one: Extract<Step, { kind: 'history' }>): void {
  const { revision, compactRevision } = recorded.machine.state();
  const from = { revision: Math.max(1, revision - one.back), sub: one.sub };
  const key = bytes(one.range[0]);
  const to = rangeTo(bytes(one.range[1]));
  if (from.revision < compactRevision) {
    const view = recorded.storage.tree.view();
    assert.throws(() => runToEnd(readHistory(view, recorded.machine.state(), { key, to }, from)), (error) => codeOf(error) === 'COMPACTED');
    view.release();
    return;
  }
  const inRange = (write: TreeWrite): boolean =>
    write.space === USER_SPACE && Buffer.compare(write.key, key) >= 0 && (to === undefined || Buffer.compare(write.key, to) < 0);
  const after = (write: TreeWrite): boolean => comparePlaces(write, from) >= 0;
  const wanted = recorded.writes.filter((write) => inRange(write) && after(write));
  const got = recorded.history(from, key, to, one.bytesMax);
  assert.deepEqual(got.map(told), wanted.map(told));
  for (const change of got) {
    const view = recorded.storage.tree.view();
    const prev = previousValue(view, change.key, change.revision, recorded.machine.state());
    view.release();
    if (change.revision - 1 < compactRevision) assert.equal(prev, undefined);
    else {
      const before = oracle.range({
        key: change.key, rangeEnd: EMPTY, limit: 0, revision: change.revision - 1, sortOrder: 'none', sortTarget: 'key', serializable: true,
        keysOnly: false, countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
      });
      const plain = (kv: typeof prev): string => (kv === undefined ? 'none' : `${kv.createRevision} ${kv.version} ${hex(kv.value)}`);
      assert.equal(plain(prev), plain(change.revision > 1 ? before.kvs[0] : undefined));
      const created = change.tombstone || decodeKeyValue(change.key, change.revision, change.record).createRevision === change.revision;
      assert(created || prev !== undefined, 'what was changed had a value');
    }
  }
}

async function play(steps: readonly Step[]): Promise<void> {
  const oracle = new Oracle();
  const recorded = new Recorded();
  for (const one of steps) {
    switch (one.kind) {
      case 'flush': await recorded.flush(); break;
      case 'restart': await recorded.restart(); break;
      case 'merge': await recorded.merge(); break;
      case 'history': check(recorded, oracle, one); break;
      default: {
        const what = one.kind === 'compact-now' ? command.compact(recorded.machine.revision) : one;
        if (outcome(() => validateCommand(what)) !== 'undefined') break;
        assert.equal(outcome(() => recorded.apply(what)), outcome(() => oracle.apply(what).response));
      }
    }
  }
}

describe('history read from the tree', () => {
  it('W1 gives each change once, in order, from any place that is not compacted, whatever is flushed, merged and collected', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), play), { numRuns: 150 });
  }).timeout(60_000);

  it('W1 a delete at the compact revision is still told, and nothing before it', async () => {
    const recorded = new Recorded();
    const oracle = new Oracle();
    for (const what of [command.put('a', '1'), command.put('b', '1'), command.txn([], [op.del('a', 'c')])]) {
      recorded.apply(what);
      oracle.apply(what);
    }
    await recorded.flush();
    recorded.apply(command.compact(4));
    for (let round = 0; round < 2; round++) {
      await recorded.merge();
      assert.deepEqual(recorded.history({ revision: 4, sub: 0 }, bytes('\0'), undefined, 1).map(told), recorded.writes.slice(2).map(told));
    }
    assert.equal(recorded.storage.tree.latest.list().reduce((sum, { entries }) => sum + entries, 0), 5, 'two deletes, and three system keys');
    recorded.apply(command.put('c', '1'));
    recorded.apply(command.compact(5));
    await recorded.flush();
    await recorded.merge();
    const left = recorded.storage.tree.latest.list().reduce((sum, { tombstones }) => sum + tombstones, 0);
    assert.equal(left, 0, 'once no watch may begin there, they go');
  });
});
