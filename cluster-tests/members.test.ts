import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { execPath } from 'node:process';
import { KINTSUGI_MAIN } from '../scripts/lib/binary.js';
import { Members, memberRound, peerUrlOf } from '../scripts/lib/members.js';
import { freePorts } from '../src/server/free-ports.js';
import { kintsugiOnly, withCluster } from './harness.js';

/** As for a failover: a test shares its cores, and must only tell an exchange from a hang. */
const GAP_MS = 4_000;
const CLIENTS = { writers: 16, readers: 2 };
const ETCDCTL = process.env['ETCDCTL34'] ?? 'etcdctl';

function hasEtcdctl(): boolean {
  if (existsSync(ETCDCTL)) return true;
  try {
    execFileSync(ETCDCTL, ['version'], { env: { ...process.env, ETCDCTL_API: '3' } });
    return true;
  } catch {
    return false;
  }
}

describe('members of a cluster of real processes', function () {
  this.timeout(180_000);
  const fixture = withCluster('members', { load: true });

  let members: Members;

  before(async function () {
    kintsugiOnly(this);
    members = new Members(fixture.cluster);
    await members.ready();
  });

  it('D1 a member that was killed is replaced under writers: nothing is lost, and the old one is told when it comes back', async () => {
    const { cluster, load } = fixture;
    const [dead = assert.fail()] = await cluster.followers();
    const alive = cluster.nodes.filter((node) => node !== dead);
    const round = await memberRound(cluster, load, { name: 'replace', ...CLIENTS, clients: alive }, async () => {
      const removed = await members.idOf(dead);
      await dead.stop('SIGKILL');
      members.forget(dead);
      await members.replace(removed, await members.add(true));
    });
    assert.equal(round.missing + round.wrong + round.readErrors, 0, round.firstFault);
    assert.ok(round.history.passed, round.history.summary);
    assert.ok(round.acknowledged > 100 && round.gapMs < GAP_MS, `${round.acknowledged} writes, the longest gap ${round.gapMs} ms`);
    dead.start();
    for (let i = 0; dead.exitCode === null && i < 200; i++) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(dead.exitCode, 1);
    assert.match(dead.logTail(), /REMOVED.*was removed from the cluster/s);
  });

  it('D1 the leader is removed under writers: it hands over, and ends by itself', async () => {
    const { cluster, load } = fixture;
    const leader = await cluster.leader();
    const stay = cluster.nodes.filter((node) => node !== leader);
    const round = await memberRound(cluster, load, { name: 'leader', ...CLIENTS, clients: stay }, () => members.remove(leader));
    assert.equal(round.missing + round.wrong + round.readErrors, 0, round.firstFault);
    assert.ok(round.history.passed, round.history.summary);
    assert.ok(round.gapMs < GAP_MS, `the longest gap was ${round.gapMs} ms`);
    assert.equal(cluster.nodes.length, 2);
  });

  it('a member restarts with the flags with which it joined, and is who it was', async () => {
    const node = await members.add(false);
    const id = await members.idOf(node);
    await node.stop();
    node.start();
    await node.waitReady(60_000);
    assert.equal(await members.idOf(node), id);
    assert.equal(BigInt((await node.status()).memberId), id);
  });

  it('ctl member replace that is killed after each of its steps goes on when it is run again', async () => {
    const { cluster } = fixture;
    const [old = assert.fail()] = await cluster.followers();
    const removed = await members.idOf(old);
    const endpoints = cluster.nodes.filter((node) => node !== old).map((node) => node.spec.clientUrl).join(',');
    const ports = await freePorts(3);
    /** Until it says so: then it is killed. Gives all that it said. */
    const replace = (until: RegExp): Promise<string> => new Promise((resolve) => {
      const process = spawn(execPath, [KINTSUGI_MAIN, 'ctl', '--endpoints', endpoints, 'member', 'replace', removed.toString(16), peerUrlOf(ports), '--name', 'r']);
      let said = '';
      const hear = (text: Buffer): void => {
        said += text.toString();
        if (until.test(said)) process.kill('SIGKILL');
      };
      process.stdout.on('data', hear);
      process.stderr.on('data', hear);
      process.on('close', () => resolve(said));
    });
    const learners = async (): Promise<number> => (await members.list()).filter(({ isLearner }) => isLearner).length;
    assert.match(await replace(/Added learner/), /Added learner/);
    assert.equal(await learners(), 1);
    const waiting = await replace(/waiting for member/);
    assert.match(waiting, /waiting for member/);
    assert.doesNotMatch(waiting, /Added learner/);
    assert.equal(await learners(), 1);
    await old.stop('SIGKILL');
    members.forget(old);
    const node = await members.started(ports);
    assert.match(await replace(/has taken the place/), /has taken the place of/);
    assert.match(await replace(/nothing is left to do/), /nothing is left to do/);
    await node.waitReady(60_000);
    const now = await members.list();
    assert.ok(now.every(({ id, isLearner }) => id !== removed && !isLearner));
    assert.equal(now.length, cluster.nodes.length);
  });

  it("etcdctl 3.4's member commands do what they say", async function () {
    if (!hasEtcdctl()) this.skip();
    const { cluster } = fixture;
    const endpoints = cluster.urls.map((url) => url.replace('http://', '')).join(',');
    const run = (...args: string[]): string =>
      execFileSync(ETCDCTL, ['--endpoints', endpoints, ...args], { env: { ...process.env, ETCDCTL_API: '3' }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const added = run('member', 'add', 'new', '--peer-urls=http://127.0.0.1:1', '--learner');
    const id = /Member +([0-9a-f]+) added to cluster/.exec(added)?.[1] ?? assert.fail(added);
    assert.match(added, /ETCD_INITIAL_CLUSTER_STATE="existing"/);
    assert.match(run('member', 'list'), new RegExp(`${id}, unstarted, , http://127.0.0.1:1, , true`));
    assert.throws(() => run('member', 'promote', id), /can only promote a learner member which is in sync with leader/);
    assert.match(run('member', 'update', id, '--peer-urls=http://127.0.0.1:2'), /updated in cluster/);
    assert.match(run('member', 'remove', id), /removed from cluster/);
    assert.throws(() => run('member', 'remove', id), /member not found/);
    assert.equal(run('member', 'list').trim().split('\n').length, cluster.nodes.length);
  });
});
