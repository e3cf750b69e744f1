import assert from 'node:assert/strict';
import { AssertionError } from '../../base/assert.js';
import { NetworkError } from '../../base/errors.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Env } from '../../base/env.js';
import { silent } from '../../base/testing/silent.js';
import { outputPath, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { Materializer, type MaterializerParts } from './materializer.js';

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

function table(id: number): TableMeta {
  return { id, birth: { term: 1, proposer: 1, sequence: id * 10, ordinal: 0 }, bytes: 4 } as unknown as TableMeta;
}

class Bench {
  readonly memory = new MemoryDisk();
  readonly disk = new FaultDisk(this.memory);
  readonly clock = new ManualClock();
  readonly local = new Set<number>();
  readonly closed: number[] = [];
  readonly fetched: string[] = [];
  /** What each fetch could use of this node's own. */
  readonly sources: (string | undefined)[] = [];
  readonly outputs = new Map<number, readonly TableMeta[]>();
  wanted: TableMeta[] = [];
  lacking: TableMeta[] = [];
  unobtainable = new Set<number>();
  /** What a fetch runs into that no disk or peer brings about. */
  bug: unknown;
  readonly failures: unknown[] = [];
  readonly tried: number[] = [];
  /** How long it takes to learn that nobody has a table. */
  timeoutMs = 0;
  readonly materializer: Materializer;

  constructor() {
    const { disk, local, clock } = this;
    const owed = (): TableMeta[] => this.wanted.filter(({ id }) => !local.has(id));
    this.materializer = new Materializer({
      env: { disk, clock, events: silent } as unknown as Env,
      tree: {
        owed, isLocal: (id: number) => local.has(id), markLocal: (id: number) => void local.add(id), meta: () => undefined,
        latest: { table: (id: number) => this.wanted.find((table) => table.id === id) },
      },
      executor: {
        settled: () => Promise.resolve(), outputs: (sequence: number) => this.outputs.get(sequence),
        close: (sequence: number) => void this.closed.push(sequence),
        lacking: () => this.lacking.filter(({ id }) => !local.has(id)),
      },
      fetcher: {
        fetchTable: async (meta: TableMeta, path: string, options: { local?: string }) => {
          this.tried.push(meta.id);
          if (this.bug !== undefined) throw this.bug;
          if (this.unobtainable.has(meta.id)) {
            this.clock.advance(this.timeoutMs);
            throw new NetworkError('UNREACHABLE', 'nobody has it');
          }
          this.fetched.push(path);
          this.sources.push(options.local);
          await this.file(path);
        },
      },
      room: { short: false }, healing: {}, membership: { peers: [2, 3] }, leadership: { leader: 2 },
      life: { fail: (error: unknown) => void this.failures.push(error) },
    } as unknown as MaterializerParts);
  }

  /** The pause after a pass in vain is over. */
  async again(): Promise<void> {
    this.clock.advance(1_000);
    await turns();
  }

  /** A whole table. */
  async file(path: string): Promise<void> {
    const file = await this.disk.open(path, 'create');
    await file.write(new Uint8Array(4), 0);
    file.close();
  }
}

describe('the materializer', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.disk.mkdir('tables');
  });

  afterEach(() => assert.deepEqual(bench.failures, bench.bug === undefined ? [] : [bench.bug]));

  it('a broken invariant on the way ends the member: it is no table that is still owed', async () => {
    bench.bug = new AssertionError('invariant broken: H5 for the test');
    bench.wanted = [table(1)];
    bench.materializer.kick();
    await turns();
    await bench.again();
    assert.deepEqual(bench.tried, [1]);
  });

  it('is not deaf to an edit that is applied the moment it ends', async () => {
    bench.materializer.kick();
    bench.wanted = [table(1)];
    bench.materializer.produced(10, bench.wanted);
    await turns();
    assert.ok(bench.local.has(1));
    assert.deepEqual(bench.closed, [10]);
  });

  it('S5 a table that is fetched appears under its name only when it is whole', async () => {
    bench.wanted = [table(1)];
    bench.materializer.kick();
    await turns();
    assert.deepEqual(bench.fetched, ['tables/fetch-1.tmp']);
    assert.deepEqual(bench.memory.files(), [tablePath(1)]);
  });

  it('D1 what was produced here is not asked of peers when the directory could not be synced: they may all have met that', async () => {
    bench.wanted = [table(1)];
    bench.unobtainable.add(1);
    bench.outputs.set(10, [table(1)]);
    await bench.file(outputPath(10, 0));
    const failing = bench.disk.inject({ kind: 'sync-dir-error', path: 'tables', times: 2 });
    bench.materializer.produced(10, bench.wanted);
    for (let tries = 0; tries < 5; tries++) {
      await turns();
      bench.clock.advance(1_000);
    }
    await turns();
    assert.equal(failing.hits, 2);
    assert.ok(bench.local.has(1));
    assert.deepEqual(bench.memory.files(), [tablePath(1)]);
    assert.deepEqual(bench.closed, [10]);
  });

  it('D1 an output that is gone is not counted on because it once had its name', async () => {
    bench.wanted = [table(1)];
    bench.unobtainable.add(1);
    bench.outputs.set(10, [table(1)]);
    await bench.file(outputPath(10, 0));
    bench.disk.inject({ kind: 'sync-dir-error', path: 'tables', times: 1 });
    bench.materializer.produced(10, bench.wanted);
    await turns();
    await bench.memory.unlink(tablePath(1));
    await bench.again();
    assert.ok(!bench.local.has(1));
    bench.unobtainable.clear();
    await bench.again();
    assert.ok(bench.local.has(1));
  });

  it('D1 what was fetched is a source of its own when the directory could not be synced', async () => {
    bench.wanted = [table(1)];
    bench.disk.inject({ kind: 'sync-dir-error', path: 'tables', times: 1 });
    bench.materializer.kick();
    await turns();
    assert.ok(!bench.local.has(1), 'its name is not durable');
    await bench.again();
    assert.ok(bench.local.has(1));
    assert.deepEqual(bench.sources, [undefined, tablePath(1)]);
  });

  it('what a plan left whose outputs were never needed goes', async () => {
    bench.wanted = [table(1), table(2)];
    bench.unobtainable.add(1);
    bench.materializer.produced(10, [table(1)]);
    bench.materializer.produced(20, [table(2)]);
    await turns();
    bench.wanted = [table(2)];
    await bench.again();
    assert.deepEqual(bench.closed.sort(), [10, 20]);
  });

  it('D1 when nobody has what is owed, what its production lacks is obtained too', async () => {
    bench.wanted = [table(5)];
    bench.lacking = [table(3)];
    bench.unobtainable.add(5);
    bench.materializer.kick();
    await turns();
    assert.ok(!bench.local.has(3), 'not before it is needed');
    await bench.again();
    assert.ok(bench.local.has(3));
  });

  it('D1 what is owed is tried again between the things that its production lacks, each of which may take long', async () => {
    bench.wanted = [table(5)];
    bench.lacking = [1, 2, 3, 4].map(table);
    for (const id of [1, 2, 3, 4, 5]) bench.unobtainable.add(id);
    bench.timeoutMs = 5_000;
    bench.materializer.kick();
    for (let pass = 0; pass < 3; pass++) {
      await turns();
      bench.clock.advance(1_000);
    }
    await turns();
    assert.deepEqual(bench.tried, [5, 5, 1, 5, 2, 5, 3], 'one after the other gets its turn');
    bench.unobtainable.delete(5);
    await bench.again();
    assert.deepEqual(bench.tried.slice(7), [5]);
    assert.ok(bench.local.has(5));
  });
});
