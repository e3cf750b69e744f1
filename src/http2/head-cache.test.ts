import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HeadCache } from './head-cache.js';
import { RequestHead } from './request-head.js';

const blockOf = (n: number): Uint8Array => Uint8Array.of(0x83, 0x86, n >> 8, n & 0xff);
const find = (cache: HeadCache, generation: number, block: Uint8Array): RequestHead | undefined =>
  cache.find(generation, block, 0, block.length);

function keep(cache: HeadCache, generation: number, block: Uint8Array): RequestHead {
  const head = new RequestHead(100);
  cache.keep(generation, block, 0, block.length, head);
  return head;
}

describe('HeadCache', () => {
  it('finds a block again while the table stands, wherever it lies', () => {
    const cache = new HeadCache();
    const head = keep(cache, 7, blockOf(1));
    const elsewhere = Uint8Array.of(9, 9, ...blockOf(1), 9);
    assert.equal(cache.find(7, elsewhere, 2, 6), head);
    assert.equal(cache.find(8, elsewhere, 2, 6), undefined);
    assert.equal(cache.find(7, elsewhere, 2, 7), undefined);
    assert.equal(cache.find(7, elsewhere, 2, 5), undefined);
    assert.equal(find(cache, 7, blockOf(2)), undefined);
  });

  it('keeps the bytes of then, not those that are there now', () => {
    const cache = new HeadCache();
    const block = blockOf(1);
    const head = keep(cache, 0, block);
    block.fill(0);
    assert.equal(find(cache, 0, blockOf(1)), head);
    assert.equal(find(cache, 0, block), undefined);
  });

  it('tells blocks apart that have one hash', () => {
    const cache = new HeadCache();
    // 31 * 1 + 100 = 31 * 2 + 69.
    const [one, two] = [Uint8Array.of(1, 100), Uint8Array.of(2, 69)];
    const head = keep(cache, 0, one);
    assert.equal(find(cache, 0, two), undefined);
    const other = keep(cache, 0, two);
    assert.equal(find(cache, 0, one), head);
    assert.equal(find(cache, 0, two), other);
  });

  it('a place that held a longer block is good for a shorter one', () => {
    const cache = new HeadCache();
    for (let n = 0; n < 200; n++) keep(cache, 0, new Uint8Array(200).fill(n));
    const heads = Array.from({ length: 200 }, (_, n) => ({ n, head: keep(cache, 0, blockOf(n)) }));
    const found = heads.filter(({ n, head }) => find(cache, 0, blockOf(n)) === head);
    assert.ok(found.length > 0);
  });

  it('keeps a number of heads that does not grow, the latest among them', () => {
    const cache = new HeadCache();
    const kept = Array.from({ length: 5000 }, (_, n) => ({ n, head: keep(cache, 0, blockOf(n)) }));
    const found = kept.filter(({ n, head }) => find(cache, 0, blockOf(n)) === head);
    assert.equal(found.length, 32);
    assert.equal(found.at(-1)?.n, 4999);
  });

  it('does not keep blocks above 256 bytes', () => {
    const cache = new HeadCache();
    const long = new Uint8Array(257);
    keep(cache, 0, long);
    assert.equal(find(cache, 0, long), undefined);
    const head = keep(cache, 0, long.subarray(1));
    assert.equal(find(cache, 0, long.subarray(1)), head);
  });

  it('never finds what was not kept for these bytes and this table', () => {
    const step = fc.record({ generation: fc.nat(2), block: fc.uint8Array({ maxLength: 3, max: 2 }), keep: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new HeadCache();
        const latest = new Map<string, RequestHead>();
        for (const { generation, block, keep: isKept } of steps) {
          const key = `${generation}:${block.join()}`;
          const found = find(cache, generation, block);
          if (found !== undefined) assert.equal(found, latest.get(key));
          if (isKept && found === undefined) latest.set(key, keep(cache, generation, block));
        }
      }),
    );
  });
});
