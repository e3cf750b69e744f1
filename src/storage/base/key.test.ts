import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { compareBytes } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import {
  afterKey, comparePrefixes, comparePrefixToKey, decodeInternalKey, encodeInternalKey, encodePrefix, encodeSeekKey, isInternalKey, MAX_SUB,
  prefixOf, revisionOf, subOf,
} from './key.js';
import type { Space } from './read-view.js';

const bytes = fc.uint8Array({ maxLength: 6 }).map((b) => b.map((x) => (x < 200 ? x % 3 : x)));
const parts = fc.record({
  space: fc.constantFrom<Space>(0, 1),
  key: bytes,
  revision: fc.oneof(fc.nat(3), fc.maxSafeNat()),
  sub: fc.oneof(fc.nat(3), fc.constant(MAX_SUB)),
});
type Parts = { space: Space; key: Uint8Array; revision: number; sub: number };
const encode = (p: Parts): Uint8Array => encodeInternalKey(p.space, p.key, p.revision, p.sub);

describe('internal keys', () => {
  it('order as (space, key ascending, revision descending, sub descending)', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const want = a.space - b.space || compareBytes(a.key, b.key) || b.revision - a.revision || b.sub - a.sub;
        assert.equal(Math.sign(compareBytes(encode(a), encode(b))), Math.sign(want));
        const byKey = a.space - b.space || compareBytes(a.key, b.key);
        assert.equal(Math.sign(comparePrefixes(encode(a), encode(b))), Math.sign(byKey));
        assert.equal(Math.sign(comparePrefixToKey(encodePrefix(a.space, a.key), encode(b))), Math.sign(byKey));
        const after = afterKey(encodePrefix(a.space, a.key));
        assert.equal(compareBytes(after, encode(b)) > 0, byKey >= 0);
        assert.equal(comparePrefixToKey(after, encode(b)) > 0, byKey >= 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('decode to what they were made of', () => {
    fc.assert(
      fc.property(parts, (p) => {
        const key = encode(p);
        assert.deepEqual(decodeInternalKey(key), { ...p });
        assert.deepEqual(prefixOf(key), encodePrefix(p.space, p.key));
        assert.equal(revisionOf(key), p.revision);
        assert.equal(subOf(key), p.sub);
        assert(compareBytes(encodeSeekKey(p.space, p.key, p.revision), key) <= 0);
      }),
    );
  });

  it('are told from other bytes', () => {
    assert.throws(() => decodeInternalKey(new Uint8Array(3)), CodecError);
    const good = encodeInternalKey(1, Uint8Array.of(1, 0, 2), 4, 0);
    assert(isInternalKey(good));
    for (const at of [0, 2, 3, 5, 6]) {
      const bad = good.slice();
      bad[at] = 7;
      assert.equal(isInternalKey(bad), at === 2, `byte ${at}`);
    }
  });
});
