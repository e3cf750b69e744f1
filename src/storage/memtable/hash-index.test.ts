import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { HashIndex, hashBytes } from './hash-index.js';
import { KeyRecords } from './key-records.js';

function add(index: HashIndex, records: KeyRecords, prefix: Uint8Array): number {
  const key = records.addKey(prefix, prefix.length);
  index.add(key, hashBytes(prefix, prefix.length));
  return key;
}

describe('HashIndex', () => {
  it('finds every key, also after it has grown, and no other one', () => {
    const records = new KeyRecords();
    const index = new HashIndex(records);
    const prefixes = Array.from({ length: 40_000 }, (_, i) => utf8(`key-${(i * 7919) % 40_000}`));
    const keys = prefixes.map((prefix) => add(index, records, prefix));
    assert.equal(index.partial, false);
    prefixes.forEach((prefix, i) => assert.equal(index.find(prefix, prefix.length, hashBytes(prefix, prefix.length)), keys[i]));
    const other = utf8('key-40000');
    assert.equal(index.find(other, other.length, hashBytes(other, other.length)), 0);
    const first = utf8('key-0');
    assert.equal(index.find(other, other.length, hashBytes(first, first.length)), 0, 'a hash alone proves nothing');
  });

  it('says so when keys that collide do not all fit, instead of searching for ever', () => {
    const records = new KeyRecords();
    const index = new HashIndex(records);
    for (let i = 0, added = 0; added < 40; i++) {
      const prefix = utf8(`key-${i}`);
      if ((hashBytes(prefix, prefix.length) & 1023) !== 7) continue;
      add(index, records, prefix);
      added++;
    }
    assert.equal(index.partial, true);
  });
});
