import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY, utf8 } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { put } from '../../api/testing/requests.js';
import { hashKv, type KvHash } from './hash-kv.js';
import { KvMachine } from './kv-machine.js';
import { kvCommand } from './testing/arbitraries.js';
import { outcome } from './testing/harness.js';
import { runToEnd } from './testing/run-to-end.js';
import { StorageTree } from './testing/storage-tree.js';
import { SYSTEM_KEYS, systemWrite } from './system-keys.js';
import { validateCommand } from './validate.js';
import type { KvCommand } from './command.js';

/** A member: it flushes and merges when it is told to. */
class Member {
  readonly storage = new StorageTree();
  readonly machine = new KvMachine(this.storage.tree, { sliceKeys: 2 });
  index = 0;

  apply(command: KvCommand): void {
    runToEnd(this.machine.apply(++this.index, undefined, command, false));
  }

  async flushAndMerge(): Promise<void> {
    const { machine, storage } = this;
    const at = ++this.index;
    await storage.flush(at, [...machine.sealState(at), systemWrite(at, SYSTEM_KEYS.leases, machine.leases.encode())]);
    await storage.compact((this.index = at + 2), machine.compactRevision);
    this.index += 1;
  }

  hash(revision: number): KvHash {
    const view = this.storage.tree.view();
    try {
      return runToEnd(hashKv(view, this.machine.state(), revision));
    } finally {
      view.release();
    }
  }
}

const steps = fc.array(fc.record({ command: kvCommand, merges: fc.boolean() }), { minLength: 5, maxLength: 40, size: 'max' });

describe('HashKV', () => {
  it('S2 is the same at each revision on members that flushed, merged and collected at other times', async () => {
    await fc.assert(fc.asyncProperty(steps, async (all) => {
      const [lazy, busy] = [new Member(), new Member()];
      for (const { command, merges } of all) {
        if (outcome(() => validateCommand(command)) !== 'undefined') continue;
        lazy.apply(command);
        busy.apply(command);
        if (merges) await busy.flushAndMerge();
      }
      const { revision, compactRevision } = lazy.machine.state();
      for (let at = Math.max(1, compactRevision); at <= revision; at++) assert.deepEqual(busy.hash(at), lazy.hash(at), `at ${at}`);
      assert.deepEqual(lazy.hash(0), lazy.hash(revision));
      assert.throws(() => lazy.hash(revision + 1), (error) => codeOf(error) === 'FUTURE_REVISION');
      if (compactRevision > 1) assert.throws(() => lazy.hash(compactRevision - 1), (error) => codeOf(error) === 'COMPACTED');
    }), { numRuns: 60 });
  }).timeout(30_000);

  it('S2 is another one for another value, and for another past', () => {
    const hashes = [['a', 'b'], ['a', 'c'], ['c', 'b']].map(([first, last]) => {
      const member = new Member();
      for (const value of [first, last]) member.apply({ kind: 'put', request: put('k', value as string) });
      return member.hash(0).hash;
    });
    assert.equal(new Set(hashes).size, 3);
  });

  it('S2 keys that were last written before the compact revision count, also where nothing came after', () => {
    const hashes = ['b', 'c', undefined].map((value) => {
      const member = new Member();
      member.apply({ kind: 'put', request: put('k', 'a') });
      if (value === undefined) member.apply({ kind: 'delete-range', request: { key: utf8('k'), rangeEnd: EMPTY, prevKv: false } });
      else member.apply({ kind: 'put', request: put('k', value) });
      member.apply({ kind: 'compact', request: { revision: 3, physical: false } });
      return member.hash(0).hash;
    });
    assert.equal(new Set(hashes).size, 3, String(hashes));
  });
});
