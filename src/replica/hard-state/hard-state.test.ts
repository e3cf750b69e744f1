import assert from 'node:assert/strict';
import { must } from '../../base/assert.js';
import { CrashDisk } from '../../base/disk/testing/crash-disk.js';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Random } from '../../base/env.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { codeOf, DiskError } from '../../base/errors.js';
import { HardStateStore } from './hard-state.js';
import { FILE_BYTES, SLOT_BYTES, slotOffset, type HardStateRecord } from './slots.js';

const INITIAL: Omit<HardStateRecord, 'sequence'> = {
  term: 0, vote: 0, clusterId: 0xfedc_ba98_7654_3210n, memberId: 0x1f_ffff_ffff_ffff, incarnation: 1,
  manifestGeneration: 0, manifestDigest: '00112233445566778899aabbccddeeff',
};
const hasCode = (code: string) => (error: unknown) => codeOf(error) === code;

async function created(): Promise<FaultDisk> {
  const disk = new FaultDisk(new MemoryDisk());
  const store = await HardStateStore.open(disk);
  assert.equal(store.current, undefined);
  await store.create(INITIAL);
  await store.update({ term: 3, vote: 2 });
  await store.close();
  return disk;
}

async function current(disk: FaultDisk | CrashDisk): Promise<HardStateRecord | undefined> {
  const store = await HardStateStore.open(disk);
  const record = store.current;
  await store.close();
  return record;
}

async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

interface Life {
  readonly disk: CrashDisk;
  readonly store: HardStateStore;
  readonly random: Random;
  /** What is durable, and what may be. */
  readonly terms: { promised: number; asked: number };
}

/**
 * Lives of six power losses for each seed, after so many changes of the disk, the least and the
 * most: each begins with a term that was promised, or one that was asked for later.
 */
async function losePower(seeds: number, [least, most]: readonly [number, number], each: (life: Life) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seededRandom(seed);
    const disk = new CrashDisk();
    const terms = { promised: 0, asked: 0 };
    for (let crash = 0; crash < 6; crash++) {
      disk.powerOffAfter(least + random.below(most - least + 1));
      try {
        const store = await HardStateStore.open(disk);
        if (store.current === undefined) {
          assert.equal(terms.promised, 0, `seed ${seed}`);
          terms.asked = Math.max(terms.asked, 1);
          await store.create({ ...INITIAL, term: 1 });
          terms.promised = 1;
        }
        const { term } = must(store.current, 'it is there');
        assert.ok(term >= terms.promised && term <= terms.asked, `seed ${seed}: ${terms.promised} <= ${term} <= ${terms.asked}`);
        terms.promised = term;
        for (;;) await each({ disk, store, random, terms });
      } catch (error) {
        if (codeOf(error) !== 'IO' && codeOf(error) !== 'WRITE_FAILED') throw new Error(`seed ${seed}`, { cause: error });
      }
      await settled();
      disk.crash(random);
    }
  }
}

