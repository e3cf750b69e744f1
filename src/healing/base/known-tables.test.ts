import assert from 'node:assert/strict';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { manifestOf } from '../testing/world.js';
import { KnownTables } from './known-tables.js';
import { Recent } from './recent.js';

function table(id: number, digest: string): TableMeta {
  return { id, fileDigest: digest } as TableMeta;
}

describe('what parts of healing look up', () => {
  it('S2 a table is known from any of the three versions, and its file is here in the materialized or durable one', () => {
    const [a, b, c, d] = [table(1, 'x'), table(2, 'y'), table(3, 'x'), table(4, 'z')] as const;
    const tree = { durable: manifestOf([a], 9), materialized: manifestOf([a, b], 9), latest: manifestOf([b, c], 9) };
    const known = new KnownTables(tree);
    assert.deepEqual([1, 2, 3, 4].map((id) => known.has(id)), [true, true, true, false]);
    assert.deepEqual([1, 2, 3, 4].map((id) => known.isHere(id)), [true, true, false, false]);
    assert.deepEqual(known.here(), [a, b]);
    assert.deepEqual(known.withBytes('x'), [a, c]);
    tree.latest = manifestOf([d], 9);
    assert.equal(known.find(4), d, 'asked of the present versions');
    assert.equal(known.find(3), undefined);
  });

  it('what was seen lately forgets its oldest', () => {
    const recent = new Recent<number, string>(2);
    recent.set(1, 'a');
    recent.set(2, 'b');
    recent.set(1, 'c');
    recent.set(3, 'd');
    assert.deepEqual([1, 2, 3].map((key) => recent.get(key)), ['c', undefined, 'd']);
    recent.delete(1);
    assert.equal(recent.has(1), false);
  });
});
