import assert from 'node:assert/strict';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { putPatiently } from '../scripts/lib/documents.js';
import { Members } from '../scripts/lib/members.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { PeerProxies } from '../scripts/lib/proxy.js';
import { scan } from '../scripts/lib/verify.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const PATIENCE_MS = 60_000;
const KEYS = 20;

describe('a real process that runs with an older copy of its directory', function () {
  this.timeout(180_000);
  const proxies = new PeerProxies();
  const fixture = withCluster('rolled-back', { extraArgs: SMALL, proxies });
  let members: Members;

  before(async function () {
    kintsugiOnly(this);
    members = new Members(fixture.cluster);
    await members.ready();
  });

  async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (Date.now() > end) assert.fail(`waited for ${what} in vain`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Nobody could tell it at its start: it runs, and the leader counts on what is gone. */
  async function runs(autoRecover: boolean): Promise<ClusterNode> {
    const [node = assert.fail()] = await fixture.cluster.followers();
    const { dataDir } = node.spec;
    await node.stop();
    cpSync(dataDir, `${dataDir}.copy`, { recursive: true });
    node.start();
    await node.waitReady(PATIENCE_MS);
    for (let i = 0; i < KEYS; i++) await putPatiently(node.endpoint, `rolled-back/${i}`, Buffer.from(`${i}`));
    await node.stop();
    rmSync(dataDir, { recursive: true });
    cpSync(`${dataDir}.copy`, dataDir, { recursive: true });
    rmSync(`${dataDir}.copy`, { recursive: true });
    const at = fixture.cluster.nodes.indexOf(node);
    for (const other of fixture.cluster.nodes.keys()) {
      if (other === at) continue;
      proxies.cut(at, other, 'reset');
      proxies.cut(other, at, 'reset');
    }
    process.env['KINTSUGI_AUTO_RECOVER'] = String(autoRecover);
    try {
      node.start();
    } finally {
      delete process.env['KINTSUGI_AUTO_RECOVER'];
    }
    await node.waitReady(PATIENCE_MS, true);
    proxies.healAll();
    return node;
  }

  it('R5 D1 with --auto-recover it comes back by itself, in the same process and under a new id', async () => {
    const node = await runs(true);
    const { pid } = node;
    const old = await members.idOf(node);
    await until(`${node.name} to have its vote back`, async () => {
      assert.ok(node.running, node.logTail(40));
      const list = await members.list();
      const own = list.filter((member) => member.peerUrls.includes(node.spec.advertisedPeerUrl));
      return own.length === 1 && own[0]?.isLearner === false && own[0].id !== old && !list.some(({ id }) => id === old);
    });
    await node.waitReady(PATIENCE_MS);
    assert.equal(node.pid, pid);
    assert.match(node.logTail(10_000), /READMISSION.*ROLLED_BACK/);
    await until('what was set aside to go', () => !existsSync(join(node.spec.dataDir, 'recovering')));
    assert.equal((await scan(node.endpoint, { prefix: 'rolled-back/', serializable: false })).size, KEYS);
    assert.equal((await node.grpcStatus()).memberId, await members.idOf(node));
  });

  it('R5 D1 without it stops with ROLLED_BACK', async () => {
    const node = await runs(false);
    await until('it to end', () => node.exitCode !== null);
    assert.equal(node.exitCode, 1);
    assert.match(node.logTail(1), /^kintsugi: ROLLED_BACK.*the leader of term/m);
  });
});
