import { strict as assert } from 'node:assert';
import { equalBytes, KiB, utf8 } from '../../base/bytes.js';
import { USER_SPACE, type TreeWrite } from '../base/read-view.js';
import { KeyRecords } from './key-records.js';
import { Memtable } from './memtable.js';

function write(n: number, valueBytes: number): TreeWrite {
  const value = new Uint8Array(valueBytes).fill(n);
  return { space: USER_SPACE, key: utf8(`k${n}`), revision: n, sub: n % 7, tombstone: n % 5 === 0, liveDelta: (n % 3) - 1, value };
}

describe('KeyRecords', () => {
  it('gives back what was written: of any length, with numbers beyond 32 bits, wherever chunks end', () => {
    const records = new KeyRecords();
    const lengths = [0, 1, 3, 4, 5, 23, 24, 25, 100, 2 * KiB, 8 * KiB - 40, 8 * KiB, 9 * KiB, 64 * KiB, 200 * KiB];
    const key = records.addKey(utf8('key'), 3);
    const far = 2 ** 52;
    const lengthOf = (i: number): number => (lengths[i % lengths.length] as number) % (i % 10 === 0 ? Infinity : 4096);
    const written = Array.from({ length: 3000 }, (_, i) => ({ ...write(i % 251, lengthOf(i)), revision: far + i }));
    written.forEach((w, i) => records.addVersion(key, w, far - 3000 + i));
    let version = records.newest(key);
    for (let i = written.length - 1; i >= 0; i--, version = records.older(version)) {
      const want = written[i] as TreeWrite;
      assert.equal(records.revision(version), want.revision);
      assert.equal(records.sequence(version), far - 3000 + i);
      assert.equal(records.sub(version), want.sub);
      assert.equal(records.tombstone(version), want.tombstone);
      assert.equal(records.liveDelta(version), want.liveDelta);
      assert(equalBytes(records.value(version), want.value));
    }
    assert.equal(version, 0);
    assert.equal(records.liveDeltaSum(key), written.reduce((sum, w) => sum + w.liveDelta, 0));
    assert(equalBytes(records.prefix(key), utf8('key')));
  });

  it('a memtable takes the memory that it says', () => {
    const collect = globalThis.gc;
    const before = process.memoryUsage().arrayBuffers;
    const memtable = new Memtable();
    const { value } = write(1, 100);
    for (let n = 1; n <= 40_000; n++) memtable.insert({ ...write(n, 0), value, liveDelta: 0 }, n);
    collect?.();
    // Besides what the memtable holds there are at most the smaller arrays that its indexes had.
    const taken = process.memoryUsage().arrayBuffers - before;
    assert(memtable.bytes > 40_000 * 100 && taken < 1.5 * memtable.bytes, `${taken} bytes for ${memtable.bytes}`);
  });
});
