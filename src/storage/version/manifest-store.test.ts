import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { SmallDisk } from '../../base/disk/testing/small-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { digest128 } from '../../base/digest.js';
import { codeOf } from '../../base/errors.js';
import { runs } from '../../base/testing/runs.js';
import { Version } from './version.js';
import { encodeManifest } from './manifest-codec.js';
import { THIRD_COPY_AT, thirdCopyPath } from './manifest-files.js';
import { FRAME_BYTES, type ManifestName } from './manifest-record.js';
import { largeVersion } from './testing/large-version.js';
import { damage, damageAll, hex, Host, nextStep, steps, written } from './testing/manifest-host.js';
import { RecordingDisk } from './testing/recording-disk.js';

describe('ManifestStore', () => {
  it('gives back what was appended, over rotations, and keeps one generation', async () => {
    const host = new Host(new MemoryDisk());
    host.rotateBytes = 40_000;
    let store = await host.open();
    for (const [i, { ops, manifest }] of steps(25).entries()) {
      await store.append(ops, manifest);
      if (i % 7 === 6) {
        store.close();
        store = await host.open();
      }
      assert.equal(hex(store.manifest), hex(manifest));
    }
    assert(store.name.generation > 2, `rotated to ${store.name.generation}`);
    assert.deepEqual(await host.disk.list('manifest'), [String(store.name.generation), `${store.name.generation}.copy`]);
  });

  it('a sector that cannot be read costs one copy of a record, not the manifest', async () => {
    const { host: first, path: name } = await written(6);
    for (let at = 0; at < (first.disk.sizeOf(name) ?? 0); at += 4096) {
      const { host, path, history } = await written(6);
      const disk = new FaultDisk(host.disk);
      disk.inject({ kind: 'read-error', path, from: at + 512, to: at + 1024 });
      const store = await new Host(disk, host.name).open();
      assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), `sector at ${at + 512}`);
      store.close();
    }
  });

  it('S2 refuses to record a manifest that its ops do not lead to', async () => {
    const host = new Host(new MemoryDisk());
    const store = await host.open();
    const [first] = steps(1);
    assert(first !== undefined);
    await assert.rejects(store.append(first.ops, first.manifest.with({ nextTableId: 9 })), /S2/);
  });

  it('a crash between any two writes leaves the last durable version, or the one that was being written', () => crashAnywhere());

  it('so does a crash between any two writes of a snapshot in parts', () => crashAnywhere(300));

  async function crashAnywhere(recordBytes?: number): Promise<void> {
    const disk = new RecordingDisk();
    const host = new Host(disk);
    host.rotateBytes = 50_000;
    host.recordBytes = recordBytes;
    const store = await host.open();
    const history = steps(8, recordBytes === undefined ? 10 : 100_000);
    /** After how many changes each version was durable, and what hard state said at each change. */
    const names: { at: number; name: ManifestName }[] = [];
    const durable = [{ at: disk.changes.length, manifest: Version.empty() }];
    names.push({ at: 0, name: host.name as ManifestName });
    const first = durable[0]?.at as number;
    for (const { ops, manifest } of history) {
      const before = host.name;
      const start = disk.changes.length;
      await store.append(ops, manifest);
      // Hard state moves before the old file is removed, which is the last change of a rotation.
      if (host.name !== before) names.push({ at: disk.changes.length - 1, name: host.name as ManifestName });
      durable.push({ at: host.name === before ? disk.changes.length : disk.changes.length - 1, manifest });
      assert(disk.changes.length > start);
    }
    assert(names.length > 1, 'a rotation was crossed');
    for (let count = first; count <= disk.changes.length; count++) {
      for (const unsynced of ['all', 'none', 'half', 'begun'] as const) {
        const name = names.filter((n) => n.at <= count).at(-1)?.name as ManifestName;
        const reached = durable.filter((d) => d.at <= count).length - 1;
        const after = new Host(await disk.crashAfter(count, unsynced), name);
        const opened = await after.open();
        const allowed = [durable[reached], durable[reached + 1]].map((d) => d && hex(d.manifest));
        assert(allowed.includes(hex(opened.manifest)), `after ${count} changes, ${unsynced} unsynced writes`);
        // And it can go on from there.
        const next = history.findIndex((step) => hex(step.manifest) === hex(opened.manifest)) + 1;
        const step = history[next];
        if (step === undefined) continue;
        await opened.append(step.ops, step.manifest);
        opened.close();
        assert.equal(hex((await after.open()).manifest), hex(step.manifest));
      }
    }
  }

  it('D1 any one zeroed page and any flipped byte is made up for, and the file replaced', () => damagedAnywhere());

  it('D1 so it is in a snapshot in parts', () => damagedAnywhere(300));

  async function damagedAnywhere(recordBytes?: number): Promise<void> {
    const { host, path, history } = await written(6, recordBytes);
    const size = host.disk.sizeOf(path) as number;
    const last = hex(history.at(-1)?.manifest as Version);
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.nat(size - 1), fc.integer({ min: 1, max: 255 }), async (page, at, flip) => {
        const twin = await written(6, recordBytes);
        const { generation } = twin.host.name as ManifestName;
        await damage(twin.host.disk, path, (bytes) => {
          if (page) bytes.fill(0, at - (at % 4096), at - (at % 4096) + 4096);
          else bytes[at] = (bytes[at] as number) ^ flip;
        });
        const store = await twin.host.open();
        assert.equal(hex(store.manifest), last);
        // Zeroing the padding of a page changes nothing; anything else is noticed.
        if (!page) assert.equal(store.name.generation, generation + 1, 'a new generation');
        store.close();
        assert.equal(hex((await twin.host.open()).manifest), last);
      }),
      { numRuns: 60 },
    );
  }

  it('C1 D1 damage that is made up for on a full disk is mended once there is room, and keeps nobody from opening it', async () => {
    const disk = new SmallDisk();
    const host = new Host(disk);
    let store = await host.open();
    const history = steps(6);
    for (const { ops, manifest } of history) await store.append(ops, manifest);
    store.close();
    const last = history.at(-1)?.manifest as Version;
    await damage(disk, thirdCopyPath(store.path), (bytes) => bytes.fill(0));
    disk.fill();
    store = await host.open();
    assert.equal(hex(store.manifest), hex(last));
    const { generation } = store.name;
    const next = nextStep(last);
    await assert.rejects(store.append(next.ops, next.manifest), { code: 'NO_SPACE' });
    assert.equal(hex(store.manifest), hex(last));
    disk.capacity = Infinity;
    await store.append(next.ops, next.manifest);
    assert(store.name.generation > generation, 'in another file');
    store.close();
    store = await host.open();
    assert.equal(hex(store.manifest), hex(next.manifest));
    store.close();
  });

  it('S4 damage beyond all copies is an error, never silently an older manifest', async () => {
    const { host, path } = await written(4);
    const size = host.disk.sizeOf(path) as number;
    const pages = size / 4096;
    // Of each record but the last, all copies; of the last, the first copy and all of the second
    // but its frame.
    for (let page = 0; page + 2 < pages; page += 2) {
      const twin = await written(4);
      await damageAll(twin.host.disk, path, page * 4096, (page + 2) * 4096);
      await assert.rejects(twin.host.open(), (error) => codeOf(error) === 'MANIFEST_UNREADABLE', `pages ${page}, ${page + 1}`);
    }
    const twin = await written(4);
    await damageAll(twin.host.disk, path, size - 8192, size - 4096);
    await damage(twin.host.disk, path, (bytes) => bytes.fill(0xee, size - 8192, size - 4096).fill(0xee, size - 4096 + 64, size));
    await assert.rejects(twin.host.open(), (error) => codeOf(error) === 'MANIFEST_UNREADABLE');
  });

  it('S4 a bit in the frame of each copy of a record costs nothing, wherever it is, and is noticed', async () => {
    const { host, path, history } = await written(4);
    const size = host.disk.sizeOf(path) as number;
    for (let record = 0; record < size / 8192; record++) {
      for (let at = 0; at < FRAME_BYTES; at++) {
        const twin = await written(4);
        const [first, second] = [record * 8192 + at, record * 8192 + 4096 + ((at * 7) % FRAME_BYTES)];
        await damage(twin.host.disk, path, (bytes) => {
          for (const each of [first, second]) bytes[each] = (bytes[each] as number) ^ (1 << at % 8);
        });
        await damage(twin.host.disk, thirdCopyPath(path), (bytes) => {
          const third = THIRD_COPY_AT + record * 8192 + ((at * 5) % FRAME_BYTES);
          bytes[third] = (bytes[third] as number) ^ (1 << at % 8);
        });
        const store = await twin.host.open();
        assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), `bytes ${first} and ${second}`);
        assert.equal(store.name.generation, (host.name as ManifestName).generation + 1, 'a new generation');
        store.close();
      }
    }
  });

  it('S4 of the last record any damage to all copies that leaves a frame, header or mirror gives it or an error, never an older manifest', async () => {
    const { host, path, history } = await written(4);
    const size = host.disk.sizeOf(path) as number;
    const page = new Uint8Array(4096);
    const file = await host.disk.open(path, 'read');
    await file.read(page, size - 8192);
    file.close();
    // Padding says nothing.
    const used = page.findLastIndex((byte) => byte !== 0) + 1;
    const third = THIRD_COPY_AT + size - 8192;
    const stretches = [[0, 64], [0, 100], [0, 200], [64, used], [100, used], [0, used - 80], [140, used], [300, used]] as const;
    const read = { whole: 0, refused: 0 };
    for (const [from, to] of stretches) {
      for (const [otherFrom, otherTo] of stretches) {
        for (const fill of [0, 0xee]) {
          const twin = await written(4);
          const what = `${from} to ${to}, ${otherFrom} to ${otherTo}, ${fill}`;
          // As an earlier build left it, or as lost as the first copy.
          if (fill === 0) await twin.host.disk.unlink(thirdCopyPath(path));
          else await damage(twin.host.disk, thirdCopyPath(path), (bytes) => bytes.fill(fill, third + from, third + to));
          await damage(twin.host.disk, path, (bytes) => {
            bytes.fill(fill, size - 8192 + from, size - 8192 + to).fill(fill, size - 4096 + otherFrom, size - 4096 + otherTo);
          });
          try {
            const store = await twin.host.open();
            assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), what);
            read.whole++;
          } catch (error) {
            assert.equal(codeOf(error), 'MANIFEST_UNREADABLE', what);
            read.refused++;
          }
        }
      }
    }
    assert(read.whole > 20 && read.refused > 20, `${read.whole} read, ${read.refused} refused`);
  });

  it('a first copy that is all that was written, in part or whole, is no damage of a record that was durable', async () => {
    const { host, path, history } = await written(4);
    const size = host.disk.sizeOf(path) as number;
    for (const kept of [0, 40, 64, 512, 1024, 4096]) {
      const twin = await written(4);
      const file = await twin.host.disk.open(path, 'write');
      await file.truncate(size - 4096);
      const third = await twin.host.disk.open(thirdCopyPath(path), 'write');
      await third.truncate(THIRD_COPY_AT + size - 8192);
      third.close();
      if (kept < 4096) await file.write(new Uint8Array(4096 - kept), size - 8192 + kept);
      file.close();
      const store = await twin.host.open();
      const manifests = history.slice(-2).map(({ manifest }) => hex(manifest));
      assert(manifests.includes(hex(store.manifest)), `${kept} bytes of it`);
      assert.equal(store.name.generation, (host.name as ManifestName).generation + 1, 'a new generation');
      store.close();
    }
  });

  it('S4 parts that are lost, or of another snapshot, are an error', async () => {
    const { host, path } = await written(6, 120);
    const pages = (host.disk.sizeOf(path) as number) / 4096;
    assert(pages > 6, `${pages} pages`);
    for (let page = 0; page + 1 < pages; page += 2) {
      const twin = await written(6, 120);
      await damageAll(twin.host.disk, path, page * 4096, (page + 2) * 4096);
      await assert.rejects(twin.host.open(), (error) => codeOf(error) === 'MANIFEST_UNREADABLE', `pages ${page}, ${page + 1}`);
    }
    const twin = await written(6, 120);
    await damage(twin.host.disk, path, (bytes) => bytes.copyWithin(2 * 4096, 4 * 4096, 6 * 4096));
    const third = THIRD_COPY_AT + 2 * 4096;
    await damage(twin.host.disk, thirdCopyPath(path), (bytes) => bytes.copyWithin(third, third + 2 * 4096, third + 4 * 4096));
    await assert.rejects(twin.host.open(), (error) => codeOf(error) === 'MANIFEST_UNREADABLE');
  });

  it('C1 a version that no block could hold is written, appended to and read back, in slices', async () => {
    const version = largeVersion(620, 60 * 1024);
    const host = new Host(new MemoryDisk());
    let slices = 0;
    host.workers = { breathe: () => void slices++ };
    let store = await host.open();
    await store.replace(version);
    assert(slices > 1_000, `${slices} slices`);
    const { ops, manifest } = nextStep(version);
    await store.append(ops, manifest);
    store.close();
    store = await host.open();
    const digest = (of: Version): string => digest128(encodeManifest(of));
    assert.equal(digest(store.manifest), digest(manifest));
    assert.equal(store.name.generation, 2, 'nothing of it was damaged');
    store.close();
  }).timeout(120_000);

  it('S4 a manifest that is not the one that hard state names is refused', async () => {
    const { host } = await written(2);
    host.name = { generation: 1, digest: 'f'.repeat(32) };
    await assert.rejects(host.open(), /not the one that hard state names/);
    host.name = { generation: 9, digest: 'f'.repeat(32) };
    await assert.rejects(host.open(), (error) => codeOf(error) === 'MANIFEST_UNREADABLE');
  });

  it('writes a snapshot again only after a share of it was appended, however large it is, and after a start too', async () => {
    const host = new Host(new MemoryDisk());
    host.rotateBytes = 16 * 1024;
    let store = await host.open();
    const history = steps(runs(600, 1200), 100_000);
    let written = 0;
    let size = 0;
    let path = store.path;
    let generations = 0;
    for (const [i, { ops, manifest }] of history.entries()) {
      await store.append(ops, manifest);
      const now = host.disk.sizeOf(store.path) ?? 0;
      written += store.path === path ? now - size : now;
      if (store.path !== path) generations++;
      ({ path } = store);
      size = now;
      if (i % 100 !== 99) continue;
      store.close();
      store = await host.open();
      assert.equal(store.path, path, 'a start alone writes nothing');
    }
    assert.equal(hex(store.manifest), hex((history.at(-1) as (typeof history)[number]).manifest));
    assert.equal(store.manifest.list().length, history.length);
    const record = 2 * 4096;
    assert(generations > 3 && generations < 400, `${generations} generations`);
    assert(written < 6 * history.length * record, `${written} bytes for ${history.length} records`);
  });
});
