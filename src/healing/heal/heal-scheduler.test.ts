import assert from 'node:assert/strict';
import { silent } from '../../base/testing/silent.js';
import type { Env } from '../../base/env.js';
import type { TableId } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { HealScheduler } from './heal-scheduler.js';
import type { HintStore } from '../hints/hint-store.js';
import type { TableCopies } from '../repair/table-copies.js';
import { manifestOf, seeded, TestClock } from '../testing/world.js';

const BIRTH = { term: 1, proposer: 1, sequence: 1, ordinal: 0 };

describe('the scheduler of heals', () => {
  let clock: TestClock;
  let live: TableId[];
  /** Copies that were begun and wait for peers for ever. */
  let making: TableId[];
  let scheduler: HealScheduler;

  beforeEach(() => {
    clock = new TestClock();
    live = [1, 2, 3, 4, 5];
    making = [];
    const copies = {
      make: ({ id }: TableMeta) => {
        making.push(id);
        return new Promise(() => undefined);
      },
    } as unknown as TableCopies;
    const leadership = { isLeader: true, mayShapeTree: true } as HealingContext['leadership'];
    const tree = {
      get latest() {
        return manifestOf(live.map((id) => ({ id }) as TableMeta), 6);
      },
    } as HealingContext['tree'];
    scheduler = new HealScheduler({
      env: { clock, random: seeded(1), disk: { sizeOf: () => undefined }, events: silent } as unknown as Env,
      context: { leadership, tree, proposer: { propose: () => true } },
      counters: {} as HealCounters, hints: { get: () => undefined } as unknown as HintStore, copies,
      repairer: { repairBlock: () => Promise.resolve() }, token: { cancelled: false },
    });
  });
  afterEach(() => scheduler.stop());

  async function hinted(...tables: TableId[]): Promise<void> {
    scheduler.accept(2, tables.map((tableId) => ({ tableId, birth: BIRTH, fileDigest: '', kind: 'unreadable', offsets: [7], node: 2, pastCache: true })));
    await pass();
  }

  async function pass(): Promise<void> {
    clock.advance(600);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  it('H4 a heal of a table that left the version takes no place, though its copy still waits for peers', async () => {
    await hinted(1, 2, 3, 4);
    assert.deepEqual(making, [1, 2]);
    live = [2, 3, 4, 5];
    await pass();
    assert.deepEqual(making, [1, 2, 3]);
    // Two are under way, and no more than two.
    await pass();
    assert.deepEqual(making, [1, 2, 3]);
    scheduler.editApplied(2, { id: 6 } as TableMeta, 10);
    await pass();
    assert.deepEqual(making, [1, 2, 3, 4]);
  });

  it('H4 what was begun under an earlier lead takes no place in the next one', async () => {
    await hinted(1, 2);
    scheduler.reset();
    await hinted(3, 4, 5);
    assert.deepEqual(making, [1, 2, 3, 4]);
  });
});
