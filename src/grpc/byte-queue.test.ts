import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteQueue } from './byte-queue.js';

describe('a queue of bytes', () => {
  it('gives what was put in, in order, and takes about twice of what waits', () => {
    const step = fc.record({ put: fc.nat(5000), take: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue();
      let put = 0;
      let taken = 0;
      for (const { put: more, take } of steps) {
        const bytes = Uint8Array.from({ length: more + 2 }, (_, i) => (put + i - 1) % 251);
        queue.append(bytes, 1, more + 1);
        put += more;
        const n = Math.floor(take * queue.length);
        for (let i = 0; i < queue.length; i++) assert.equal(queue.bytes[queue.from + i], (taken + i) % 251);
        queue.skip(queue.from + n);
        taken += n;
        assert.equal(queue.length, put - taken);
      }
    }), { numRuns: 50 });
  });

  it('takes little memory for many small parts, and gives much of it back', () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 100_000; i++) queue.append(Uint8Array.of(1), 0, 1);
    assert.ok(queue.bytes.length <= 2.1 * 100_000);
    queue.skip(queue.to);
    assert.equal(queue.bytes.length, 0);
  });
});
