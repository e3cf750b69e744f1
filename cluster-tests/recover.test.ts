import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { KINTSUGI_MAIN } from '../scripts/lib/binary.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { makeValue, scatteredKey } from '../scripts/lib/load/values.js';
import { Members } from '../scripts/lib/members.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { scan } from '../scripts/lib/verify.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const PATIENCE_MS = 60_000;
const KEYS = 1_500;

describe('members that lost what they have promised, as real processes', function () {
  this.timeout(180_000);
  const fixture = withCluster('recover', { extraArgs: SMALL });
  let members: Members;

  before(async function () {
    kintsugiOnly(this);
    members = new Members(fixture.cluster);
    await members.ready();
    const endpoints = fixture.cluster.nodes.map((node) => node.endpoint);
    const lane = async (start: number): Promise<void> => {
      for (let n = start; n < KEYS; n += 16) {
        const endpoint = endpoints[n % endpoints.length] ?? assert.fail();
        await putPatiently(endpoint, `recover/${n}`, makeValue(scatteredKey(1, n), n, 2_048));
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => lane(i)));
  });

  async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (Date.now() > end) assert.fail(`waited for ${what} in vain`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** What the process that ends by itself says to an operator: `try` what it names. */
  async function refused(node: ClusterNode, code: string): Promise<readonly string[]> {
    node.start();
    await until(`${node.name} to end with ${code}`, () => node.exitCode !== null);
    const tail = node.logTail(1);
    assert.match(tail, new RegExp(`^kintsugi: ${code}`, 'm'));
    const command = /kintsugi recover( --\S+( DIR)?)+/.exec(tail)?.[0] ?? assert.fail(tail);
    return command.replace(/,$/, '').split(' ').slice(1).map((word) => (word === 'DIR' ? node.spec.dataDir : word.replace(/,$/, '')));
  }

  function kintsugi(args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [KINTSUGI_MAIN, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  }

  /** The old one is gone for good, the new one votes, and every key can be read through it. */
  async function isBack(node: ClusterNode, old: bigint): Promise<void> {
    await until(`${node.name} to have its vote back`, async () => {
      assert.ok(node.running, node.logTail(40));
      const list = await members.list();
      const own = list.filter((member) => member.peerUrls.includes(node.spec.advertisedPeerUrl));
      return own.length === 1 && own[0]?.isLearner === false && own[0].id !== old && !list.some(({ id }) => id === old);
    });
    await node.waitReady(PATIENCE_MS);
    await until('what was set aside to go', () => !existsSync(join(node.spec.dataDir, 'recovering')));
    const found = await scan(node.endpoint, { prefix: 'recover/', serializable: false });
    assert.equal(found.size, KEYS);
    assert.equal((await members.list()).length, 3);
  }

  async function cured(code: string, damage: (node: ClusterNode) => Promise<void> | void): Promise<void> {
    const [node = assert.fail()] = await fixture.cluster.followers();
    const old = await members.idOf(node);
    await node.stop();
    await damage(node);
    const command = await refused(node, code);
    assert.match(kintsugi(command), /will be re-admitted as the new member/);
    node.start();
    await isBack(node, old);
  }

  it('R5 D1 the hard state is gone', () => cured('MISSING', ({ spec }) => unlinkSync(join(spec.dataDir, 'hardstate'))));

  it('R5 D1 the hard state is cut short', () => cured('UNREADABLE', ({ spec }) => truncateSync(join(spec.dataDir, 'hardstate'), 4_096)));

  it('R5 D1 the log is gone', () => cured('LOG_MISSING', ({ spec }) => rmSync(join(spec.dataDir, 'log'), { recursive: true })));

  it('R5 D1 the directory is empty', () => cured('EMPTIED', ({ spec }) => rmSync(spec.dataDir, { recursive: true })));

  it('R5 D1 the directory is an old copy', () => cured('ROLLED_BACK', async (node) => {
    const copy = `${node.spec.dataDir}.copy`;
    cpSync(node.spec.dataDir, copy, { recursive: true });
    node.start();
    await node.waitReady(PATIENCE_MS);
    // What it proposes carries the number of its start.
    await putPatiently(node.endpoint, 'after', Buffer.from('the copy'));
    await node.stop();
    rmSync(node.spec.dataDir, { recursive: true });
    cpSync(copy, node.spec.dataDir, { recursive: true });
    rmSync(copy, { recursive: true });
  }));

  it('R5 D1 killed at any moment of it, it goes on, and gets one new id', async () => {
    const [node = assert.fail()] = await fixture.cluster.followers();
    const old = await members.idOf(node);
    await node.stop();
    unlinkSync(join(node.spec.dataDir, 'hardstate'));
    kintsugi(await refused(node, 'MISSING'));
    const asked = readFileSync(join(node.spec.dataDir, 'recovering'));
    assert.match(kintsugi(['recover', '--data-dir', node.spec.dataDir]), /goes on/);
    assert.deepEqual(readFileSync(join(node.spec.dataDir, 'recovering')), asked);
    for (const afterMs of [300, 600, 900, 1_200, 1_500, 1_800, 2_400, 3_200]) {
      node.start();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await node.stop('SIGKILL');
    }
    node.start();
    await isBack(node, old);
  });

  it('R5 D1 with --auto-recover it comes back by itself', async () => {
    const [node = assert.fail()] = await fixture.cluster.followers();
    const old = await members.idOf(node);
    await node.stop();
    unlinkSync(join(node.spec.dataDir, 'hardstate'));
    process.env['KINTSUGI_AUTO_RECOVER'] = 'true';
    try {
      node.start();
    } finally {
      delete process.env['KINTSUGI_AUTO_RECOVER'];
    }
    await isBack(node, old);
  });
});
