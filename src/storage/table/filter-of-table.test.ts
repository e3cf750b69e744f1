import { strict as assert } from 'node:assert';
import { utf8 } from '../../base/bytes.js';
import { encodeInternalKey, encodePrefix } from '../base/key.js';
import { noFaults } from './block-faults.js';
import { diskWith, formatWith, makeTable, openStore } from './testing/sample-tables.js';
import type { TableEntry } from './testing/table-entry.js';

describe('the filter of a table', () => {
  it('has every key, however alike neighbours are and wherever they differ', async () => {
    const shapes = [(n: string) => n, (n: string) => `${n}/a tail of all`, (n: string) => `a head of all/${n}`, (n: string) => `${n}x`];
    for (const shape of shapes) {
      const keys = Array.from({ length: 200 }, (_, i) => utf8(shape(String(i).padStart(4, '0'))));
      const entries = keys.flatMap((key, i) => [2, 1].map((sub): TableEntry => ({
        internalKey: encodeInternalKey(1, key, 100 + i, sub), revision: 100 + i, userSpace: true,
        tombstone: false, liveDelta: sub === 1 ? 1 : 0, value: utf8('v'),
      })));
      const table = makeTable(entries, formatWith('none', 256, 20));
      const reader = openStore(await diskWith(table), noFaults).reader(table.meta);
      for (const key of keys) assert(reader.mayContain(encodePrefix(1, key)), `${Buffer.from(key).toString()} is in its table`);
      const absent = keys.filter((_, i) => !reader.mayContain(encodePrefix(1, utf8(shape(`n${i}`)))));
      assert(absent.length > 190, 'the filter tells keys apart');
    }
  });
});
