import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EMPTY, compareBytes } from '../../base/bytes.js';
import type { RequestOp, TxnRequest } from '../../api/requests.js';
import { get } from '../../api/testing/requests.js';
import { KeyRanges, type KeyRange } from './key-ranges.js';
import { LeasePermit } from './lease-permit.js';

/** Keys of one byte from 1 to 9, so that what a range holds can be counted out. */
const KEYS = Array.from({ length: 9 }, (_, i) => Uint8Array.of(i + 1));
const key = fc.constantFrom(...KEYS);
const rangeEnd = fc.oneof(fc.constant(EMPTY), fc.constant(Uint8Array.of(0)), key);
const keyRange: fc.Arbitrary<KeyRange> = fc.record({ key, rangeEnd });

/** What a range holds; what is turned round counts for its key. */
function held({ key: from, rangeEnd: to }: KeyRange): Uint8Array[] {
  if (to.length === 1 && to[0] === 0) return KEYS.filter((each) => compareBytes(each, from) >= 0);
  if (to.length === 0 || compareBytes(from, to) >= 0) return [from];
  return KEYS.filter((each) => compareBytes(each, from) >= 0 && compareBytes(each, to) < 0);
}

const isOpen = ({ rangeEnd: to }: KeyRange): boolean => to.length === 1 && to[0] === 0;

/**
 * Within a few ranges by counting out: each key, and, as there are keys between these, each step
 * from one to the next.
 */
function naive(ranges: readonly KeyRange[], asked: KeyRange): boolean {
  const points = held(asked).every((each) => ranges.some((one) => held(one).some((other) => compareBytes(each, other) === 0)));
  const isRange = isOpen(asked) || (asked.rangeEnd.length > 0 && compareBytes(asked.key, asked.rangeEnd) < 0);
  if (!points || !isRange) return points;
  const wide = ranges.filter((one) => isOpen(one) || (one.rangeEnd.length > 0 && compareBytes(one.key, one.rangeEnd) < 0));
  const between = held(asked).every((each) => wide.some((one) => held(one).some((other) => compareBytes(each, other) === 0)));
  return between && (!isOpen(asked) || ranges.some(isOpen));
}

const op: fc.Arbitrary<RequestOp> = fc.letrec<{ op: RequestOp; txn: RequestOp }>((tie) => ({
  op: fc.oneof({ maxDepth: 4 },
    keyRange.map((each): RequestOp => ({ kind: 'range', request: { ...get('x'), ...each } })),
    fc.record({ key, prevKv: fc.boolean() }).map((each): RequestOp => ({
      kind: 'put', request: { ...each, value: EMPTY, lease: 0n, ignoreValue: false, ignoreLease: false },
    })),
    fc.record({ key, rangeEnd, prevKv: fc.boolean() }).map((request): RequestOp => ({ kind: 'delete-range', request })),
    tie('txn'),
  ),
  txn: fc.record({
    compare: fc.array(keyRange.map((each) => ({ ...each, result: 'equal' as const, target: { kind: 'version' as const, version: 1 } })), { maxLength: 2 }),
    success: fc.array(tie('op'), { maxLength: 3 }),
    failure: fc.array(tie('op'), { maxLength: 3 }),
  }).map((request): RequestOp => ({ kind: 'txn', request: request as TxnRequest })),
})).op;

/** All ranges that a request reads and writes, written out. */
function walk(each: RequestOp, reads: KeyRange[], writes: KeyRange[]): void {
  if (each.kind === 'range') reads.push(each.request);
  if (each.kind === 'put' || each.kind === 'delete-range') {
    const asked = { key: each.request.key, rangeEnd: each.kind === 'put' ? EMPTY : each.request.rangeEnd };
    writes.push(asked);
    if (each.request.prevKv) reads.push(asked);
  }
  if (each.kind === 'txn') {
    reads.push(...each.request.compare);
    for (const nested of [...each.request.success, ...each.request.failure]) walk(nested, reads, writes);
  }
}

describe('what a request needs', () => {
  it('a set of ranges covers what a walk over its keys finds in it', () => {
    fc.assert(fc.property(fc.array(keyRange, { maxLength: 6 }), keyRange, (ranges, asked) => {
      assert.equal(new KeyRanges(ranges).covers(asked), naive(ranges, asked));
    }), { numRuns: 3_000 });
  });

  it('a request is allowed if, and only if, a naive walk over all of its nested parts finds each allowed', () => {
    let allowed = 0;
    fc.assert(fc.property(fc.array(keyRange, { maxLength: 6 }), fc.array(keyRange, { maxLength: 6 }), op, (read, write, asked) => {
      const permit = new LeasePermit(new KeyRanges(read), new KeyRanges(write));
      const [reads, writes]: [KeyRange[], KeyRange[]] = [[], []];
      walk(asked, reads, writes);
      const may = reads.every((each) => naive(read, each)) && writes.every((each) => naive(write, each));
      if (may) {
        allowed++;
        permit.request(asked);
      } else assert.throws(() => permit.request(asked), { code: 'PERMISSION_DENIED' });
    }), { numRuns: 3_000 });
    assert.ok(allowed > 100, `${allowed} were allowed`);
  });
});
