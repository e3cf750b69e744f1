import { strict as assert } from 'node:assert';
import { FaultDisk } from '../../base/disk/testing/fault-disk.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { codeOf } from '../../base/errors.js';
import type { Version } from './version.js';
import { THIRD_COPY_AT, thirdCopyPath } from './manifest-files.js';
import type { ManifestName } from './manifest-record.js';
import { damage, hex, Host, steps, written } from './testing/manifest-host.js';

describe('the third copies of a manifest', () => {
  it('S4 what is left of the third copy of the last record, and nothing of the others, gives it or an error', async () => {
    const { path, history, host } = await written(4);
    const size = host.disk.sizeOf(path) as number;
    const third = THIRD_COPY_AT + size - 8192;
    const read = { whole: 0, refused: 0 };
    for (const [from, to] of [[0, 0], [0, 64], [0, 100], [64, 4096], [100, 4096], [0, 200], [300, 4096]] as const) {
      const twin = await written(4);
      await damage(twin.host.disk, path, (bytes) => bytes.fill(0, size - 8192));
      await damage(twin.host.disk, thirdCopyPath(path), (bytes) => bytes.fill(0xee, third + from, third + to));
      try {
        const store = await twin.host.open();
        assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), `${from} to ${to}`);
        read.whole++;
      } catch (error) {
        assert.equal(codeOf(error), 'MANIFEST_UNREADABLE', `${from} to ${to}`);
        read.refused++;
      }
    }
    assert(read.whole > 1 && read.refused > 1, `${read.whole} read, ${read.refused} refused`);
  });

  it('D1 every third stripe of both files may go, of 4 KiB to 1 MiB', async () => {
    for (let stripe = 4096; stripe <= 1024 * 1024; stripe *= 2) {
      for (const turn of [0, 1, 2]) {
        const { host, path, history } = await written(6);
        for (const each of [path, thirdCopyPath(path)]) {
          await damage(host.disk, each, (bytes) => {
            for (let at = turn * stripe; at < bytes.length; at += 3 * stripe) bytes.fill(0xee, at, at + stripe);
          });
        }
        const store = await host.open();
        assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), `stripe ${stripe}, turn ${turn}`);
        store.close();
      }
    }
  });

  it('D1 either file may be missing, empty or not to be opened, and another generation takes their place', async () => {
    for (const suffix of ['', '.copy']) {
      for (const how of ['missing', 'empty', 'locked'] as const) {
        const { host, path, history } = await written(4);
        const disk = new FaultDisk(host.disk);
        if (how === 'missing') await disk.unlink(path + suffix);
        if (how === 'empty') (await disk.open(path + suffix, 'create')).close();
        if (how === 'locked') disk.inject({ kind: 'read-error', path: path + suffix, from: 0, to: Infinity });
        const twin = new Host(disk, host.name);
        const store = await twin.open();
        const what = `${path}${suffix} ${how}`;
        assert.equal(hex(store.manifest), hex(history.at(-1)?.manifest as Version), what);
        assert.equal(store.name.generation, (host.name as ManifestName).generation + 1, what);
        store.close();
        assert.deepEqual(await disk.list('manifest'), [String(store.name.generation), `${store.name.generation}.copy`], what);
      }
    }
  });

  it('S4 third copies of an earlier time make no older manifest, and are replaced', async () => {
    const host = new Host(new MemoryDisk());
    const store = await host.open();
    const history = steps(6);
    let old = new Uint8Array();
    for (const [i, { ops, manifest }] of history.entries()) {
      if (i === 3) await damage(host.disk, thirdCopyPath(store.path), (bytes) => (old = bytes.slice()));
      await store.append(ops, manifest);
    }
    store.close();
    const { path } = store;
    const { generation } = host.name as ManifestName;
    const file = await host.disk.open(thirdCopyPath(path), 'create');
    await file.write(old, 0);
    file.close();
    const twin = new Host(host.disk, host.name);
    const again = await twin.open();
    assert.equal(hex(again.manifest), hex(history.at(-1)?.manifest as Version));
    assert.equal(again.name.generation, generation + 1);
    again.close();
  });
});
