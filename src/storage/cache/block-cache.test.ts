import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockCache } from './block-cache.js';

describe('the block cache', () => {
  it('never exceeds its bytes, and gives back only what was put', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.array(fc.tuple(fc.constantFrom('put', 'get', 'drop-corrected', 'drop-file'), fc.nat(2), fc.nat(20), fc.nat(900)), { maxLength: 200 }),
        (capacity, steps) => {
          const cache = new BlockCache(capacity);
          const files = ['a', 'b', 'c'].map((digest) => cache.hold(digest));
          const put = new Map<string, Uint8Array>();
          for (const [step, f, ordinal, size] of steps) {
            const file = files[f];
            assert.ok(file);
            const name = `${f}/${ordinal}`;
            if (step === 'put') {
              const payload = new Uint8Array(size);
              file.put(ordinal, payload, size % 2 === 0);
              put.set(name, payload);
            } else if (step === 'get') {
              const got = file.get(ordinal);
              assert.ok(got === undefined || got === put.get(name));
            } else if (step === 'drop-corrected') {
              cache.dropCorrected();
              assert.equal(cache.dropCorrected(), 0);
            } else {
              cache.drop(file.digest);
              assert.equal(file.blocks.size, 0);
            }
            assert.ok(cache.bytes <= capacity && cache.bytes >= 0);
            assert.equal(cache.blocks, files.reduce((n, { blocks }) => n + blocks.size, 0));
          }
        },
      ),
    );
  });

  it('spares a block that was used since the hand last passed', () => {
    const cache = new BlockCache(3 * 1128);
    const file = cache.hold('a');
    for (const ordinal of [0, 1, 2]) file.put(ordinal, new Uint8Array(1000), false);
    file.get(0);
    file.put(3, new Uint8Array(1000), false);
    assert.deepEqual([...file.blocks.keys()], [0, 2, 3]);
    file.put(4, new Uint8Array(1000), false);
    assert.deepEqual([...file.blocks.keys()], [0, 3, 4]);
  });

  it('keeps the blocks of a released file until they are evicted', () => {
    const cache = new BlockCache(10_000);
    const file = cache.hold('a');
    file.put(7, Uint8Array.of(1), false);
    cache.release(file);
    assert.deepEqual(cache.hold('a').get(7), Uint8Array.of(1));
    assert.equal(cache.hits, 1);
  });
});
