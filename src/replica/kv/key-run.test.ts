import assert from 'node:assert/strict';
import fc from 'fast-check';
import { KeyRun } from './key-run.js';
import { utf8 } from '../../base/bytes.js';

describe('KeyRun', () => {
  it('gives the keys that were added, in their order, whatever their lengths', () => {
    const key = fc.oneof(
      { weight: 20, arbitrary: fc.uint8Array({ maxLength: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }).map((n) => new Uint8Array(n).fill(n)) },
    );
    fc.assert(fc.property(fc.array(key, { maxLength: 200, size: 'max' }), (keys) => {
      const run = new KeyRun();
      for (const one of keys) run.add(one);
      assert.equal(run.size, keys.length);
      assert.ok([...run].every((one, i) => Buffer.compare(one, keys[i] as Uint8Array) === 0));
      assert.equal([...run].length, keys.length);
    }), { numRuns: 50 });
  });

  it('holds a hundred thousand keys in little more than their bytes', () => {
    const run = new KeyRun();
    for (let i = 0; i < 100_000; i++) run.add(utf8(`key-${String(i).padStart(8, '0')}`));
    assert.ok(run.bytes <= 100_000 * 16 + 128 * 1024, `${run.bytes} bytes`);
  });

  it('owns its bytes, and what it gave out does not change', () => {
    const run = new KeyRun();
    const key = utf8('key');
    run.add(key);
    key.fill(0);
    const [first] = run;
    assert.deepEqual(first, utf8('key'));
  });

  it('is not added to while it is read', () => {
    const run = new KeyRun();
    run.add(utf8('a'));
    assert.throws(() => {
      for (const _ of run) run.add(utf8('b'));
    }, /no key is added/);
  });
});
