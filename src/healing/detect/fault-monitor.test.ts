import assert from 'node:assert/strict';
import type { Env } from '../../base/env.js';
import { DiskError } from '../../base/errors.js';
import { silent } from '../../base/events.js';
import type { HealCounters } from '../status/heal-counters.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { TableStore } from '../../storage/table/table-store.js';
import { diskWith, formatWith, makeTable, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import { FaultMonitor } from './fault-monitor.js';
import { TestClock } from '../testing/world.js';

describe('the monitor of faults', () => {
  it('H1 H2 a flood of corrected blocks, and one that cannot be confirmed for now, hide none behind the cache', async () => {
    const table = makeTable(sampleEntries(4000), formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    const hinted = new Set<number>();
    let refusals = 1;
    const readDirect = disk.readDirect.bind(disk);
    disk.readDirect = (path, offset, length) => (refusals-- > 0 ? Promise.reject(new DiskError('IO', 'not now', { path })) : readDirect(path, offset, length));
    const monitor = new FaultMonitor({ clock: new TestClock(), disk, events: silent } as unknown as Env, {} as HealCounters, {
      confirmed: (_meta, _kind, offsets) => offsets?.forEach((offset) => hinted.add(offset)),
      known: (_meta, _kind, offset) => hinted.has(offset),
      wanted: () => undefined,
      verify: () => Promise.reject(new Error('nothing is beyond parity')),
      repaired: () => undefined,
    });
    const tables = new TableStore(disk, new BlockCache(1 << 24), monitor);
    monitor.start(tables);
    const reader = tables.reader(table.meta);
    const data = reader.regions().filter(({ kind }) => kind === 'data');
    assert.ok(data.length > 600, `${data.length} blocks`);
    for (const { offset } of data) disk.node('tables/1.sst')?.write(Uint8Array.of(0x5a, 0x5a, 0x5a), offset + 100);
    for (let round = 1, before = -1; hinted.size < data.length; round++) {
      assert.ok(hinted.size > before, `round ${round}: ${hinted.size} of ${data.length} are hinted`);
      before = hinted.size;
      for (let ordinal = 0; ordinal < data.length; ordinal++) reader.block(ordinal);
      await monitor.idle();
    }
  });
});
