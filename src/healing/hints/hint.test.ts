import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { CodecError } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { decodeHintsRequest, encodeHintsRequest } from './hint-forwarder.js';
import type { Confirmation } from './confirmed-fault.js';
import type { HintEnd } from './hint-end.js';
import { decodeHintFile, encodeHintFile, HINTS_PATH } from './hint-file.js';
import { HintStore } from './hint-store.js';
import { HINT_OFFSETS_MAX, mergeHints, severity, type Hint } from './hint.js';
import { manifestOf, seeded, TestClock, TestNetwork } from '../testing/world.js';

const arbitraryHint: fc.Arbitrary<Hint> = fc.record({
  tableId: fc.nat(50),
  birth: fc.record({ term: fc.nat(), proposer: fc.maxSafeNat(), sequence: fc.maxSafeNat(), ordinal: fc.nat(9) }, { noNullPrototype: true }),
  fileDigest: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')),
  kind: fc.constantFrom('parity', 'corrected', 'unreadable', 'missing'),
  offsets: fc.option(fc.uniqueArray(fc.nat(1e6), { maxLength: 64 }).map((offsets) => offsets.sort((a, b) => a - b)), { nil: undefined }),
  node: fc.maxSafeNat(),
  pastCache: fc.boolean(),
}, { noNullPrototype: true });

function env(disk: Disk, clock = new TestClock()): Env {
  const network = new TestNetwork().endpoint(1);
  return { clock, random: seeded(1), disk, network, workers: { breathe: () => undefined }, events: silent };
}

async function load(disk: Disk, clock = new TestClock()): Promise<HintStore> {
  const store = new HintStore(env(disk, clock));
  await store.load(1);
  return store;
}

function hint(tableId: number, offsets: readonly number[] | undefined = [1], kind: Hint['kind'] = 'corrected'): Hint {
  const birth = { term: 1, proposer: 1, sequence: tableId, ordinal: 0 };
  return { tableId, birth, fileDigest: '00'.repeat(16), kind, offsets, node: 1, pastCache: true };
}

/**
 * What the tests are not about: every hint enters confirmed, and ends with the bytes of its table.
 */
const TWICE: Confirmation = { by: 'second-read', pastCache: true };
const GONE: HintEnd = { why: 'gone', durable: manifestOf([], 1000) };

