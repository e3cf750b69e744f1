import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { contents, difference, kintsugiCommand } from '../scripts/lib/backup.js';
import { Members } from '../scripts/lib/members.js';
import { connect } from '../src/client/client.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

async function fill(url: string, from: number, to: number): Promise<void> {
  const client = connect({ endpoints: [url], timeoutMs: 20_000 });
  for (let at = from; at < to; at += 50) {
    await Promise.all(Array.from({ length: Math.min(50, to - at) }, (_, i) => client.put(`k/${at + i}`, `${at + i}-`.padEnd(400, 'v'))));
  }
  client.close();
}

describe('a cluster of real processes of which one directory is left', function () {
  this.timeout(180_000);
  const fixture = withCluster('lost-cluster', { extraArgs: SMALL });

  beforeEach(function () {
    kintsugiOnly(this);
  });

  it('D1 recover --force-new-cluster goes on with what is there, with the flags as always, and grows again to three', async () => {
    const { cluster } = fixture;
    const members = new Members(cluster);
    await members.ready();
    await fill(cluster.urls[0] as string, 0, 3000);
    const node = cluster.node(2);
    const before = await contents(node.spec.clientUrl);
    const { memberId } = await node.status();
    await cluster.stop('SIGKILL');
    for (const dead of [cluster.node(0), cluster.node(1)]) rmSync(dead.spec.dataDir, { recursive: true });
    cluster.nodes.splice(0, 2);

    const { dataDir, name, advertisedPeerUrl } = node.spec;
    const recover = (...flags: string[]): Promise<string> =>
      kintsugiCommand('recover', '--force-new-cluster', '--data-dir', dataDir, '--name', name, '--initial-advertise-peer-urls', advertisedPeerUrl, ...flags);
    const said = await recover('--dry-run');
    assert.match(said, /KEPT: all up to entry \d+ of term \d+: revision 3001/);
    assert.match(said, /NOT KNOWN: what the other members acknowledged/);
    assert.match(said, /nothing was changed/);
    await assert.rejects(recover(), /nothing was changed: say --yes/);
    const { made } = JSON.parse(await recover('--yes', '-w', 'json')) as { made: { memberId: string; aside: string; revision: number } };
    assert.equal(made.revision, before.revision);
    assert.ok(existsSync(`${made.aside}/hardstate`) && existsSync(`${made.aside}/tables`), 'what was there is set aside');
    assert.notEqual(made.memberId, memberId);

    // As its unit file has it: with the flags of the old cluster.
    node.start();
    await node.waitReady(60_000);
    const now = await contents(node.spec.clientUrl);
    assert.equal(now.revision, before.revision);
    assert.equal(difference(before.keys, now.keys), '');
    await fill(node.spec.clientUrl, 3000, 3100);

    await members.ready();
    assert.equal((await members.list()).length, 1);
    await members.add(false);
    await members.add(false);
    await fill(cluster.urls[1] as string, 3100, 3200);
    for (const url of cluster.urls) assert.equal((await contents(url)).revision, before.revision + 200);
    await assert.rejects(kintsugiCommand('recover', '--force-new-cluster', '--data-dir', dataDir, '--yes'), /in use/);

    await node.stop('SIGKILL');
    node.start();
    await node.waitReady(60_000);
    assert.equal((await contents(node.spec.clientUrl)).revision, before.revision + 200);
    assert.deepEqual((await members.list()).length, 3);
  });
});
