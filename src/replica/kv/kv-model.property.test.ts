/** The machine against a model that is too simple to be wrong, over random histories. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KvMachine } from './kv-machine.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { decodeKvCommand, encodeKvCommand } from './command-codec.js';
import { runToEnd } from './testing/run-to-end.js';
import { kvCommand, rangeRequest, txnRequest } from './testing/arbitraries.js';
import { Harness, outcome, plain, refusal } from './testing/harness.js';
import { Oracle } from './testing/oracle.js';
import { isReadOnlyTxn } from './txn.js';
import { decodeLeaseCommand } from './lease-codec.js';
import { assertLeases } from './testing/leases.js';
import { validateCommand } from './validate.js';
import { isLeaseCommand, type KvCommand } from './command.js';
import type { RangeRequest, TxnRequest } from '../../api/requests.js';

function throughTheLog(command: KvCommand): KvCommand {
  const out = new ByteWriter();
  encodeKvCommand(out, command);
  const input = new ByteReader(out.finish(), 'command');
  const decoded = isLeaseCommand(command) ? decodeLeaseCommand(input) : decodeKvCommand(input);
  input.end();
  return decoded;
}

/** Leases, and keys that have one. */
function newestOf({ tree }: Harness): unknown {
  const system = tree.spaces[0].map(({ versions }) => versions.at(-1));
  return system.filter((write) => write !== undefined && !write.tombstone && Buffer.from(write.key).toString('latin1').startsWith('lease'));
}

const history = fc.array(kvCommand, { minLength: 1, maxLength: 30, size: 'max' });

describe('the key-value machine against the model', () => {
  it('S2 gives the responses, refusals and reads of the model, whatever the slices', () => {
    fc.assert(
      fc.property(history, fc.array(rangeRequest, { maxLength: 8 }), txnRequest, fc.integer({ min: 1, max: 4 }),
        (commands: KvCommand[], reads: RangeRequest[], txn: TxnRequest, sliceKeys) => {
          const oracle = new Oracle();
          const kv = Harness.onMemory({ sliceKeys });
          for (const command of commands) {
            const invalid = refusal(() => validateCommand(command));
            if (invalid !== 'none') continue;
            const expected = outcome(() => oracle.apply(command).response);
            const view = kv.tree.view();
            runToEnd(kv.machine.prefetch(view, command));
            view.release();
            assert.equal(outcome(() => kv.run(throughTheLog(command))), expected);
            assert.equal(kv.machine.revision, oracle.revision);
            assertLeases(kv.tree.current, kv.machine.leases, oracle);
          }
          for (const read of reads) {
            assert.equal(outcome(() => kv.read(read)), outcome(() => oracle.range(read)));
          }
          if (isReadOnlyTxn(txn)) assert.equal(outcome(() => kv.readTxn(txn)), outcome(() => oracle.txn(txn)));
          assert.equal(kv.tree.pinned, 0);
        }),
      { numRuns: 600 },
    );
  });

  it('S2 two machines that apply the same entries seal equal bytes, whoever wants responses and whoever restarts', () => {
    const entry = fc.record({
      command: kvCommand,
      id: fc.record({ member: fc.constantFrom(1, 2), incarnation: fc.constantFrom(1, 1, 1, 2), sequence: fc.nat(12) }),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 30 }), fc.nat(29), (entries, restartAt) => {
        const one = Harness.onMemory({ sliceKeys: 1 });
        const other = Harness.onMemory();
        let machine = other.machine;
        entries.forEach(({ command, id }, at) => {
          if (refusal(() => validateCommand(command)) !== 'none') return;
          one.apply(command, id, true);
          if (at === restartAt) {
            other.tree.write(machine.sealState(other.index));
            const leases = machine.leases.encode();
            machine = new KvMachine(other.tree);
            machine.load(other.tree.current, other.index);
            machine.leases.load(leases);
          }
          runToEnd(machine.apply(++other.index, id, command, false));
        });
        assert.equal(plain(machine.sealState(one.index)), plain(one.machine.sealState(one.index)));
        assert.equal(plain(other.tree.spaces[1]), plain(one.tree.spaces[1]));
        assert.equal(plain(newestOf(other)), plain(newestOf(one)));
        assert.deepEqual(machine.leases.encode(), one.machine.leases.encode());
      }),
      { numRuns: 200 },
    );
  });
});
