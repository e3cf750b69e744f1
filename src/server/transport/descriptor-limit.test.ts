import assert from 'node:assert/strict';
import { descriptorLimit, maxConnections, RESERVED_DESCRIPTORS } from './descriptor-limit.js';

describe('the bound on connections', () => {
  it('is what the system allows, less what files and peers need', () => {
    const limits = 'Limit                     Soft Limit           Hard Limit           Units\nMax open files            20000                20000                files\n';
    assert.equal(descriptorLimit(limits), 20_000);
    assert.equal(maxConnections(20_000), 20_000 - RESERVED_DESCRIPTORS);
    assert.equal(maxConnections(Infinity), Infinity);
  });

  it('is never nothing, and never all', () => {
    for (const few of [64, 256, 512, 600]) {
      assert.ok(maxConnections(few) >= few / 8 - 1 && maxConnections(few) <= few / 4, `${few}`);
    }
  });

  it('is a usual one where the system does not say', () => {
    assert.equal(descriptorLimit(''), 4_096);
    assert.equal(descriptorLimit('Max open files            unlimited            unlimited            files'), Infinity);
  });
});
