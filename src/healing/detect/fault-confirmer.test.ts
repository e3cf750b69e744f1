import assert from 'node:assert/strict';
import type { Env } from '../../base/env.js';
import { DiskError } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import type { ConfirmedFault } from '../hints/confirmed-fault.js';
import type { HintRecorder } from '../hints/hint-recorder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { RepairStore } from '../repair/repair-store.js';
import { Recent } from '../base/recent.js';
import type { HealCounters } from '../status/heal-counters.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { TableStore } from '../../storage/table/table-store.js';
import { diskWith, formatWith, makeTable, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import { FaultConfirmer } from './fault-confirmer.js';
import { FaultNotes } from './fault-notes.js';
import { TestClock } from '../testing/world.js';

describe('the confirmer of faults', () => {
  it('H1 H2 a flood of corrected blocks, and one that cannot be confirmed for now, hide none behind the cache', async () => {
    const table = makeTable(sampleEntries(4000), formatWith('rs(8,2)'));
    const disk = await diskWith(table);
    const hinted = new Set<number>();
    let refusals = 1;
    const readDirect = disk.readDirect.bind(disk);
    disk.readDirect = (path, offset, length) => (refusals-- > 0 ? Promise.reject(new DiskError('IO', 'not now', { path })) : readDirect(path, offset, length));
    const env = { clock: new TestClock(), disk, events: silent } as unknown as Env;
    const counters = {} as HealCounters;
    const hints = { covers: (_meta: unknown, _kind: unknown, offset: number) => hinted.has(offset) } as HintStore;
    const recorder = {
      record: (_meta: unknown, { offsets }: ConfirmedFault) => offsets?.forEach((offset) => hinted.add(offset)),
    } as HintRecorder;
    const repairs = { get: () => undefined } as unknown as RepairStore;
    const notes = new FaultNotes({ env, counters, hints, repairs, seen: new Recent(1), token: { cancelled: false } });
    const tables = new TableStore(disk, new BlockCache(1 << 24), notes);
    const copies = { verify: () => Promise.reject(new Error('nothing is beyond parity')) };
    new FaultConfirmer({ env, counters, notes, hints, recorder, tables, copies, repairer: { want: () => undefined } }).start();
    const reader = tables.reader(table.meta);
    const data = reader.regions().filter(({ kind }) => kind === 'data');
    assert.ok(data.length > 600, `${data.length} blocks`);
    for (const { offset } of data) disk.node('tables/1.sst')?.write(Uint8Array.of(0x5a, 0x5a, 0x5a), offset + 100);
    for (let round = 1, before = -1; hinted.size < data.length; round++) {
      assert.ok(hinted.size > before, `round ${round}: ${hinted.size} of ${data.length} are hinted`);
      before = hinted.size;
      for (let ordinal = 0; ordinal < data.length; ordinal++) reader.block(ordinal);
      await notes.idle();
    }
  });
});
