import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { BloomBuilder, BloomFilter } from './bloom.js';

function builder(count: number): BloomBuilder {
  const filter = new BloomBuilder(10);
  for (let i = 0; i < count; i++) {
    const key = utf8(`key-${i}-and more`);
    filter.add(key, key.length - 9);
  }
  return filter;
}

describe('BloomBuilder', () => {
  it('has every key, and few others', () => {
    const filter = new BloomFilter(builder(10_000).finish());
    let wrong = 0;
    for (let i = 0; i < 20_000; i++) {
      const may = filter.mayContain(utf8(`key-${i}`));
      assert(may || i >= 10_000, `key ${i} is in the filter`);
      if (may && i >= 10_000) wrong++;
    }
    assert(wrong < 300, `${wrong} of 10,000 others are maybes`);
  });

  it('S2 is the same bytes in slices as at once, and a slice does not grow with the keys', () => {
    for (const count of [1, 4096, 4097, 50_000]) {
      const sliced = builder(count);
      let pauses = 0;
      for (const work = sliced.prepare(); work.next().done !== true; ) pauses++;
      assert.equal(pauses, Math.ceil(count / 4096) - 1);
      assert.deepEqual(sliced.finish(), builder(count).finish());
    }
  });

  it('no bits make no filter', () => {
    const filter = new BloomBuilder(0);
    filter.add(utf8('key'), 3);
    assert.equal(filter.prepare().next().done, true);
    assert.equal(filter.finish().length, 0);
    assert(new BloomFilter(new Uint8Array(0)).mayContain(utf8('other')));
  });
});
