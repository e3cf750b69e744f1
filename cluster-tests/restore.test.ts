/**
 * R1 A restored cluster is another one than that which the backup was taken of, although its
 * members are started with the same flags at the same addresses: as etcd's scripts do it.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { contents, difference, kintsugiCommand, saveBackup } from '../scripts/lib/backup.js';
import { KINTSUGI_MAIN } from '../scripts/lib/binary.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { Members } from '../scripts/lib/members.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const PATIENCE_MS = 60_000;
/** Several elections. */
const LONG_MS = 5_000;

describe('a cluster restored with the flags of the old one, as real processes', function () {
  this.timeout(180_000);
  const fixture = withCluster('restore', { extraArgs: SMALL });
  let members: Members;
  let nodes: readonly [ClusterNode, ClusterNode, ClusterNode];
  /** How long each log was when all were stopped. */
  const said = new Map<ClusterNode, number>();
  const fileOf = (name: string): string => join(fixture.cluster.dir, `${name}.db`);

  before(async function () {
    kintsugiOnly(this);
    const [a = assert.fail(), b = assert.fail(), c = assert.fail()] = fixture.cluster.nodes;
    nodes = [a, b, c];
    members = new Members(fixture.cluster);
    await members.ready();
    await fill(a, 'monday', 200);
    await saveBackup(a, fileOf('monday'));
    await fill(a, 'tuesday', 50);
    await saveBackup(a, fileOf('tuesday'));
    await fill(a, 'lost', 50);
  });

  async function fill(node: ClusterNode, prefix: string, count: number): Promise<void> {
    for (let i = 0; i < count; i += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, j) => putPatiently(node.endpoint, `${prefix}/${i + j}`, Buffer.from(`${prefix} ${i + j}`))));
    }
  }

  /** The token is the one that the old cluster was started with. */
  async function restore({ spec }: ClusterNode, name: string, ...flags: readonly string[]): Promise<string> {
    rmSync(spec.dataDir, { recursive: true, force: true });
    return kintsugiCommand('restore', fileOf(name), '--name', spec.name, '--data-dir', spec.dataDir, '--initial-cluster', spec.initialCluster,
      '--initial-cluster-token', spec.token, ...flags);
  }

  async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (Date.now() > end) assert.fail(`waited for ${what} in vain`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async function start(...started: readonly ClusterNode[]): Promise<void> {
    for (const node of started) node.start();
    for (const node of started) await node.waitReady(PATIENCE_MS);
  }

  async function stopAll(): Promise<void> {
    for (const node of fixture.cluster.nodes) {
      await node.stop('SIGKILL');
      said.set(node, node.logTail(Infinity).length);
    }
  }

  /** Since the test began. */
  const saysHow = (node: ClusterNode): boolean =>
    /cluster id mismatch.*must be made of the same one.*kintsugi restore/.test(node.logTail(Infinity).slice(said.get(node)));

  async function neverServes(node: ClusterNode): Promise<void> {
    await assert.rejects(node.waitReady(LONG_MS));
  }

  function kintsugi(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [KINTSUGI_MAIN, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  }

  it('R1 an old member that comes back with a longer log is told that it is of another cluster, and takes no part', async () => {
    const [a, b, c] = nodes;
    const old = (await a.status()).clusterId;
    await stopAll();
    for (const node of [a, b]) assert.match(await restore(node, 'monday'), /of the new cluster/);
    await start(a, b);
    const { clusterId } = await a.status();
    assert.notEqual(clusterId, old);
    await fill(b, 'new', 20);
    c.start();
    await until('the old member to be refused', () => saysHow(c) && saysHow(a));
    await neverServes(c);
    await fill(a, 'newer', 20);
    const now = await contents(a.spec.clientUrl);
    assert.equal(difference(now.keys, (await contents(b.spec.clientUrl)).keys), '');
    assert.equal(now.keys.length, 240, 'nothing of the old log');

    await c.stop();
    await restore(c, 'monday');
    await start(c);
    assert.equal(difference(now.keys, (await contents(c.spec.clientUrl)).keys), '');
    assert.equal((await c.status()).clusterId, clusterId);
  });

  it('R5 an emptied member of it is known, and comes back as a new one, with the same flags', async () => {
    const [a, , c] = nodes;
    const before = await contents(a.spec.clientUrl);
    const again = async (): Promise<void> => {
      c.start();
      await until('the emptied member to be back', async () => {
        assert.ok(c.running, c.logTail(40));
        const own = (await members.list()).filter(({ peerUrls }) => peerUrls.includes(c.spec.advertisedPeerUrl));
        return own.length === 1 && own[0]?.isLearner === false && !existsSync(join(c.spec.dataDir, 'recovering'));
      });
      await c.waitReady(PATIENCE_MS);
      assert.equal(difference(before.keys, (await contents(c.spec.clientUrl)).keys), '');
    };
    const { spec } = c;
    const emptied = async (): Promise<void> => {
      await c.stop();
      rmSync(spec.dataDir, { recursive: true });
    };

    await emptied();
    c.start();
    await until('it to end', () => c.exitCode !== null);
    assert.match(c.logTail(1), /^kintsugi: EMPTIED/m);
    kintsugi('recover', '--data-dir', spec.dataDir, '--emptied');
    await again();

    // No start was tried: its flags alone say who it was, and cannot say that this was restored.
    await emptied();
    mkdirSync(spec.dataDir);
    kintsugi('recover', '--data-dir', spec.dataDir, '--emptied', '--name', spec.name, '--initial-cluster', spec.initialCluster,
      '--initial-cluster-token', spec.token, '--initial-advertise-peer-urls', spec.advertisedPeerUrl);
    await again();
  });

  it('R1 members of different backups, or restored with different flags, refuse each other and name the remedy', async () => {
    const [a, b] = nodes;
    for (const [name, flags] of [['tuesday', []], ['monday', ['--bump-revision', '1000', '--mark-compacted']]] as const) {
      await stopAll();
      await restore(a, 'monday');
      await restore(b, name, ...flags);
      a.start();
      b.start();
      await until('both to be refused', () => saysHow(a) && saysHow(b));
      await Promise.all([neverServes(a), neverServes(b)]);
      await b.stop();
      await restore(b, 'monday');
      await start(b);
      await a.waitReady(PATIENCE_MS);
      assert.equal(difference((await contents(a.spec.clientUrl)).keys, (await contents(b.spec.clientUrl)).keys), '');
    }
  });
});
