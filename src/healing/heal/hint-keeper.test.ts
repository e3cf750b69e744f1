import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import type { TableId } from '../../base/ids.js';
import { silent } from '../../base/testing/silent.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { Version } from '../../storage/version/version.js';
import { HintStore } from '../hints/hint-store.js';
import type { TableCopies } from '../repair/table-copies.js';
import { manifestOf, TestClock } from '../testing/world.js';
import { HintKeeper } from './hint-keeper.js';

const HINTS = 2_000;
const TABLES = 4_000;

/** Says how often any of it was looked at. */
class Table {
  static looks = 0;
  readonly birth;
  readonly #id: TableId;
  readonly #digest: string;

  constructor(id: TableId) {
    this.#id = id;
    this.#digest = String(id).padStart(32, '0');
    this.birth = { term: 1, proposer: 1, sequence: id, ordinal: 0 };
  }

  get id(): TableId {
    Table.looks++;
    return this.#id;
  }

  get fileDigest(): string {
    Table.looks++;
    return this.#digest;
  }
}

describe('the keeper of hints', () => {
  it('H2 a move of the manifest costs a look at each table and each hint, in slices, and ends what is gone', async () => {
    let breaths = 0;
    const workers = { breathe: () => void breaths++ };
    const env = { disk: new MemoryDisk(), clock: new TestClock(), events: silent, workers } as unknown as Env;
    const hints = new HintStore(env);
    const tables = Array.from({ length: TABLES }, (_, i) => new Table(i + 1) as unknown as TableMeta);
    for (const { id: tableId, birth, fileDigest } of tables.slice(0, HINTS)) {
      const hint = { tableId, birth, fileDigest, kind: 'corrected', offsets: [1], node: 1, pastCache: true } as const;
      hints.add(hint, { by: 'second-read', pastCache: true });
    }
    const tree: { durable: Version } = { durable: manifestOf(tables, TABLES + 1) };
    const context = { tree, membership: { self: 1 } } as unknown as HealingContext;
    const keeper = new HintKeeper({ env, context, hints, copies: {} as TableCopies, token: { cancelled: false } });
    for (const left of [HINTS, HINTS - 100]) {
      tree.durable = manifestOf(tables.slice(HINTS - left), TABLES + 1);
      Table.looks = 0;
      breaths = 0;
      await keeper.settle();
      assert.equal(hints.size, left);
      assert.ok(breaths >= HINTS / 64 - 1, `${breaths} breaths`);
      assert.ok(Table.looks < 10 * (TABLES + HINTS), `${Table.looks} looks at ${TABLES} tables for ${HINTS} hints`);
    }
    await hints.durable();
  });
});
