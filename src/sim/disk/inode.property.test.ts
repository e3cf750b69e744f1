import assert from 'node:assert/strict';
import fc from 'fast-check';
import { toHex } from '../../base/bytes.js';
import { Inode, type Fate } from './inode.js';

type Op =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly byte: number }
  | { readonly kind: 'resize'; readonly size: number }
  | { readonly kind: 'sync' | 'evict' | 'crash-all' | 'crash-nothing' | 'restore' };

/** Around page and sector borders, where the mistakes are. */
const place = fc.oneof(fc.integer({ min: 0, max: 13_000 }), fc.constantFrom(0, 1, 511, 512, 513, 4095, 4096, 4097, 8191, 8192, 12_288));
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), offset: place, length: fc.integer({ min: 1, max: 5_000 }), byte: fc.integer({ min: 1, max: 255 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('resize' as const), size: place }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('sync' as const, 'evict' as const, 'crash-all' as const, 'crash-nothing' as const) }) },
);

const crashWith = (fate: Fate) => ({ fate: () => fate, keepsSector: () => true });

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(bytes.subarray(0, size));
  return out;
}

/** A file is an array of bytes; what is durable is another. */
class Model {
  bytes = new Uint8Array(0) as Uint8Array;
  durable = new Uint8Array(0) as Uint8Array;

  apply(step: Op): void {
    switch (step.kind) {
      case 'write': {
        this.bytes = resized(this.bytes, Math.max(this.bytes.length, step.offset + step.length));
        this.bytes.fill(step.byte, step.offset, step.offset + step.length);
        return;
      }
      case 'resize':
        this.bytes = resized(this.bytes, step.size);
        return;
      case 'sync':
      case 'crash-all':
        this.durable = this.bytes.slice();
        return;
      case 'crash-nothing':
        this.bytes = this.durable.slice();
        return;
      default:
    }
  }
}

function apply(inode: Inode, step: Op): void {
  switch (step.kind) {
    case 'write':
      return inode.write(new Uint8Array(step.length).fill(step.byte), step.offset);
    case 'resize':
      return inode.resize(step.size);
    case 'sync':
      return inode.writeBack(inode.pending.end);
    case 'evict':
      return inode.evict();
    case 'crash-all':
      return inode.crash(crashWith('kept'));
    case 'crash-nothing':
      return inode.crash(crashWith('lost'));
    default:
  }
}

describe('an inode of a SimDisk', () => {
  it('is, through cache and past it, the array of bytes that was written, whatever is synced, evicted or lost', () => {
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 25 }), fc.boolean(), (steps, reading) => {
        const inode = new Inode('f');
        const model = new Model();
        for (const step of steps) {
          apply(inode, step);
          model.apply(step);
          assert.equal(inode.size, model.bytes.length);
          assert.equal(toHex(inode.cached()), toHex(model.bytes));
          assert.equal(toHex(inode.readDirect(0, 20_000)), toHex(model.bytes));
          assert.equal(toHex(inode.medium), toHex(model.durable));
          // Half of the runs let reads fill the cache.
          if (!reading) continue;
          const into = new Uint8Array(20_000);
          assert.equal(toHex(into.subarray(0, inode.read(into, 0))), toHex(model.bytes));
        }
      }),
      { numRuns: 150 },
    );
  });

  it('shows zeros behind a truncation that waits for a sync, although the medium has the old bytes and the cache was emptied', () => {
    const inode = new Inode('f');
    inode.write(new Uint8Array(12_288).fill(1), 0);
    inode.writeBack(inode.pending.end);
    inode.evict();
    inode.resize(100);
    inode.resize(12_288);
    inode.evict();
    const wanted = new Uint8Array(12_288).fill(1, 0, 100);
    assert.deepEqual(inode.cached(), wanted);
    assert.deepEqual(inode.readDirect(0, 12_288), wanted);
    // The second change alone was synced too: the first waits no more, and what waits still has its
    // own bytes.
    inode.write(new Uint8Array(3).fill(2), 50);
    const end = inode.pending.end;
    inode.write(new Uint8Array(2).fill(3), 60);
    inode.writeBack(end);
    wanted.fill(2, 50, 53);
    assert.deepEqual(inode.medium, wanted);
    inode.writeBack(inode.pending.end);
    assert.deepEqual(inode.medium, wanted.fill(3, 60, 62));
  });
});
