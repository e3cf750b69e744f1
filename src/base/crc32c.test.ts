import assert from 'node:assert/strict';
import fc from 'fast-check';
import { utf8 } from './bytes.js';
import { crc32c, crc32cOfPieces } from './crc32c.js';

describe('crc32c', () => {
  it('is the known checksum of the known text', () => {
    assert.equal(crc32c(utf8('123456789')), 0xe306_9283);
  });

  it('of several pieces at once is that of each', () => {
    const bytes = fc.uint8Array({ maxLength: 400, size: 'max' });
    fc.assert(
      fc.property(bytes, fc.nat(5), fc.nat(3), (content, count, before) => {
        const length = count === 0 ? 8 : Math.floor(content.length / count / 8) * 8;
        const start = 8 * before;
        const memory = new Uint8Array(8 + start + content.length);
        memory.set(content, 8 + start);
        const crcs = crc32cOfPieces(memory.subarray(8), start, length, count);
        const each = Array.from({ length: count }, (_, i) => crc32c(content, 0, i * length, (i + 1) * length));
        assert.deepEqual([...crcs], each);
      }),
    );
  });
});
