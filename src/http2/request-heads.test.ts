import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlainDecoder, PlainEncoder, type Choice, type Pair } from './hpack/testing/plain-hpack.js';
import type { RequestHead } from './request-head.js';
import { RequestHeads } from './request-heads.js';

const REMEMBERED: Choice = { indexed: true, nameIndexed: true, literal: 'remembered', huffman: true };
const FORGOTTEN: Choice = { ...REMEMBERED, literal: 'forgotten' };

const request = (path: string, ...more: readonly Pair[]): Pair[] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'localhost:2379'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ...more,
];

/** All fields of a head, in an order of their own. */
const pairsOf = (head: RequestHead | undefined): Pair[] | undefined =>
  head && [head.method, head.scheme, head.path, head.authority, ...head.fields].map((field) => [field?.name ?? '', field?.value ?? '']);

/** Reads a block that lies between other bytes, and overwrites it at once. */
function read(heads: RequestHeads, block: Uint8Array): RequestHead | undefined {
  const chunk = new Uint8Array(block.length + 4).fill(0xff);
  chunk.set(block, 3);
  const head = heads.read(chunk, 3, 3 + block.length);
  chunk.fill(0);
  return head;
}

describe('RequestHeads', () => {
  it('a block that was seen before is the same head', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    const first = read(heads, encoder.block(request('/a')));
    const second = read(heads, encoder.block(request('/a')));
    assert.notEqual(second, first, 'the first block changed the table');
    assert.equal(read(heads, encoder.block(request('/a'))), second);
    assert.deepEqual(pairsOf(second), request('/a'));
  });

  it('a block with texts that the table does not keep is the same head too', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    const first = read(heads, encoder.block(request('/some/path', ['authorization', 'secret']), FORGOTTEN));
    assert.equal(read(heads, encoder.block(request('/some/path', ['authorization', 'secret']), FORGOTTEN)), first);
    assert.notEqual(read(heads, encoder.block(request('/some/path', ['authorization', 'public']), FORGOTTEN)), first);
  });

  it('what the layer above made of a head is there for the next request', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    const block = encoder.block(request('/a'), FORGOTTEN);
    const head = read(heads, block);
    assert.ok(head !== undefined);
    head.memo = 'a route';
    head.path.memo = 'a method';
    assert.equal(read(heads, block)?.memo, 'a route');
    assert.equal(read(heads, block)?.path.memo, 'a method');
  });

  it('equal bytes are another head once the table has changed', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    read(heads, encoder.block(request('/a')));
    const block = encoder.block(request('/a'));
    assert.equal(read(heads, block)?.path.value, '/a');
    assert.equal(read(heads, block)?.path.value, '/a');
    // Three more fields: where the path was there is the authority of another request.
    const other = request('/b', ['x', 'y']);
    assert.deepEqual(pairsOf(read(heads, encoder.block(other))), other);
    assert.notDeepEqual(pairsOf(read(heads, block)), request('/a'));
    assert.deepEqual(pairsOf(read(heads, encoder.block(request('/a')))), request('/a'));
  });

  it('a change of the table by trailers counts as well', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    read(heads, encoder.block([['a', '1'], ['b', '2']]));
    const block = Uint8Array.of(0xbe);
    assert.equal(read(heads, block)?.fields[0]?.name, 'b');
    assert.equal(read(heads, block)?.fields[0]?.name, 'b');
    const trailers = encoder.block([['c', '3']]);
    assert.equal(heads.readTrailers(trailers, 0, trailers.length), 'ok');
    assert.equal(read(heads, block)?.fields[0]?.name, 'c');
  });

  it('heads are kept as they were, whatever comes later', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(8192);
    const kept = Array.from({ length: 200 }, (_, i) => ({ i, head: read(heads, encoder.block(request(`/path/${i}`))) }));
    for (const { i, head } of kept) assert.deepEqual(pairsOf(head), request(`/path/${i}`));
  });

  it('says broken of a broken block, and malformed of trailers with a pseudo field', () => {
    assert.equal(read(new RequestHeads(8192), Uint8Array.of(0x80)), undefined);
    assert.equal(new RequestHeads(8192).readTrailers(Uint8Array.of(0x80), 0, 1), 'broken');
    assert.equal(new RequestHeads(8192).readTrailers(Uint8Array.of(0x83), 0, 1), 'malformed');
    assert.equal(new RequestHeads(8192).readTrailers(new Uint8Array(0), 0, 0), 'ok');
  });

  it('HPACK bombs: of a small block that means many megabytes only the limit is kept, and the table goes on', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(16_384);
    const bomb: Pair[] = [['x', 'v'.repeat(4000)], ...Array.from({ length: 16_000 }, (): Pair => ['x', 'v'.repeat(4000)])];
    const block = encoder.block(bomb);
    assert.ok(block.length < 20_000);
    const head = read(heads, block);
    assert.equal(head?.tooLarge, true);
    assert.equal(head?.fields.length, 4);
    assert.deepEqual(pairsOf(read(heads, encoder.block(request('/after')))), request('/after'));
  });

  it('a block too large for the list still fills the table', () => {
    const encoder = new PlainEncoder();
    const heads = new RequestHeads(100);
    assert.equal(read(heads, encoder.block([['a', 'x'.repeat(100)], ['b', '2']]))?.tooLarge, true);
    assert.deepEqual(read(heads, encoder.block([['b', '2']]))?.fields.map(({ name, value }) => [name, value]), [['b', '2']]);
  });

  it('any requests in any order, seen before or not, are what a plain decoder reads', () => {
    const header = fc.tuple(
      fc.constantFrom('x-trace', 'token', 'grpc-timeout', 'x-long'),
      fc.oneof(fc.constantFrom('', '1S', '5S', 'v'.repeat(300)), fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 })),
    );
    const plan = fc.record({
      path: fc.constantFrom('/a', '/b', '/etcdserverpb.KV/Range', '/etcdserverpb.KV/Put'),
      more: fc.array(header, { maxLength: 3 }),
      how: fc.constantFrom(REMEMBERED, FORGOTTEN, FORGOTTEN, { ...FORGOTTEN, huffman: false }),
      resized: fc.option(fc.constantFrom(0, 100, 4096), { freq: 20 }),
    });
    fc.assert(
      fc.property(fc.array(plan, { minLength: 5, maxLength: 80 }), (plans) => {
        const encoder = new PlainEncoder();
        const plain = new PlainDecoder();
        const heads = new RequestHeads(65_536);
        for (const { path, more, how, resized } of plans) {
          const size = resized === null ? [] : encoder.resize(resized);
          const block = Uint8Array.from([...size, ...request(path, ...more).flatMap((pair) => encoder.field(pair, how))]);
          assert.deepEqual(pairsOf(read(heads, block)), plain.decode(block));
        }
      }),
      { numRuns: 200 },
    );
  });
});
