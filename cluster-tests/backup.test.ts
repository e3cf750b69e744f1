import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { contents, difference, kintsugiCommand, restoreAll, saveBackup } from '../scripts/lib/backup.js';
import { which } from '../scripts/lib/binary.js';
import type { Cluster } from '../scripts/lib/cluster.js';
import { connect } from '../src/client/client.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const run = promisify(execFile);

async function fill(url: string, from: number, to: number): Promise<void> {
  const client = connect({ endpoints: [url], timeoutMs: 20_000 });
  for (let at = from; at < to; at += 50) {
    await Promise.all(Array.from({ length: Math.min(50, to - at) }, (_, i) => client.put(`k/${at + i}`, `${at + i}-`.padEnd(400, 'v'))));
  }
  client.close();
}

describe('backup and restore with real processes', function () {
  this.timeout(120_000);
  const fixture = withCluster('backup', { extraArgs: SMALL });
  let running: Cluster | undefined;

  beforeEach(function () {
    kintsugiOnly(this);
  });

  afterEach(async () => {
    await running?.stop('SIGKILL');
    running = undefined;
  });

  async function takeOver(old: Cluster, source: readonly string[], token: string, flags: readonly string[] = []): Promise<Cluster> {
    running = await restoreAll(old, source, token, flags);
    await running.start();
    return running;
  }

  it('D1 ctl snapshot save, wipe, restore: the same keys and revisions, through each member; then once more with a bump', async () => {
    const { cluster } = fixture;
    await fill(cluster.urls[0] as string, 0, 3000);
    const file = join(cluster.dir, 'backup.db');
    const saved = await saveBackup(cluster.node(1), file);
    const status = JSON.parse(await kintsugiCommand('snapshot', 'status', file, '-w', 'json')) as Record<string, number>;
    assert.deepEqual([status['revision'], status['totalKey'], status['totalSize']], [saved.revision, 3000, statSync(file).size]);
    assert.match(await kintsugiCommand('snapshot', 'verify', file), /sound, revision/);
    const before = await contents(cluster.urls[0] as string);
    await cluster.stop('SIGKILL');

    const copy = await takeOver(cluster, [file], 'restored-1');
    for (const url of copy.urls) {
      const now = await contents(url);
      assert.equal(now.revision, before.revision);
      assert.equal(difference(before.keys, now.keys), '');
    }
    await fill(copy.urls[2] as string, 3000, 3050);
    await copy.stop('SIGKILL');

    const bumped = await takeOver(copy, [file], 'restored-2', ['--bump-revision', '1000', '--mark-compacted']);
    const now = await contents(bumped.urls[1] as string);
    assert.equal(now.revision, before.revision + 1000);
    assert.equal(difference(before.keys, now.keys), '');
    await assert.rejects(contents(bumped.urls[0] as string, before.revision), /required revision has been compacted/);

    const folder = join(cluster.dir, 'folder');
    const saveIn = async (name: string): Promise<{ newTables: number; tables: number }> =>
      JSON.parse(await kintsugiCommand('ctl', '--endpoints', bumped.urls[0] as string, '-w', 'json', 'snapshot', 'save', '--dir', folder, '--name', name)) as
        { newTables: number; tables: number };
    const monday = await saveIn('monday');
    assert.equal(monday.newTables, monday.tables);
    await fill(bumped.urls[0] as string, 5000, 5010);
    const tuesday = await saveIn('tuesday');
    assert.ok(tuesday.newTables < tuesday.tables, `${tuesday.newTables} of ${tuesday.tables}`);
    assert.match(await kintsugiCommand('snapshot', 'verify', folder), /monday.backup: sound[^]*tuesday.backup: sound/);
    const last = await contents(bumped.urls[0] as string);
    await bumped.stop('SIGKILL');
    const third = await takeOver(bumped, [folder, '--backup', 'tuesday'], 'restored-3');
    assert.equal(difference(last.keys, (await contents(third.urls[0] as string)).keys), '');
    await assert.rejects(kintsugiCommand('restore', file, '--data-dir', third.node(0).spec.dataDir), /not empty/);

    for (const etcdctl of [which('etcdctl')]) {
      if (etcdctl === undefined) continue;
      const theirs = join(cluster.dir, 'etcdctl.db');
      const env = { ...process.env, ETCDCTL_API: '3' };
      await run(etcdctl, ['--endpoints', third.urls[0] as string, 'snapshot', 'save', theirs], { env, timeout: 60_000 });
      assert.match(await kintsugiCommand('snapshot', 'verify', theirs), /sound/);
      assert.equal(readdirSync(cluster.dir).some((name) => name.includes('.part')), false, 'nothing half is left');
    }
  });
});
