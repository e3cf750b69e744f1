/** An index that follows edits says what one says that is made anew. */

import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { TableMeta } from '../table/table-meta.js';
import { changedSpan, levelChanges } from './level-changes.js';
import { TableIndex } from './table-index.js';

const table = (id: number): TableMeta => ({ id }) as TableMeta;

/** A table that goes, comes or moves, by numbers that are taken modulo what there is. */
const edit = fc.array(fc.record({ level: fc.nat(3), at: fc.nat(1000), to: fc.nat(3), what: fc.constantFrom('add', 'add', 'drop', 'move') }), { maxLength: 40 });

type Edits = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function apply(levels: readonly (readonly TableMeta[])[], edits: Edits, nextId: number): TableMeta[][] {
  const out = levels.map((tables) => [...tables]);
  let id = nextId;
  for (const { level, at, to, what } of edits) {
    const tables = out[level] as TableMeta[];
    const target = out[to] as TableMeta[];
    if (what === 'add') tables.splice(at % (tables.length + 1), 0, table(id++));
    else if (tables.length > 0) {
      const [gone] = tables.splice(at % tables.length, 1) as [TableMeta];
      if (what === 'move') target.splice(at % (target.length + 1), 0, { ...gone });
    }
  }
  return out;
}

describe('TableIndex', () => {
  it('S2 finds the tables of each version as it is, whatever edits led there', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 30 }), (edits) => {
        let levels: TableMeta[][] = [[], [], [], []];
        let index = TableIndex.of(levels);
        edits.forEach((some, round) => {
          const next = apply(levels, some, 1 + round * 100);
          // A level that did not change stays the same list.
          const before = levels;
          levels = next.map((tables, n) => {
            const { from, beforeEnd, afterEnd } = changedSpan(before[n] ?? [], tables);
            return from === beforeEnd && from === afterEnd ? (before[n] ?? tables) : tables;
          });
          index = index.next(levels);
          const all = new Map(levels.flat().map((meta) => [meta.id, meta]));
          for (let id = 1; id < (round + 1) * 100; id++) assert.equal(index.get(id), all.get(id));
        });
      }),
    );
  });

  it('what is gone, what has come and what has moved are told apart', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map(table) as [TableMeta, TableMeta, TableMeta, TableMeta];
    assert.deepEqual(levelChanges([[a, b], [c]], [[b], [a, d]]), { removed: [c], added: [d], moved: [a] });
    assert.deepEqual(changedSpan([a, b, c], [a, d, c]), { from: 1, beforeEnd: 2, afterEnd: 2 });
    assert.deepEqual(changedSpan([a, a], [a]), { from: 1, beforeEnd: 2, afterEnd: 1 });
    assert.deepEqual(changedSpan([a, b], [a, b]), { from: 2, beforeEnd: 2, afterEnd: 2 });
  });
});
