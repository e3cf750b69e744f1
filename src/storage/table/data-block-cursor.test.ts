/** The cursor of a block against a sorted array, whatever moves it makes. */

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { compareBytes, EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { DataBlockBuilder } from './data-block.js';
import { DataBlockCursor } from './data-block-cursor.js';
import { slotOf } from './testing/table-entry.js';

interface Item {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const key = fc.array(fc.constantFrom(0, 1, 2, 255), { minLength: 1, maxLength: 9 }).map((list) => Uint8Array.from(list));

/** Sorted, each key once. */
const items: fc.Arbitrary<Item[]> = fc
  .array(fc.record({ key, value: fc.uint8Array({ maxLength: 200, size: 'max' }) }), { minLength: 1, maxLength: 90, size: 'max' })
  .map((list) => list.sort((a, b) => compareBytes(a.key, b.key)))
  .map((list) => list.filter((item, i) => i === 0 || compareBytes((list[i - 1] as Item).key, item.key) !== 0));

interface Move {
  readonly kind: 'seek' | 'next' | 'prev' | 'skip' | 'within' | 'last' | 'first';
  readonly target: Uint8Array;
  readonly n: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom<Move['kind'][]>('seek', 'next', 'next', 'prev', 'prev', 'prev', 'skip', 'skip', 'within', 'last', 'first'),
  target: key,
  n: fc.integer({ min: 1, max: 5 }),
});

function payloadOf(list: readonly Item[]): Uint8Array {
  const builder = new DataBlockBuilder();
  let last: Uint8Array = EMPTY;
  for (const { key: internalKey, value } of list) {
    const { length } = value;
    const entry = { internalKey, value, tombstone: length % 2 === 1, liveDelta: (length % 3) - 1, revision: 0, userSpace: true };
    builder.add(slotOf(entry), internalKey.findIndex((byte, i) => byte !== last[i]));
    last = internalKey;
  }
  return builder.finish().slice();
}

function opened(list: readonly Item[]): DataBlockCursor {
  const cursor = new DataBlockCursor();
  cursor.open(payloadOf(list));
  return cursor;
}

function begins(a: Uint8Array, b: Uint8Array, length: number): boolean {
  return a.length >= length && b.length >= length && compareBytes(a.subarray(0, length), b.subarray(0, length)) === 0;
}

/** Where the move leads from `at`; undefined: it may not be made there. */
function moved(list: readonly Item[], at: number, { kind, target, n }: Move): number | undefined {
  const here = list[at];
  switch (kind) {
    case 'seek': return list.filter((item) => compareBytes(item.key, target) < 0).length;
    case 'first': return 0;
    case 'last': return list.length - 1;
    case 'next': return here && at + 1;
    case 'prev': return here && (at === 0 ? list.length : at - 1);
    default: {
      if (here === undefined || here.key.length < n) return undefined;
      if (kind === 'within') return at + 1 < list.length && begins((list[at + 1] as Item).key, here.key, n) ? at + 1 : at;
      let to = at + 1;
      // Of keys that begin alike, all follow each other.
      while (to < list.length && begins((list[to] as Item).key, here.key, n)) to += 1;
      return to;
    }
  }
}

function make(cursor: DataBlockCursor, { kind, target, n }: Move): void {
  switch (kind) {
    case 'seek': return cursor.seek(target);
    case 'first': return cursor.seekToFirst();
    case 'last': return cursor.seekToLast();
    case 'next': return cursor.next();
    case 'prev': return cursor.prev();
    case 'within': return void cursor.nextInPrefix(n);
    case 'skip': return cursor.skipPrefix(n);
  }
}

describe('DataBlockCursor', () => {
  it('stands where an array would, after any moves', () => {
    fc.assert(
      fc.property(items, fc.array(move, { minLength: 1, maxLength: 60, size: 'max' }), (list, moves) => {
        const cursor = opened(list);
        let at = list.length;
        for (const one of moves) {
          const to = moved(list, at, one);
          if (to === undefined) continue;
          make(cursor, one);
          at = to;
          const item = list[at];
          assert.equal(cursor.valid, item !== undefined);
          if (item === undefined) continue;
          assert.deepEqual([...cursor.key], [...item.key]);
          assert.deepEqual([...cursor.value], [...item.value]);
          assert.deepEqual([...cursor.payload.subarray(cursor.valueAt, cursor.valueEnd)], [...item.value]);
          assert.equal(cursor.tombstone, item.value.length % 2 === 1);
          assert.equal(cursor.liveDelta, (item.value.length % 3) - 1);
        }
      }),
      { numRuns: 600 },
    );
  });

  it('refuses bytes that are no block, without running out of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), items, fc.nat(), fc.nat(255), key, (noise, list, where, byte, target) => {
        const flipped = payloadOf(list);
        flipped[where % flipped.length] = byte;
        for (const payload of [noise, flipped]) {
          const cursor = new DataBlockCursor();
          try {
            cursor.open(payload);
            cursor.seek(target);
            for (let n = 0; cursor.valid && n < 200; n++) cursor.next();
            cursor.seekToLast();
            for (let n = 0; cursor.valid && n < 200; n++) cursor.prev();
          } catch (error) {
            assert(error instanceof CodecError, String(error));
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
