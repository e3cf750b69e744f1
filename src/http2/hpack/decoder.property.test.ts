import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HpackDecoder } from './decoder.js';
import { decodeAll, tableOf } from './testing/collect.js';
import { BrokenBlock, PlainDecoder, PlainEncoder, type Choice, type Pair } from './testing/plain-hpack.js';

const anyByte = fc.nat(255).map((byte) => String.fromCharCode(byte));
const name = fc.oneof(
  fc.constantFrom(':method', ':path', ':authority', 'content-type', 'te', 'grpc-timeout', 'x-trace', 'cookie'),
  fc.string({ unit: anyByte, maxLength: 12 }),
);
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', 'POST', '/', 'trailers', 'application/grpc', '/etcdserverpb.KV/Range') },
  { weight: 3, arbitrary: fc.string({ unit: anyByte, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: anyByte, minLength: 900, maxLength: 5000 }) },
);
const choice: fc.Arbitrary<Choice> = fc.record({
  indexed: fc.boolean(),
  nameIndexed: fc.boolean(),
  literal: fc.constantFrom('remembered', 'remembered', 'forgotten', 'never indexed'),
  huffman: fc.boolean(),
});

/** What one block is made of: changes of size, then fields. */
const plan = fc.record({
  sizes: fc.array(fc.oneof(fc.constantFrom(0, 32, 33, 4096), fc.nat(4096)), { maxLength: 2 }),
  fields: fc.array(fc.tuple(fc.tuple(name, value), choice), { maxLength: 12 }),
});

/** Undefined for a broken block. */
function plainly(decoder: PlainDecoder, block: Uint8Array): Pair[] | undefined {
  try {
    return decoder.decode(block);
  } catch (error) {
    if (error instanceof BrokenBlock) return undefined;
    throw error;
  }
}

/** Blocks that are nearly right: each byte says how the block of a plan is changed. */
const spoil = (block: Uint8Array, at: number, byte: number, cut: boolean): Uint8Array => {
  const spoilt = cut ? block.slice(0, at % (block.length + 1)) : block.slice();
  if (!cut && spoilt.length > 0) spoilt[at % spoilt.length] = byte;
  return spoilt;
};

describe('HpackDecoder, against whatever RFC 7541 allows', () => {
  it('reads what a plain encoder wrote, by any choices and sizes, and has its table', () => {
    fc.assert(
      fc.property(fc.array(plan, { maxLength: 12 }), (plans) => {
        const encoder = new PlainEncoder();
        const decoder = new HpackDecoder();
        for (const { sizes, fields } of plans) {
          const bytes = [...sizes.flatMap((size) => encoder.resize(size)), ...fields.flatMap(([pair, how]) => encoder.field(pair, how))];
          assert.deepEqual(decodeAll(decoder, Uint8Array.from(bytes)), fields.map(([pair]) => pair));
        }
        assert.deepEqual(tableOf(decoder), encoder.table.fields);
      }),
      { numRuns: 300 },
    );
  });

  it('says of a spoilt block what a plain decoder says, and reads on as it does', () => {
    const spoilt = fc.record({ plan, at: fc.nat(), byte: fc.nat(255), cut: fc.boolean(), spoil: fc.boolean() });
    fc.assert(
      fc.property(fc.array(spoilt, { minLength: 1, maxLength: 6 }), fc.constantFrom(0, 64, 256, 4096, 8192), (blocks, maxTableBytes) => {
        const encoder = new PlainEncoder();
        const decoder = new HpackDecoder(maxTableBytes);
        const plain = new PlainDecoder(maxTableBytes);
        for (const { plan: { sizes, fields }, at, byte, cut, spoil: isSpoilt } of blocks) {
          const whole = Uint8Array.from([
            ...sizes.flatMap((size) => encoder.resize(size)),
            ...fields.flatMap(([pair, how]) => encoder.field(pair, how)),
          ]);
          const block = isSpoilt ? spoil(whole, at, byte, cut) : whole;
          const expected = plainly(plain, block);
          assert.deepEqual(decodeAll(decoder, block), expected);
          if (expected === undefined) return;
          assert.deepEqual(tableOf(decoder), plain.table.fields);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('says of random bytes what a plain decoder says, and never throws', () => {
    const first = fc.constantFrom(0x82, 0x83, 0x84, 0x87, 0xbe, 0xbf, 0x40, 0x41, 0x00, 0x10, 0x20, 0x3f, 0x01, 0x02, 0x81, 0x82);
    const bytes = fc.array(fc.oneof(first, fc.nat(255)), { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1, maxLength: 5 }), (blocks) => {
        const decoder = new HpackDecoder();
        const plain = new PlainDecoder();
        for (const block of blocks.map((some) => Uint8Array.from(some))) {
          const expected = plainly(plain, block);
          assert.deepEqual(decodeAll(decoder, block), expected);
          if (expected === undefined) return;
        }
        assert.deepEqual(tableOf(decoder), plain.table.fields);
      }),
      { numRuns: 3000 },
    );
  });
});
