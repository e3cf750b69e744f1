import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/events.js';
import { tablePath, type TableMeta } from '../../storage/version/table-meta.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Materializer, type MaterializerOptions } from './materializer.js';

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function table(id: number): TableMeta {
  return { id, birth: { term: 1, proposer: 1, sequence: id * 10, ordinal: 0 }, bytes: 4 } as unknown as TableMeta;
}

class Bench {
  readonly disk = new MemoryDisk();
  readonly clock = new ManualClock();
  readonly local = new Set<number>();
  readonly closed: number[] = [];
  readonly fetched: string[] = [];
  wanted: TableMeta[] = [];
  lacking: TableMeta[] = [];
  unobtainable = new Set<number>();
  readonly materializer: Materializer;

  constructor() {
    const { disk, local, clock } = this;
    const owed = (): TableMeta[] => this.wanted.filter(({ id }) => !local.has(id));
    this.materializer = new Materializer({
      env: { disk, clock, events: silent } as unknown as Env,
      tree: { owed, isLocal: (id: number) => local.has(id), markLocal: (id: number) => void local.add(id), meta: () => undefined },
      executor: {
        settled: () => Promise.resolve(), outputs: () => undefined, close: (plan: number) => void this.closed.push(plan),
        lacking: () => this.lacking.filter(({ id }) => !local.has(id)),
      },
      fetcher: {
        fetchTable: async (meta: TableMeta, path: string) => {
          if (this.unobtainable.has(meta.id)) throw new Error('nobody has it');
          this.fetched.push(path);
          (await disk.open(path, 'create')).close();
        },
      },
      hooks: {}, peers: [2, 3], leader: () => 2, failed: (error: unknown) => assert.fail(String(error)),
    } as unknown as MaterializerOptions);
  }
}

describe('the materializer', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.disk.mkdir('tables');
  });

  it('is not deaf to an edit that is applied the moment it ends', async () => {
    bench.materializer.kick();
    bench.wanted = [table(1)];
    bench.materializer.planned(10, bench.wanted);
    await turns();
    assert.ok(bench.local.has(1));
    assert.deepEqual(bench.closed, [10]);
  });

  it('S5 a table that is fetched appears under its name only when it is whole', async () => {
    bench.wanted = [table(1)];
    bench.materializer.kick();
    await turns();
    assert.deepEqual(bench.fetched, ['tables/fetch-1.tmp']);
    assert.deepEqual(bench.disk.files(), [tablePath(1)]);
  });

  it('what a plan left whose outputs were never needed goes', async () => {
    bench.wanted = [table(1), table(2)];
    bench.unobtainable.add(1);
    bench.materializer.planned(10, [table(1)]);
    bench.materializer.planned(20, [table(2)]);
    await turns();
    bench.wanted = [table(2)];
    bench.clock.advance(1_000);
    await turns();
    assert.deepEqual(bench.closed.sort(), [10, 20]);
  });

  it('D1 when nobody has what is owed, what its production lacks is obtained too', async () => {
    bench.wanted = [table(5)];
    bench.lacking = [table(3)];
    bench.unobtainable.add(5);
    bench.materializer.kick();
    await turns();
    assert.ok(!bench.local.has(3), 'not before it is needed');
    bench.clock.advance(1_000);
    await turns();
    assert.ok(bench.local.has(3));
  });
});
