import assert from 'node:assert/strict';
import { NetworkError } from '../../base/errors.js';
import type { TableId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import { StorageError } from '../../storage/base/errors.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { NodeVersions } from '../base/known-tables.js';
import { AwaitedBlocks, lackedBlock } from './awaited-blocks.js';
import { HealQueue } from './heal-queue.js';
import { manifestOf, seeded, TestClock } from '../testing/world.js';

const BLOCK = { offset: 7, digest: '0123456789abcdef' };

/**
 * Heals that failed for want of a block, in backoff for at least a minute, and what was asked when.
 */
class Waiting {
  readonly clock = new TestClock();
  readonly queue = new HealQueue(seeded(1));
  readonly asked: { readonly table: TableId; readonly at: number }[] = [];
  /** How many heals became due because their block was had. */
  had = 0;
  readonly good = new Set<TableId>();
  whileAsking: (table: TableId) => void = () => undefined;
  readonly awaited = new AwaitedBlocks({
    clock: this.clock,
    queue: this.queue,
    context: { tree: { latest: manifestOf(Array.from({ length: 100 }, (_, i) => ({ id: i + 1 }) as TableMeta), 101) } as NodeVersions },
    repairer: {
      repairBlock: ({ id }, block) => {
        assert.deepEqual(block, BLOCK);
        this.asked.push({ table: id, at: this.clock.now() - 1000 });
        this.whileAsking(id);
        return this.good.has(id) ? Promise.resolve() : Promise.reject(new NetworkError('UNREACHABLE', 'nobody listens'));
      },
    },
  });

  constructor(tables: number) {
    for (let id = 1; id <= tables; id++) {
      const birth = { term: 1, proposer: 1, sequence: id, ordinal: 0 };
      this.queue.accept({ tableId: id, birth, fileDigest: '', kind: 'unreadable', offsets: [7], node: 2, pastCache: true });
      for (let i = 0; i < 9; i++) this.queue.failed(id, 0, { ...BLOCK });
    }
    this.queue.subscribe(() => this.had++);
    this.awaited.kick();
  }

  async pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i += 100) {
      this.clock.advance(100);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

describe('blocks that heals wait for', () => {
  it('H4 are asked for in turn, each every ten seconds, and a large queue does not make more calls', async () => {
    const four = new Waiting(4);
    await four.pass(19_000);
    assert.deepEqual(four.asked.map(({ table }) => table), [1, 2, 3, 4, 1, 2, 3]);
    assert.ok(four.asked.every(({ at }, i) => at >= (i + 1) * 2500), JSON.stringify(four.asked));
    const many = new Waiting(100);
    await many.pass(20_000);
    assert.ok(many.asked.length >= 20 && many.asked.length <= 32, `${many.asked.length} calls`);
    assert.equal(new Set(many.asked.map(({ table }) => table)).size, many.asked.length);
  });

  it('D1 that can be had at last make their heals due, one right after the other, and are not asked for again', async () => {
    const world = new Waiting(100);
    await world.pass(6_000);
    assert.equal(world.had, 0);
    for (let id = 1; id <= 100; id++) world.good.add(id);
    await world.pass(12_000);
    assert.equal(world.had, 100);
    assert.ok(world.queue.all().every(({ state, lacks }) => state === 'pending' && lacks === undefined));
    const calls = world.asked.length;
    await world.pass(10_000);
    assert.equal(world.asked.length, calls);
    world.queue.failed(3, world.clock.now(), BLOCK);
    world.awaited.kick();
    await world.pass(20_000);
    assert.equal(world.asked.length, calls + 1, 'failed once more, had once more');
  });

  it('H4 say nothing of a heal that was tried again, dropped or queued anew meanwhile', async () => {
    const world = new Waiting(3);
    for (const id of [1, 2, 3]) world.good.add(id);
    world.whileAsking = (id) => {
      if (id === 1) world.queue.claim(1, Infinity);
      if (id === 2) world.queue.drop(2);
      if (id === 3) world.queue.failed(3, 0, { offset: 9, digest: BLOCK.digest });
      world.awaited.kick();
      if (id === 3) world.awaited.stop();
    };
    await world.pass(30_000);
    assert.deepEqual(world.asked.map(({ table }) => table), [1, 2, 3]);
    assert.equal(world.had, 0);
  });

  it('are known from the error that the copy failed with, whatever was made of it', () => {
    const unreadable = new StorageError('BLOCK_UNREADABLE', 'bad', { tableId: 1, ...BLOCK });
    assert.deepEqual(lackedBlock(unreadable), BLOCK);
    assert.deepEqual(lackedBlock(new NetworkError('UNREACHABLE', 'away', {}, unreadable)), BLOCK);
    assert.deepEqual(lackedBlock(new EtcdError('DATA_LOSS', '', unreadable)), BLOCK);
    const footers = new StorageError('TABLE_UNREADABLE', 'footers', { ...unreadable.data, offset: 0 }, unreadable);
    assert.deepEqual(lackedBlock(new NetworkError('UNREACHABLE', 'away', {}, footers)), { ...BLOCK, offset: 0 });
    assert.equal(lackedBlock(new StorageError('DIGEST_MISMATCH', 'bad', { offset: 1, digest: '' })), undefined);
    assert.equal(lackedBlock(new Error('bug')), undefined);
  });
});
