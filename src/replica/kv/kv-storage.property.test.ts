/**
 * The machine on the storage engine's tree: flushes, compactions and restarts in between must not
 * show.
 */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KvMachine } from './kv-machine.js';
import { runToEnd } from './testing/run-to-end.js';
import { range } from './range.js';
import { kvCommand, rangeRequest } from './testing/arbitraries.js';
import { outcome } from './testing/harness.js';
import { Oracle } from './testing/oracle.js';
import { StorageTree } from './testing/storage-tree.js';
import { assertLeases } from './testing/leases.js';
import { validateCommand } from './validate.js';
import { SYSTEM_KEYS, systemWrite } from './system-keys.js';
import { SYSTEM_SPACE } from '../../storage/base/read-view.js';
import type { KvCommand } from './command.js';
import type { RangeRequest } from '../../api/requests.js';

type Step = KvCommand | { readonly kind: 'read'; readonly request: RangeRequest } | { readonly kind: 'flush' | 'merge' | 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: kvCommand },
  { weight: 5, arbitrary: rangeRequest.map((request) => ({ kind: 'read' as const, request })) },
  { weight: 2, arbitrary: fc.constantFrom('flush' as const, 'merge' as const, 'restart' as const).map((kind) => ({ kind })) },
);

async function play(steps: readonly Step[]): Promise<void> {
  const oracle = new Oracle();
  const storage = new StorageTree();
  let machine = new KvMachine(storage.tree, { sliceKeys: 2 });
  let index = 0;
  for (const one of steps) {
    switch (one.kind) {
      case 'flush':
      case 'restart':
        await storage.flush(++index, [...machine.sealState(index), systemWrite(index, SYSTEM_KEYS.leases, machine.leases.encode())]);
        index += 1;
        if (one.kind === 'flush') break;
        {
          const at = storage.restart();
          const sealed = machine.state();
          machine = new KvMachine(storage.tree, { sliceKeys: 2 });
          machine.load(storage.tree.current, at);
          machine.leases.load(storage.tree.current.get(SYSTEM_SPACE, SYSTEM_KEYS.leases, at)?.value);
          assert.deepEqual(machine.state(), sealed);
        }
        break;
      case 'merge':
        await storage.compact(++index, machine.compactRevision);
        index += 1;
        break;
      case 'read': {
        const view = storage.tree.view();
        const got = outcome(() => runToEnd(range(view, one.request, machine.state())));
        view.release();
        assert.equal(got, outcome(() => oracle.range(one.request)));
        break;
      }
      default: {
        if (outcome(() => validateCommand(one)) !== 'undefined') break;
        const expected = outcome(() => oracle.apply(one).response);
        const got = outcome(() => {
          const applied = runToEnd(machine.apply(++index, undefined, one, true));
          if (applied.kind === 'refused') throw applied.error;
          return applied.kind === 'done' ? applied.response?.response : applied;
        });
        assert.equal(got, expected);
      }
    }
    assertLeases(storage.tree.current, machine.leases, oracle);
  }
}

describe('the key-value machine on the storage engine', () => {
  it('S2 gives what the model gives, whatever is flushed, merged, collected and restarted meanwhile', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50, size: 'max' }), play), { numRuns: 150 });
  }).timeout(60_000);
});
