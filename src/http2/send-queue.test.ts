import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Ring, SendQueue } from './send-queue.js';
import { StreamRecord } from './stream-record.js';

describe('the queue of streams', () => {
  it('a ring is first in, first out, whoever leaves from the middle', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('push', 'push', 'shift', 'remove'), fc.nat(100)), { maxLength: 100 }), (steps) => {
        const ring = new Ring();
        const model: StreamRecord[] = [];
        for (const [what, which] of steps) {
          if (what === 'push') {
            const stream = new StreamRecord();
            ring.push(stream);
            model.push(stream);
          } else if (what === 'shift') assert.equal(ring.shift(), model.shift());
          else if (model.length > 0) {
            const [stream] = model.splice(which % model.length, 1);
            ring.remove(stream as StreamRecord);
            assert.deepEqual([stream?.ring, stream?.next, stream?.previous], [undefined, undefined, undefined]);
          }
        }
        for (;;) {
          const first = ring.shift();
          assert.equal(first, model.shift());
          if (first === undefined) return;
        }
      }),
    );
  });

  it('who needs no window comes first, who needs one only while it is open', () => {
    const queue = new SendQueue();
    const [a, b] = [new StreamRecord(), new StreamRecord()];
    queue.data.push(a);
    queue.urgent.push(b);
    assert.equal(queue.next(false), b);
    assert.equal(queue.next(false), undefined);
    assert.equal(queue.next(true), a);
    assert.equal(queue.next(true), undefined);
  });
});
