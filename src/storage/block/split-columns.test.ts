import assert from 'node:assert/strict';
import fc from 'fast-check';
import { crc32c } from '../../base/crc32c.js';
import { splitColumns } from './split-columns.js';

describe('split columns', () => {
  it('finds the column from which on another version holds, as trying all of them would', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.infiniteStream(fc.nat(255)), fc.nat(), (good, noise, where) => {
        const column = where % (good.length + 1);
        const stored = good.map((byte, i) => (i < column ? byte : (noise.next().value as number)));
        const restored = good.map((byte, i) => (i < column ? (noise.next().value as number) : byte));
        const found = splitColumns(stored, restored, crc32c(good));
        const joined = found.map((c) => [...stored.subarray(0, c), ...restored.subarray(c)].join());
        assert.ok(joined.includes([...good].join()));
        for (const bytes of joined) assert.equal(crc32c(Uint8Array.from(bytes.split(',').map(Number))), crc32c(good));
      }),
    );
  });

  it('finds nothing if no column fits', () => {
    assert.deepEqual(splitColumns(new Uint8Array(64).fill(1), new Uint8Array(64).fill(2), 12345), []);
  });
});
