import assert from 'node:assert/strict';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { silent } from '../../base/testing/silent.js';
import type { Env } from '../../base/env.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { hintOf, type ConfirmedFault } from '../hints/confirmed-fault.js';
import { HintStore } from '../hints/hint-store.js';
import { materializeHeal, type HealFiles } from './materialize-heal.js';
import { copyPath, type TableCopies, type TableCopy } from '../repair/table-copies.js';
import { makeTable, seeded, TestClock, TestNetwork, writeFile } from '../testing/world.js';

describe('materializing a heal', () => {
  const { produced, file } = makeTable(1);
  const removed: TableMeta = { ...produced, id: 1 };
  const added: TableMeta = { ...produced, id: 2 };

  async function parts(whileVerifying: (hints: HintStore) => void): Promise<HealFiles & { readonly disk: MemoryDisk }> {
    const disk = new MemoryDisk();
    await disk.mkdir('tables');
    await writeFile(disk, tablePath(1), file);
    const workers = { breathe: () => undefined };
    const env: Env = { clock: new TestClock(), random: seeded(1), disk, network: new TestNetwork().endpoint(1), workers, events: silent };
    const hints = new HintStore(env);
    const copies = {
      verify: () => {
        whileVerifying(hints);
        return Promise.resolve({ bytes: 0, faults: [], pristine: true, pastCache: true });
      },
      use: async (_meta: TableMeta, install: (copy: TableCopy) => Promise<unknown>) => {
        await writeFile(disk, copyPath(1), file);
        return install({ path: copyPath(1), how: 'rewrite' });
      },
    } as unknown as TableCopies;
    return { env, disk, hints, copies, tables: { replaced: () => undefined }, known: { isHere: () => false } };
  }

  it('H1 clean bytes are relinked: no sector is written', async () => {
    const made = await parts(() => undefined);
    assert.equal(await materializeHeal(made, removed, added), 'relink');
    assert.equal(made.disk.node(tablePath(2)), made.disk.node(tablePath(1)));
    assert.equal(await materializeHeal(made, removed, added), 'relink', 'again');
  });

  it('H1 a hint that opens while the bytes are being read counts: rewritten', async () => {
    const fault: ConfirmedFault = { kind: 'corrected', offsets: [0], confirmation: { by: 'second-read', pastCache: true } };
    const made = await parts((hints) => void hints.add(hintOf(removed, 1, fault), fault.confirmation));
    assert.equal(await materializeHeal(made, removed, added), 'rewrite');
    assert.notEqual(made.disk.node(tablePath(2)), made.disk.node(tablePath(1)));
    assert.ok(made.disk.node(tablePath(1)), 'H5 the old file stays');
  });

  it('H3 an edit that names other bytes is a broken invariant', async () => {
    const made = await parts(() => undefined);
    await assert.rejects(materializeHeal(made, removed, { ...added, fileDigest: '0'.repeat(32) }), /H3/);
  });
});
