import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { hashBytes, PrefixIndex } from './prefix-index.js';

describe('PrefixIndex', () => {
  it('finds every record, also after it has grown', () => {
    const index = new PrefixIndex<{ prefix: Uint8Array }>();
    const records = Array.from({ length: 5000 }, (_, i) => ({ prefix: utf8(`key-${i}`) }));
    for (const record of records) index.add(record);
    assert.equal(index.partial, false);
    for (const record of records) assert.equal(index.find(record.prefix.slice()), record);
    assert.equal(index.find(utf8('key-5000')), undefined);
  });

  it('says so when keys that collide do not all fit, instead of searching for ever', () => {
    const index = new PrefixIndex<{ prefix: Uint8Array }>();
    const slot = hashBytes(utf8('key-0')) & 1023;
    let added = 0;
    for (let i = 0; added < 40; i++) {
      const prefix = utf8(`key-${i}`);
      if ((hashBytes(prefix) & 1023) !== slot) continue;
      index.add({ prefix });
      added++;
    }
    assert.equal(index.partial, true);
  });
});
