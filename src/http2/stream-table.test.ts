import assert from 'node:assert/strict';
import fc from 'fast-check';
import { StreamRecord } from './stream-record.js';
import { StreamTable } from './stream-table.js';

/** Ids grow, by steps that a client chooses; some streams stay for long. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(1, 1, 1, 2, 16, 64, 1_000).map((by) => ({ by })) },
  { weight: 2, arbitrary: fc.nat(1_000).map((remove) => ({ remove })) },
);

describe('the table of streams', () => {
  it('finds what a map finds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const table = new StreamTable();
        const model = new Map<number, StreamRecord>();
        let id = -1;
        for (const one of steps) {
          if ('by' in one) {
            id += 2 * one.by;
            const stream = new StreamRecord();
            stream.id = id;
            table.add(stream);
            model.set(id, stream);
          } else {
            const stream = [...model.values()][one.remove % Math.max(1, model.size)];
            if (stream === undefined) continue;
            table.remove(stream);
            model.delete(stream.id);
            assert.equal(table.get(stream.id), undefined);
          }
          assert.equal(table.size, model.size);
          assert.equal(table.get(id), model.get(id));
        }
        for (let which = 1; which <= id + 40; which += 2) assert.equal(table.get(which), model.get(which));
        assert.deepEqual(new Set(table.all()), new Set(model.values()));
      }),
      { numRuns: 200 },
    );
  });
});