describe('hints', () => {
  it('H2 hints read back from file and wire as they were written', () => {
    fc.assert(
      fc.property(fc.array(arbitraryHint, { maxLength: 20 }), (hints) => {
        assert.deepEqual(decodeHintFile(encodeHintFile(hints)), hints);
        assert.deepEqual(decodeHintsRequest(encodeHintsRequest(hints)), hints);
      }),
    );
  });

  it('H2 a hints file with any byte changed or cut off is refused', () => {
    fc.assert(
      fc.property(fc.array(arbitraryHint, { minLength: 1, maxLength: 5 }), fc.nat(), fc.constantFrom(1, 128), (hints, at, flip) => {
        const bytes = encodeHintFile(hints);
        const i = at % bytes.length;
        assert.throws(() => decodeHintFile(bytes.slice(0, i)), CodecError);
        bytes[i] = (bytes[i] ?? 0) ^ flip;
        assert.throws(() => decodeHintFile(bytes), CodecError);
      }),
    );
  });

  it('a request of arbitrary bytes is hints or a CodecError, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeHintsRequest(bytes);
        } catch (error) {
          assert.ok(error instanceof CodecError, String(error));
        }
      }),
    );
  });

  it('merging is idempotent, keeps the worst kind, and says "all" beyond 64 offsets', () => {
    fc.assert(
      fc.property(arbitraryHint, arbitraryHint, (a, b) => {
        const merged = mergeHints(a, b);
        assert.equal(severity(merged.kind), Math.max(severity(a.kind), severity(b.kind)));
        assert.equal(mergeHints(merged, b), merged);
        assert.equal(mergeHints(merged, a), merged);
        const both = new Set([...(a.offsets ?? []), ...(b.offsets ?? [])]);
        const all = a.offsets === undefined || b.offsets === undefined || both.size > HINT_OFFSETS_MAX;
        assert.deepEqual(merged.offsets, all ? undefined : [...both].sort((x, y) => x - y));
      }),
    );
  });

  it('H2 added, merged, moved and ended hints are what a restart finds', async () => {
    const disk = new MemoryDisk();
    const store = await load(disk);
    assert.equal(store.add(hint(1), TWICE), true);
    assert.equal(store.add(hint(1), TWICE), false, 'nothing new');
    assert.equal(store.add(hint(1, [2], 'unreadable'), TWICE), true);
    store.add(hint(2), TWICE);
    store.add(hint(3), TWICE);
    store.end(hint(2), GONE);
    store.move(hint(3), hint(7), TWICE);
    assert.equal(await store.durable(), true);
    const found = (await load(disk)).all();
    assert.deepEqual(found, [hint(1, [1, 2], 'unreadable'), hint(7)]);
  });

  it('H2 the last of many changes is durable however writes and changes interleave', async () => {
    const disk = new MemoryDisk();
    const store = await load(disk);
    for (let i = 1; i <= 50; i++) {
      store.add(hint(i), TWICE);
      if (i % 3 === 0) store.end(hint(i - 1), GONE);
      if (i % 7 === 0) await Promise.resolve();
      if (i % 11 === 0) await store.durable();
    }
    await store.durable();
    assert.deepEqual((await load(disk)).all(), store.all());
  });

  it('H2 a disk that refuses is told of by durable(), and the next change tries again', async () => {
    const disk = new MemoryDisk();
    const store = await load(disk);
    const { rename } = disk;
    disk.rename = () => Promise.reject(new CodecError('refused'));
    store.add(hint(1), TWICE);
    assert.equal(await store.durable(), false);
    assert.equal(disk.sizeOf(HINTS_PATH), undefined);
    disk.rename = rename;
    assert.equal(await store.durable(), true);
    assert.equal((await load(disk)).size, 1);
  });

  it('H2 after a failed sync the hints are saved in a new file, without waiting for another change', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const clock = new TestClock();
    const store = await load(disk, clock);
    disk.inject({ kind: 'sync-error', path: 'hints.tmp', times: 2 });
    store.add(hint(1), TWICE);
    assert.equal(await store.durable(), false);
    for (let i = 0; i < 100 && !store.saved; i++) {
      clock.advance(1000);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    assert.equal((await load(disk)).size, 1);
    assert.equal(disk.sizeOf('hints.tmp'), undefined);
  });

  it('H2 a store that stopped writes no more', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const clock = new TestClock();
    const store = await load(disk, clock);
    disk.inject({ kind: 'sync-error', path: 'hints.tmp', times: 1 });
    store.add(hint(1), TWICE);
    assert.equal(await store.durable(), false);
    store.stop();
    for (let i = 0; i < 100; i++) {
      clock.advance(1000);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    assert.equal(disk.sizeOf(HINTS_PATH), undefined);
  });

  it('H2 a damaged file is replaced when it is met', async () => {
    const disk = new MemoryDisk();
    const before = await load(disk);
    before.add(hint(1), TWICE);
    await before.durable();
    const file = disk.openSync(HINTS_PATH, 'write');
    file.writeSync(Uint8Array.of(0xff), 12);
    file.close();
    const store = await load(disk);
    assert.equal(store.size, 0);
    assert.equal(await store.durable(), true);
    assert.deepEqual(decodeHintFile((await disk.readDirect(HINTS_PATH, 0, 1000)).bytes), []);
  });

  it('H2 a file that no reading gets is replaced, with what was seen since', async () => {
    const disk = new FaultDisk(new MemoryDisk());
    const before = await load(disk);
    before.add(hint(1), TWICE);
    await before.durable();
    const bad = disk.inject({ kind: 'read-error', path: HINTS_PATH });
    const store = new HintStore(env(disk));
    store.add(hint(2), TWICE);
    await store.load(1);
    assert.equal(await store.durable(), true);
    bad.remove();
    assert.deepEqual((await load(disk)).all(), [hint(2)]);
  });

  it('H2 one bad reading of a good file loses no hint', async () => {
    for (const kind of ['misread', 'read-error'] as const) {
      const disk = new FaultDisk(new MemoryDisk());
      const before = await load(disk);
      before.add(hint(1), TWICE);
      await before.durable();
      disk.inject({ kind, path: HINTS_PATH, times: 1 });
      assert.equal((await load(disk)).size, 1, kind);
    }
  });
});
