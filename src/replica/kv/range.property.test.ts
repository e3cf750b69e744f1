/**
 * Every combination of a range's options against the model, over random histories on the storage
 * engine: puts, deletes, transactions, compactions of revisions, flushes and merges. Histories are
 * long and keys few, so that a key has more versions than a cursor steps over.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KvMachine } from './kv-machine.js';
import { range } from './range.js';
import { kvCommand } from './testing/arbitraries.js';
import { outcome } from './testing/harness.js';
import { Oracle } from './testing/oracle.js';
import { bytes, command, rangeOf } from './testing/requests.js';
import { runToEnd } from './testing/run-to-end.js';
import { StorageTree } from './testing/storage-tree.js';
import { validateCommand } from './validate.js';
import type { KvCommand } from './command.js';
import type { RangeRequest, SortOrder, SortTarget } from '../../api/requests.js';

type Step = KvCommand | { readonly kind: 'flush' | 'merge' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: kvCommand.filter((one) => one.kind !== 'compact') },
  // A long value now and then, so that a history fills blocks.
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c').map((key) => command.put(key, key.repeat(90))) },
  { weight: 1, arbitrary: fc.nat(40).map((at) => command.compact(at)) },
  { weight: 1, arbitrary: fc.constantFrom('flush' as const, 'flush' as const, 'merge' as const).map((kind) => ({ kind })) },
);

const RANGES = [['a', 'd'], ['\0', '\0'], ['b', 'b\x01'], ['c', 'a'], ['b', '']] as const;
const ORDERS: SortOrder[] = ['none', 'ascend', 'descend'];
const TARGETS: SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const SHOWN: Partial<RangeRequest>[] = [{}, { keysOnly: true }, { countOnly: true }];

function* requests(revision: number, compacted: number): Generator<RangeRequest> {
  const middle = Math.max(1, Math.floor((revision + compacted) / 2));
  const filters: Partial<RangeRequest>[] = [
    {}, { minModRevision: middle }, { maxModRevision: middle }, { minCreateRevision: middle }, { maxCreateRevision: middle },
  ];
  for (const at of new Set([0, compacted, middle, revision - 1])) {
    for (const [key, rangeEnd] of RANGES) {
      for (const sortOrder of ORDERS) {
        for (const sortTarget of TARGETS) {
          for (const limit of [0, 1, 3]) {
            for (const filter of filters) {
              for (const shown of SHOWN) yield rangeOf(key, rangeEnd, { revision: at, sortOrder, sortTarget, limit, ...filter, ...shown });
            }
          }
        }
      }
    }
  }
}

async function play(steps: readonly Step[]): Promise<void> {
  const oracle = new Oracle();
  const storage = new StorageTree();
  const machine = new KvMachine(storage.tree, { sliceKeys: 3 });
  let index = 0;
  for (const one of steps) {
    switch (one.kind) {
      case 'flush':
        await storage.flush(++index, machine.sealState(index));
        index += 1;
        break;
      case 'merge':
        await storage.compact(++index, machine.compactRevision);
        index += 1;
        break;
      default:
        if (outcome(() => validateCommand(one)) !== 'undefined') break;
        outcome(() => oracle.apply(one));
        runToEnd(machine.apply(++index, undefined, one, false));
    }
  }
  assert.equal(machine.revision, oracle.revision);
  const state = machine.state();
  const view = storage.tree.view();
  for (const request of requests(machine.revision, machine.compactRevision)) {
    const got = outcome(() => runToEnd(range(view, request, state)));
    const want = outcome(() => oracle.range(request));
    if (got !== want) assert.equal(got, want, JSON.stringify({ ...request, key: [...request.key], rangeEnd: [...request.rangeEnd] }));
  }
  view.release();
}

describe('a range, by all its options', () => {
  it('S2 gives what the model gives at the newest revision and at older ones', async () => {
    const history = fc.array(step, { minLength: 20, maxLength: 90, size: 'max' });
    await fc.assert(fc.asyncProperty(history, play), { numRuns: 12, endOnFailure: true });
  }).timeout(120_000);

  it('stops a page at its limit, at an older revision too, and still counts all', async () => {
    const storage = new StorageTree();
    const machine = new KvMachine(storage.tree);
    let index = 0;
    const put = (key: string): void => void runToEnd(machine.apply(++index, undefined, command.put(key, 'v'.repeat(60)), false));
    const name = (i: number): string => `key-${i.toString().padStart(5, '0')}`;
    for (let i = 0; i < 2000; i++) put(name(i));
    const older = machine.revision;
    await storage.flush(++index, machine.sealState(index));
    index += 1;
    for (let i = 0; i < 2000; i += 100) put(name(i));
    await storage.flush(++index, machine.sealState(index));
    const view = storage.tree.view();
    const { cache } = storage;
    for (const revision of [0, older]) {
      for (const more of [{ limit: 5 }, { limit: 5, sortOrder: 'descend' as const }, { limit: 5, keysOnly: true }, { countOnly: true }]) {
        const before = cache.hits + cache.misses;
        const { count, kvs } = runToEnd(range(view, { ...rangeOf('key-', 'key.', { revision, ...more }) }, machine.state()));
        assert.equal(count, 2000);
        assert.equal(kvs.length, more.limit ?? 0);
        const blocks = cache.hits + cache.misses - before;
        assert(blocks < 40, `${blocks} blocks were looked at, of some thousand`);
      }
    }
    view.release();
  });

  it('lets others in while it passes keys that are dead', async () => {
    const storage = new StorageTree();
    const machine = new KvMachine(storage.tree);
    let index = 0;
    const run = (one: KvCommand): void => void runToEnd(machine.apply(++index, undefined, one, false));
    for (let i = 0; i < 3000; i++) run(command.put(`key-${i}`, ''));
    run(command.del('key-', 'key.'));
    const view = storage.tree.view();
    let pauses = 0;
    const work = range(view, { ...rangeOf('key-', 'key.'), key: bytes('key-') }, machine.state());
    let done = work.next();
    for (; done.done !== true; done = work.next()) pauses += 1;
    assert.deepEqual([done.value.count, done.value.kvs.length], [0, 0]);
    assert(pauses >= 5, `${pauses} pauses`);
    view.release();
  });
});
