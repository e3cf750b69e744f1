import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockPool } from './block-pool.js';
import { Output } from './output.js';
import { MemoryTransport } from './testing/memory-transport.js';

const part = fc.record({
  size: fc.oneof(fc.nat(40), fc.nat(9_000), fc.constantFrom(8_191, 8_192, 8_193, 16_384)),
  what: fc.constantFrom('copy', 'payload', 'payload', 'header', 'write'),
  said: fc.constantFrom('taken', 'taken', 'kept', 'full'),
});

describe('output', () => {
  it('is what was put into it, in order, whatever the transport does with it; and all blocks come back', () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60, size: 'max' }), (parts) => {
        const pool = new BlockPool();
        const output = new Output(pool);
        const transport = new MemoryTransport();
        const expected: Buffer[] = [];
        for (const [i, { size, what, said }] of parts.entries()) {
          const bytes = Buffer.alloc(size + 2, i);
          transport.answer = () => said as 'taken';
          if (what === 'write') {
            const waiting = output.size;
            const writes = transport.writes.length;
            output.writeTo(transport);
            assert.deepEqual([transport.writes.length - writes, output.size], [waiting > 0 ? 1 : 0, 0]);
            assert.equal(pool.lent, 0);
          } else if (what === 'header') {
            output.reserve(15);
            output.frameHeader(size, 1, 2, 0x0102_0304);
            output.u16(0xabcd);
            output.u32(0xffff_fffe);
            expected.push(Buffer.from([size >> 16, size >> 8, size, 1, 2, 1, 2, 3, 4, 0xab, 0xcd, 0xff, 0xff, 0xff, 0xfe]));
          } else if (what === 'copy') {
            output.reserve(size + 2);
            output.copy(bytes);
            expected.push(Buffer.from(bytes));
            bytes.fill(0xee);
          } else {
            output.payload(bytes, 1, size + 1);
            expected.push(Buffer.from(bytes.subarray(1, size + 1)));
          }
        }
        transport.answer = () => 'taken';
        output.writeTo(transport);
        transport.checkKept();
        assert.ok(Buffer.concat(transport.writes).equals(Buffer.concat(expected)));
        assert.equal(pool.lent, 0);
      }),
    );
  });

  it('a block whose bytes were kept is used on from there, until it is full', () => {
    const pool = new BlockPool();
    const blocks = new Set<unknown>();
    for (let i = 0; i < 1_000; i++) {
      const output = new Output(pool);
      output.reserve(100);
      output.copy(new Uint8Array(100));
      output.writeTo({
        write: ([piece]) => {
          blocks.add(piece?.buffer);
          return 'kept';
        },
        pause: () => undefined, resume: () => undefined, end: () => undefined, destroy: () => undefined,
      });
    }
    assert.ok(blocks.size <= 33, `100,000 bytes lie in ${blocks.size} blocks of 4 KiB`);
  });

  it('what is dropped gives its blocks back', () => {
    const pool = new BlockPool();
    const output = new Output(pool);
    for (let i = 0; i < 20; i++) output.payload(new Uint8Array(8_000), 0, 8_000);
    assert.ok(pool.lent > 1);
    output.drop();
    assert.deepEqual([pool.lent, output.size], [0, 0]);
  });
});