describe('the hard state', () => {
  it('R2 is as it was left after a restart', async () => {
    const disk = await created();
    assert.deepEqual(await current(disk), { ...INITIAL, sequence: 2, term: 3, vote: 2 });
    const store = await HardStateStore.open(disk);
    await assert.rejects(store.create(INITIAL), hasCode('EXISTS'));
    await store.update({ incarnation: 2, manifestGeneration: 7, manifestDigest: 'f'.repeat(32) });
    await store.close();
    assert.deepEqual(await current(disk), {
      ...INITIAL, sequence: 3, term: 3, vote: 2, incarnation: 2, manifestGeneration: 7, manifestDigest: 'f'.repeat(32),
    });
  });

  it('R2 the term never goes back, a vote stands within its term, and a higher term begins without one', async () => {
    const store = await HardStateStore.open(await created());
    await assert.rejects(store.update({ term: 2 }), /R2/);
    await assert.rejects(store.update({ vote: 1 }), /R2/);
    await assert.rejects(store.update({ term: 3, vote: 0 }), /R2/);
    await store.update({ term: 3, vote: 2 });
    await store.update({ term: 4 });
    assert.equal(store.current?.vote, 0);
    await store.update({ vote: 1 });
    assert.deepEqual([store.current?.term, store.current?.vote], [4, 1]);
    await store.close();
  });

  it('updates that come together share writes, and each resolves when it is durable', async () => {
    const memory = new MemoryDisk();
    const disk = new FaultDisk(memory);
    const store = await HardStateStore.open(disk);
    await store.create(INITIAL);
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      await store.update({ term: i + 1, vote: 1 });
      assert.ok((store.current?.term ?? 0) > i);
    }));
    assert.equal((await current(disk))?.term, 50);
    await store.close();
  });

  it('R5 damage to any two slots is survived and mended, to any three refused', async () => {
    for (const bit of [0, 8 * 20 + 1, 8 * 30 + 7, 8 * 83]) {
      for (let mask = 0; mask < 16; mask++) {
        const disk = await created();
        const slots = [0, 1, 2, 3].filter((slot) => (mask >> slot) & 1);
        for (const slot of slots) await disk.flipBit('hardstate', slotOffset(slot) * 8 + bit);
        if (slots.length <= 2) {
          const record = await current(disk);
          assert.deepEqual({ ...record, sequence: 0 }, { ...INITIAL, sequence: 0, term: 3, vote: 2 });
          for (const slot of [0, 1, 2, 3].filter((other) => !slots.includes(other)).slice(0, 2)) await disk.zero('hardstate', slotOffset(slot), SLOT_BYTES);
          assert.equal((await current(disk))?.term, 3, 'the first open mended what was bad');
        } else {
          await assert.rejects(HardStateStore.open(disk), (error: Error) => hasCode('UNREADABLE')(error) && error.message.includes('kintsugi recover --data-dir'));
        }
      }
    }
  });

  it('R5 slots that cannot be read, swapped slots and a file cut short are damage', async () => {
    const unreadable = await created();
    for (const slot of [0, 2]) unreadable.inject({ kind: 'read-error', path: 'hardstate', from: slotOffset(slot), to: slotOffset(slot) + 1 });
    assert.equal((await current(unreadable))?.term, 3);
    const swapped = await created();
    const first = (await swapped.readDirect('hardstate', slotOffset(0), SLOT_BYTES)).bytes;
    for (const slot of [1, 2, 3]) await swapped.overwrite('hardstate', slotOffset(slot), first);
    await assert.rejects(current(swapped), hasCode('UNREADABLE'));
    const short = await created();
    await short.resize('hardstate', slotOffset(2));
    assert.equal((await current(short))?.term, 3);
    const empty = await created();
    await empty.resize('hardstate', 0);
    await assert.rejects(current(empty), hasCode('UNREADABLE'));
  });

  it('leaves no file open when what was bad cannot be mended, or when it is closed', async () => {
    const disk = await created();
    assert.equal(disk.openFiles, 0);
    await disk.flipBit('hardstate', slotOffset(1) * 8);
    disk.inject({ kind: 'sync-error', path: 'hardstate' });
    await assert.rejects(HardStateStore.open(disk), hasCode('WRITE_FAILED'));
    assert.equal(disk.openFiles, 0);
  });

  it('R5 a newer record in one slot is believed only if it can never have been promised', async () => {
    const disk = await created();
    const old = await Promise.all([0, 1, 2].map((slot) => disk.readDirect('hardstate', slotOffset(slot), SLOT_BYTES)));
    const store = await HardStateStore.open(disk);
    await store.update({ term: 9, vote: 1 });
    await store.close();
    // One slot new, three old: the write never finished. With two slots bad it may have.
    for (const slot of [0, 1, 2]) await disk.overwrite('hardstate', slotOffset(slot), (old[slot] as { bytes: Uint8Array }).bytes);
    const unfinished = await created();
    for (const slot of [0, 1, 2, 3]) await unfinished.overwrite('hardstate', slotOffset(slot), (await disk.readDirect('hardstate', slotOffset(slot), SLOT_BYTES)).bytes);
    assert.equal((await current(unfinished))?.term, 3);
    for (const slot of [0, 1]) await disk.flipBit('hardstate', slotOffset(slot) * 8);
    await assert.rejects(current(disk), hasCode('UNREADABLE'));
  });

  it('R2 an update whose write or sync failed promises nothing, and nor does any after it', async () => {
    for (const kind of ['sync-error', 'write-error'] as const) {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      const fault = disk.inject({ kind, path: 'hardstate' });
      await assert.rejects(store.update({ term: 4 }), hasCode('WRITE_FAILED'));
      fault.remove();
      await assert.rejects(store.update({ term: 5 }), hasCode('WRITE_FAILED'));
      assert.equal(store.current?.term, 3);
      await store.close();
      await disk.restart();
      assert.equal((await current(disk))?.term, 3);
    }
  });

  it('C1 R2 a disk without room, even for what is overwritten, ends nothing: what it refused is promised later, in a new file', async () => {
    for (const refused of ['no-space-in-place', 'no-space-sync'] as const) {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      const fault = disk.inject({ kind: refused, path: 'hardstate', ...(refused === 'no-space-sync' ? { times: 1 } : {}) });
      await assert.rejects(store.update({ term: 4, vote: 1 }), hasCode('NO_SPACE'));
      assert.deepEqual([store.current?.term, store.current?.vote], [3, 2]);
      fault.remove();
      const full = disk.inject({ kind: 'no-space', path: 'hardstate.tmp' });
      for (let i = 0; i < 3; i++) await assert.rejects(store.update({ term: 4, vote: 1 }), hasCode('NO_SPACE'));
      assert.equal(disk.sizeOf('hardstate.tmp'), undefined);
      full.remove();
      await store.update({ term: 4, vote: 1 });
      assert.deepEqual([store.current?.term, store.current?.vote], [4, 1]);
      // In place again.
      const again = disk.inject({ kind: 'no-space', path: 'hardstate.tmp' });
      await store.update({ term: 5 });
      again.remove();
      await store.close();
      assert.deepEqual(disk.retried, []);
      await disk.restart();
      assert.deepEqual([(await current(disk))?.term, disk.openFiles], [5, 0]);
    }
  });

  it('C1 R2 what a disk without room holds of an update may count after a crash, and nothing older does', async () => {
    // Of a write that so many slots took.
    for (let took = 0; took <= 4; took++) {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      const fault = disk.inject({ kind: 'no-space-in-place', path: 'hardstate', after: took });
      const update = store.update({ term: 4, vote: 1 });
      if (took >= 3) await update;
      else await assert.rejects(update, hasCode('NO_SPACE'));
      fault.remove();
      await store.close();
      await disk.restart();
      const found = await current(disk).catch((error: unknown) => error);
      assert.ok(found !== undefined && !(found instanceof Error), `${took}: ${String(found)}`);
      const { term, vote } = found as HardStateRecord;
      assert.ok((took < 3 && term === 3 && vote === 2) || (took >= 2 && term === 4 && vote === 1), `${took}: ${term} ${vote}`);
    }
  });

  for (const [step, what] of [['rename', 'a name'], ['syncDir', 'a directory']] as const) {
    it(`C1 R2 a disk without room for ${what} of the new file ends nothing either, in an update and in a scrub`, async () => {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      const own = disk[step].bind(disk) as () => Promise<void>;
      const refuse = (): void => void (disk[step] = () => Promise.reject(new DiskError('NO_SPACE', 'ENOSPC (injected)', { errno: 'ENOSPC' })));
      const copying = disk.inject({ kind: 'no-space-in-place', path: 'hardstate', times: 4 });
      await assert.rejects(store.update({ term: 4, vote: 1 }), hasCode('NO_SPACE'));
      copying.remove();
      refuse();
      for (let i = 0; i < 3; i++) await assert.rejects(store.update({ term: 4, vote: 1 }), hasCode('NO_SPACE'));
      assert.deepEqual([store.current?.term, store.current?.vote], [3, 2]);
      disk[step] = own;
      await store.update({ term: 4, vote: 1 });
      await disk.flipBit('hardstate', slotOffset(1) * 8 + 8 * 20);
      refuse();
      assert.match((await store.scrub()).why ?? '', /ENOSPC/);
      disk[step] = own;
      await store.update({ term: 5 });
      await store.close();
      await disk.restart();
      assert.deepEqual([(await current(disk))?.term, disk.openFiles], [5, 0]);
    });
  }

  it('C1 a first record, and what was bad, wait for room as well', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const store = await HardStateStore.open(disk);
    const full = disk.inject({ kind: 'no-space', path: 'hardstate.tmp' });
    await assert.rejects(store.create(INITIAL), hasCode('NO_SPACE'));
    full.remove();
    await store.create(INITIAL);
    await store.close();
    await disk.flipBit('hardstate', slotOffset(1) * 8);
    const copying = disk.inject({ kind: 'no-space-in-place', path: 'hardstate' });
    await assert.rejects(HardStateStore.open(disk), hasCode('NO_SPACE'));
    copying.remove();
    assert.equal((await current(disk))?.term, 0);
    assert.equal(disk.openFiles, 0);
  });

  it('R2 one slot that takes no writes is put up with, two are not', async () => {
    const disk = await created();
    const store = await HardStateStore.open(disk);
    disk.inject({ kind: 'write-error', path: 'hardstate', from: slotOffset(1), to: slotOffset(1) + 1 });
    await store.update({ term: 4 });
    disk.inject({ kind: 'write-error', path: 'hardstate', from: slotOffset(3), to: slotOffset(3) + 1 });
    await assert.rejects(store.update({ term: 5 }), hasCode('WRITE_FAILED'));
    await store.close();
  });

  it('R2 what was promised is there after any of 600 power losses', async () => {
    await losePower(100, [1, 24], async ({ store, terms }) => {
      const term = ++terms.asked;
      await store.update({ term, vote: 1 + (term % 3) });
      assert.equal(store.current?.vote, 1 + (term % 3));
      terms.promised = term;
    });
  });

  describe('that a running member looks at', () => {
    it('R5 is written anew from memory, however many of its copies are bad, and then outlives any two more', async () => {
      for (let mask = 0; mask < 16; mask++) {
        const disk = await created();
        const store = await HardStateStore.open(disk);
        const slots = [0, 1, 2, 3].filter((slot) => (mask >> slot) & 1);
        for (const slot of slots) await disk.flipBit('hardstate', slotOffset(slot) * 8 + 8 * 20 + 1);
        assert.deepEqual(await store.scrub(), { faulty: slots.length });
        assert.deepEqual(await store.scrub(), { faulty: 0 });
        for (const slot of [mask % 4, (mask + 1) % 4]) await disk.zero('hardstate', slotOffset(slot), SLOT_BYTES);
        const { term, vote } = must(await current(disk), 'a record');
        assert.deepEqual([term, vote], [3, 2]);
        await store.close();
        assert.equal(disk.openFiles, 0);
      }
    });

    it('R2 R5 a file that is gone, or an older one in its place, is made anew, and what is promised later is in it', async () => {
      for (const what of ['gone', 'older', 'empty'] as const) {
        const disk = await created();
        const older = (await disk.readDirect('hardstate', 0, FILE_BYTES)).bytes;
        const store = await HardStateStore.open(disk);
        await store.update({ term: 7, vote: 1 });
        await disk.unlink('hardstate');
        if (what !== 'gone') {
          const file = await disk.open('hardstate', 'create');
          if (what === 'older') file.writeSync(older, 0);
          file.close();
        }
        assert.deepEqual(await store.scrub(), { faulty: 4 }, what);
        assert.deepEqual([(await current(disk))?.term, (await current(disk))?.vote], [7, 1]);
        await store.update({ term: 8 });
        await store.close();
        assert.equal((await current(disk))?.term, 8);
      }
    });

    it('H1 a copy that is bad in one reading only is left as it is', async () => {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      disk.inject({ kind: 'misread', path: 'hardstate', from: slotOffset(1) + 20, times: 1 });
      assert.deepEqual(await store.scrub(), { faulty: 0 });
      assert.equal(store.current?.sequence, 2);
      await store.close();
    });

    it('R2 what cannot be made anew leaves all as it was; if it is not known which file has the name, nothing more is promised', async () => {
      const disk = await created();
      const store = await HardStateStore.open(disk);
      await disk.zero('hardstate', slotOffset(0), SLOT_BYTES);
      const full = disk.inject({ kind: 'no-space', path: 'hardstate.tmp' });
      assert.match((await store.scrub()).why ?? '', /ENOSPC/);
      await store.update({ term: 4 });
      await disk.zero('hardstate', slotOffset(0), SLOT_BYTES);
      full.remove();
      assert.deepEqual(await store.scrub(), { faulty: 1 });
      await disk.zero('hardstate', slotOffset(0), SLOT_BYTES);
      disk.inject({ kind: 'sync-dir-error', path: '' });
      await assert.rejects(store.scrub(), hasCode('WRITE_FAILED'));
      await assert.rejects(store.update({ term: 5 }), hasCode('WRITE_FAILED'));
      await store.close();
      assert.equal((await current(disk))?.term, 4);
      assert.equal(disk.openFiles, 0);
    });

    it('R2 what was promised while copies go bad and are made anew is there after any of 300 power losses', async () => {
      await losePower(50, [4, 63], async ({ store, terms, disk, random }) => {
        const file = await disk.open('hardstate', 'write');
        file.writeSync(new Uint8Array(8), slotOffset(random.below(4)));
        await file.sync();
        file.close();
        const scrubbed = store.scrub();
        const updates = Array.from({ length: random.below(4) }, async () => {
          const to = ++terms.asked;
          await store.update({ term: to, vote: 1 });
          terms.promised = Math.max(terms.promised, to);
        });
        const ends = await Promise.allSettled([scrubbed, ...updates]);
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      });
    });
  });
});
