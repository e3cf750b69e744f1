import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BlockPool } from './block-pool.js';
import { Output } from './output.js';
import { PayloadQueue } from './payload-queue.js';
import { MemoryTransport } from './testing/memory-transport.js';

describe('payload that waits', () => {
  it('leaves in the order in which it came, in any portions', () => {
    const step = fc.oneof(fc.tuple(fc.nat(6), fc.oneof(fc.nat(10), fc.nat(20_000))), fc.nat(20_000));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const queue = new PayloadQueue();
        const output = new Output(new BlockPool());
        const transport = new MemoryTransport();
        const given: Buffer[] = [];
        let left = 0;
        for (const [i, one] of steps.entries()) {
          if (typeof one === 'number') {
            const bytes = Math.min(one, left);
            queue.moveTo(output, bytes);
            left -= bytes;
          } else {
            const [prefix, body] = [Buffer.alloc(one[0], i), Buffer.alloc(one[1], i + 1)];
            queue.push(prefix, body);
            given.push(Buffer.from(prefix), Buffer.from(body));
            prefix.fill(0xee);
            left += prefix.length + body.length;
          }
          assert.equal(queue.bytes, left);
        }
        queue.moveTo(output, left);
        output.writeTo(transport);
        assert.ok(Buffer.concat(transport.writes).equals(Buffer.concat(given)));
        queue.push(Buffer.alloc(3), Buffer.alloc(3));
        queue.clear();
        assert.equal(queue.bytes, 0);
      }),
    );
  });
});
