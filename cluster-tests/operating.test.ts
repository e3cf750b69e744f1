/**
 * The cures of OPERATING.md, carried out as an operator does it, on real processes: each error is
 * met, and what the table says is done. What other tests cure is named in {@link CURED_BY}, and the
 * table is held against that list: a new row needs a test.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kintsugi, KINTSUGI_MAIN, ROOT } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { putPatiently } from '../scripts/lib/documents.js';
import type { ClusterNode, NodeSpec } from '../scripts/lib/node.js';
import { flipBit } from '../scripts/lib/tables.js';
import { scan } from '../scripts/lib/verify.js';
import { mustFind } from '../scripts/lib/versus/files.js';
import { NEWEST_VERSION } from '../src/replica/base/protocol.js';
import { freePorts } from '../src/server/free-ports.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';
import { ends, other, refuses, says } from './refusals.js';

const run = promisify(execFile);

const HERE = 'cluster-tests/operating.test.ts';
const LOST = 'cluster-tests/operating-lost.test.ts';
const TLS = 'cluster-tests/operating-tls.test.ts';
const DISK = 'cluster-tests/operating-disk.test.ts';
const ROT = 'cluster-tests/operating-rot.test.ts';
const VERSIONS = 'cluster-tests/operating-versions.test.ts';

/**
 * For each thing that a row of the table names, by turns: a file, and words of the title of a test
 * in it that carries out a cure of the row. All are tests of real processes.
 */
const CURED_BY: Readonly<Record<string, readonly string[]>> = {
  LOCKED: [HERE, 'LOCKED'],
  'cannot listen on': [HERE, 'cannot listen on'],
  TLS_FILE: [TLS, 'TLS_FILE by giving'],
  'files of TLS are not used': [TLS, 'files of TLS are not used, by'],
  'no TLS with a peer comes about': [TLS, 'no TLS with a peer comes about, and'],
  'a connection was refused by TLS': [TLS, 'a connection was refused by TLS, by'],
  WRONG_IDENTITY: [HERE, 'WRONG_IDENTITY'],
  'the version here is lost': ['cluster-tests/catch-up.test.ts', 'a follower whose manifest is gone takes that of a peer'],
  MANIFEST_UNREADABLE: [HERE, 'MANIFEST_UNREADABLE'],
  'BROKEN: the log starts at': [HERE, 'MANIFEST_UNREADABLE'],
  'UNREADABLE: hardstate': ['cluster-tests/recover.test.ts', 'the hard state is cut short'],
  'MISSING: hardstate': ['cluster-tests/recover.test.ts', 'the hard state is gone'],
  'copies of the hard state were damaged': [ROT, 'copies of the hard state were damaged, by a scrub'],
  'copies of the hard state are damaged': [DISK, 'copies of the hard state are damaged, by making room'],
  LOG_MISSING: ['cluster-tests/recover.test.ts', 'the log is gone'],
  EMPTIED: ['cluster-tests/recover.test.ts', 'the directory is empty'],
  ROLLED_BACK: ['cluster-tests/recover.test.ts', 'the directory is an old copy'],
  INTENT_UNREADABLE: [ROT, 'INTENT_UNREADABLE by recover once more'],
  'log entries are damaged': ['cluster-tests/versus.test.ts', 'log-bit-3'],
  'a damaged log entry is waited for': ['cluster-tests/versus.test.ts', 'log-zero-1-lag'],
  'a log entry cannot be read any more': [ROT, 'a log entry cannot be read any more, which'],
  'this member is new': [HERE, 'this member is new'],
  RESTORE_UNFINISHED: [HERE, 'RESTORE_UNFINISHED'],
  REMOVED: [HERE, 'REMOVED'],
  NOT_ADDED: [HERE, 'NOT_ADDED'],
  NO_MEMBER_ANSWERS: [HERE, 'NO_MEMBER_ANSWERS'],
  JOINED_UNREADABLE: [HERE, 'JOINED_UNREADABLE'],
  JOINED_MISSING: [HERE, 'JOINED_MISSING'],
  TAKEOVER_UNFINISHED: [LOST, 'TAKEOVER_UNFINISHED'],
  'copies of the file joined': [ROT, 'copies of the file joined, which it then has, by a scrub'],
  'the file joined was lost': [HERE, 'the file joined was lost'],
  'what the others have promised could not be written down': [DISK, 'could not be written down, and'],
  CLUSTER_NEWER: [VERSIONS, 'CLUSTER_NEWER, by'],
  'an entry waits for a newer program': [VERSIONS, 'an entry waits for a newer program, by'],
  'there is no room on the disk': [DISK, 'there is no room on the disk, what', DISK, 'there is no room on the disk for that'],
  ENTRY_FAULTY: [LOST, 'ENTRY_FAULTY and TAKEOVER_UNFINISHED', HERE, 'MANIFEST_UNREADABLE and ENTRY_FAULTY', ROT, 'ENTRY_FAULTY of a member that lost more'],
  'committed entry N': [ROT, 'committed entry N that is not'],
  'the log takes no entries': [DISK, 'the log takes no entries, which', ROT, 'by ctl member replace'],
  'the disk here is slow': [DISK, 'the disk here is slow, and another leads', ROT, 'by ctl member replace'],
  'its own disk has been writing for': [DISK, 'its own disk has been writing for too long, and another leads'],
  'the log cannot be written to where it ends': [DISK, 'the log cannot be written to where it ends, by itself'],
  WRITE_FAILED: [DISK, 'WRITE_FAILED of hard state, and'],
  SYNC_FAILED: [DISK, 'SYNC_FAILED of the log while it is opened, by'],
};

/** Their cure is to start again once, to keep the member stopped, or to report. */
const NOTHING_TO_DO = ['invariant broken:'];
/** What a row names beside the error itself: events and fields. */
const BESIDE = ['errors', '/status', 'apply waits for a repair', 'disk-failed', 'leader-lost', 'the log goes on in a fresh segment'];

/** What the first column of the table of errors names. */
function namedInTable(): string[] {
  const text = readFileSync(join(ROOT, 'OPERATING.md'), 'utf8');
  const section = /\n## Errors and what to do\n[^]*?\n\| it says .*\n\|---.*\n((?:\|.*\n)+)/.exec(text)?.[1] ?? '';
  const first = section.split('\n').map((row) => row.split('|')[1] ?? '');
  return first.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string)).filter((name) => !BESIDE.includes(name));
}

async function ctl(cluster: Cluster, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [KINTSUGI_MAIN, 'ctl', '--endpoints', cluster.urls.join(','), ...args]);
  return stdout;
}

describe('the table of errors in OPERATING.md', () => {
  it('names a test for each cure', () => {
    const named = namedInTable();
    assert.ok(named.length >= 25, `${named.length} are named`);
    for (const name of named) {
      const key = Object.keys(CURED_BY).find((start) => name.startsWith(start));
      if (key === undefined && NOTHING_TO_DO.some((start) => name.startsWith(start))) continue;
      assert.ok(key !== undefined, `no test cures ${name}`);
      const cures = CURED_BY[key] as readonly string[];
      assert.ok(cures.length >= 2 && cures.length % 2 === 0, key);
      for (let i = 0; i < cures.length; i += 2) {
        const [file, words] = cures.slice(i, i + 2) as [string, string];
        assert.match(file, /^cluster-tests\/[a-z-]+\.test\.ts$/, `${key} is cured by no real process`);
        assert.ok(readFileSync(join(ROOT, file), 'utf8').includes(words), `${file} has no test that says: ${words}`);
      }
    }
    for (const key of Object.keys(CURED_BY)) assert.ok(named.some((name) => name.startsWith(key)), `OPERATING.md does not name ${key}`);
  });

  it('leaves nothing of it for later', () => {
    const text = readFileSync(join(ROOT, 'OPERATING.md'), 'utf8');
    const later = text.split('\n').filter((line) => /\*\*not there yet|: not there yet|no .* yet\b/i.test(line));
    assert.deepEqual(later.filter((line) => !/Watch, Lease, Auth/.test(line)), []);
  });
});

describe('an operator cures', function () {
  this.timeout(90_000);
  const fixture = withCluster('operating', { extraArgs: SMALL });
  let node: ClusterNode;
  /** Of a member that comes later: of client, peers, metrics, and one where nobody listens. */
  let urls: string[];
  let late: Partial<NodeSpec>;
  let member: ClusterNode;
  /** It asks for thirty election time-outs, and does so while the other tests run. */
  let lonely: ClusterNode;

  before(async function () {
    kintsugiOnly(this);
    urls = (await freePorts(4)).map((port) => `http://127.0.0.1:${port}`);
    const [clientUrl, peerUrl, metricsUrl, nobody] = urls as [string, string, string, string];
    const { dir } = fixture.cluster;
    const files = { dataDir: join(dir, 'late'), logFile: join(dir, 'late.log') };
    late = { ...files, name: 'late', existing: true, clientUrl, peerUrl, advertisedPeerUrl: peerUrl, metricsUrl };
    const extraArgs = ['--election-timeout=200ms', '--heartbeat-interval=20ms'];
    lonely = other(fixture.cluster.node(0), { ...late, initialCluster: `late=${peerUrl},n1=${nobody}`, extraArgs });
    lonely.start();
    await putPatiently(fixture.cluster.node(0).endpoint, 'k', Buffer.from('v'));
    [node] = (await fixture.cluster.followers()) as [ClusterNode];
  });

  async function idOf(): Promise<string> {
    const line = (await ctl(fixture.cluster, 'member', 'list')).split('\n').find((text) => text.includes(urls[1] as string));
    return line?.split(',')[0] ?? '';
  }

  /** `alone`: with flags by which it reaches nobody. */
  async function losesJoined(alone: ClusterNode): Promise<void> {
    const { dataDir } = member.spec;
    const [joined, copy] = [join(dataDir, 'joined'), join(dataDir, 'joined.copy')];
    const bytes = readFileSync(joined);
    const isBack = async (): Promise<void> => {
      member.start();
      await member.waitReady(30_000, true);
      assert.deepEqual(readFileSync(copy), readFileSync(joined));
      await member.stop();
    };
    await member.stop();
    const id = await idOf();
    // Either copy serves, and the other is made anew.
    for (const path of [joined, copy]) {
      truncateSync(path, 3);
      await isBack();
      assert.deepEqual(readFileSync(path), bytes);
    }
    // Without both it asks the others who it is.
    for (const path of [joined, copy]) rmSync(path);
    await isBack();
    assert.match(member.logTail(200), /the file joined was lost: it is written anew/);
    assert.equal(await idOf(), id);
    // Where nobody can be asked, the file is put back, or the command that is shown is run.
    const kept = readFileSync(joined);
    for (const path of [joined, copy]) rmSync(path);
    await refuses(alone, /JOINED_MISSING.*kintsugi recover --data-dir DIR/);
    writeFileSync(joined, kept);
    await isBack();
    assert.equal(await idOf(), id);
    const ids = new Set([id]);
    for (const code of ['JOINED_MISSING', 'JOINED_UNREADABLE']) {
      for (const path of [joined, copy]) if (code === 'JOINED_MISSING') rmSync(path); else truncateSync(path, 3);
      await refuses(alone, new RegExp(`${code}.*kintsugi recover --data-dir DIR`));
      const { stdout } = await run(process.execPath, [KINTSUGI_MAIN, 'recover', '--data-dir', dataDir]);
      assert.match(stdout, new RegExp(`${code}[^]*will be re-admitted as the new member`));
      await isBack();
      ids.add(await idOf());
    }
    // The same by itself.
    for (const path of [joined, copy]) truncateSync(path, 3);
    process.env['KINTSUGI_AUTO_RECOVER'] = 'true';
    alone.start();
    delete process.env['KINTSUGI_AUTO_RECOVER'];
    await says(alone, /it asks to be re-admitted as a new one/);
    await alone.stop('SIGKILL');
    await isBack();
    ids.add(await idOf());
    assert.equal(ids.size, 4, [...ids].join());
    alone.endpoint.close();
    member.start();
    await member.waitReady(30_000, true);
  }

  async function serves(member: ClusterNode): Promise<void> {
    await member.waitReady(30_000);
    assert.equal((await scan(member.endpoint, { prefix: 'k', serializable: false })).get('k')?.value.toString(), 'v');
  }

  it('LOCKED by stopping the process that has the directory', async () => {
    const [clientUrl, metricsUrl] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`) as [string, string];
    const second = other(node, { clientUrl, metricsUrl, logFile: join(fixture.cluster.dir, 'second.log') });
    await refuses(second, new RegExp(`LOCKED.*${node.pid}`));
    await node.stop();
    second.start();
    await serves(second);
    await second.stop();
    second.endpoint.close();
    node.start();
    await serves(node);
  });

  it('cannot listen on a port that is taken, by giving it free', async () => {
    await node.stop();
    const taken = createServer().listen(Number(new URL(node.spec.clientUrl).port), '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    await refuses(node, /cannot listen on/);
    await new Promise((resolve) => taken.close(resolve));
    node.start();
    await serves(node);
  });

  it('WRONG_IDENTITY with the flags that it had', async () => {
    await node.stop();
    const { name, advertisedPeerUrl } = node.spec;
    await refuses(other(node, { token: 'another', initialCluster: `${name}=${advertisedPeerUrl}` }), /WRONG_IDENTITY/);
    node.start();
    await serves(node);
  });

  it('NO_MEMBER_ANSWERS and NOT_ADDED of a member that comes later', async () => {
    const { cluster } = fixture;
    const peerUrl = urls[1] as string;
    await ends(lonely, /NO_MEMBER_ANSWERS/);
    member = other(node, { ...late, initialCluster: `late=${peerUrl},${node.spec.initialCluster}` });
    await refuses(member, /NOT_ADDED/);
    for (const status of await Promise.all(cluster.nodes.map((each) => each.status()))) assert.equal(status.clusterVersion, NEWEST_VERSION);
    await ctl(cluster, 'member', 'add', 'late', `--peer-urls=${peerUrl}`, '--learner');
    member.start();
    await member.waitReady(30_000, true);
  });

  it('JOINED_MISSING and JOINED_UNREADABLE of a member that came later', () => losesJoined(other(member, { initialCluster: `late=${urls[1]},n1=${urls[3]}` })));

  it('REMOVED of a member that came later', async () => {
    const { cluster } = fixture;
    const peerUrl = urls[1] as string;
    const first = await idOf();
    await ctl(cluster, 'member', 'remove', first);
    await ends(member, /REMOVED/);
    await refuses(member, /REMOVED/);
    rmSync(member.spec.dataDir, { recursive: true });
    await ctl(cluster, 'member', 'add', 'late', `--peer-urls=${peerUrl}`, '--learner');
    member.start();
    await member.waitReady(30_000, true);
    const second = await idOf();
    assert.notEqual(second, first);
    await ctl(cluster, 'member', 'remove', second);
    await ends(member, /REMOVED/);
    member.endpoint.close();
  });

  it('RESTORE_UNFINISHED with the command that the message shows', async () => {
    const { cluster } = fixture;
    const [port, client, metrics] = await freePorts(3);
    const backup = join(cluster.dir, 'backup.db');
    await ctl(cluster, 'snapshot', 'save', backup);
    const dataDir = join(cluster.dir, 'restored');
    const peerUrl = `http://127.0.0.1:${port}`;
    const flags = ['--name', 'r', '--data-dir', dataDir, '--initial-cluster', `r=${peerUrl}`, '--initial-cluster-token', 'restored'];
    const restore = [KINTSUGI_MAIN, 'restore', backup, ...flags];
    await run(process.execPath, restore);
    // As it is when the machine loses its power before the last step.
    const command = `kintsugi restore ${backup} ${flags.join(' ')}`;
    writeFileSync(join(dataDir, 'restoring'), command);
    const member = other(node, {
      name: 'r', dataDir, logFile: join(cluster.dir, 'restored.log'), token: 'restored', initialCluster: `r=${peerUrl}`, peerUrl, advertisedPeerUrl: peerUrl,
      clientUrl: `http://127.0.0.1:${client}`, metricsUrl: `http://127.0.0.1:${metrics}`,
    });
    await refuses(member, new RegExp(`RESTORE_UNFINISHED.*${command}`));
    await run(process.execPath, restore);
    assert.equal(existsSync(join(dataDir, 'restoring')), false);
    member.start();
    await serves(member);
    await member.stop();
    member.endpoint.close();
  });
});

describe('an operator of another cluster cures', function () {
  this.timeout(90_000);

  before(function () {
    kintsugiOnly(this);
  });

  it('this member is new, by starting the others', async () => {
    const cluster = await Cluster.create({ binary: kintsugi(), dir: 'test-operating-new' });
    try {
      cluster.node(0).start();
      await says(cluster.node(0), /this member is new: it waits/);
      for (const node of cluster.nodes.slice(1)) node.start();
      await Promise.all(cluster.nodes.map((node) => node.waitReady(30_000)));
    } finally {
      await cluster.stop('SIGKILL');
    }
  });

  it('MANIFEST_UNREADABLE and ENTRY_FAULTY of a single member with a cold copy', async () => {
    const cluster = await Cluster.create({ binary: kintsugi(), dir: 'test-operating-one', size: 1, extraArgs: SMALL });
    const node = cluster.node(0);
    try {
      await cluster.start();
      const value = Buffer.alloc(4096, 'x');
      const last = randomBytes(1000);
      const lane = async (from: number): Promise<void> => {
        for (let n = from; n < 1000; n += 16) await putPatiently(node.endpoint, `k${n}`, value);
      };
      await Promise.all(Array.from({ length: 16 }, (_, i) => lane(i)));
      // Two more: what comes after an entry proves that it was durable.
      await putPatiently(node.endpoint, 'klast', last);
      await putPatiently(node.endpoint, 'k0', value);
      await node.stop();
      const copy = join(cluster.dir, 'cold');
      cpSync(node.spec.dataDir, copy, { recursive: true });
      const putBack = async (): Promise<void> => {
        rmSync(node.spec.dataDir, { recursive: true });
        cpSync(copy, node.spec.dataDir, { recursive: true });
        node.start();
        await node.waitReady(30_000);
        assert.equal((await scan(node.endpoint, { prefix: 'k', serializable: false })).size, 1001);
        await node.stop();
      };
      rmSync(join(node.spec.dataDir, 'manifest'), { recursive: true });
      await refuses(node, /MANIFEST_UNREADABLE|BROKEN: the log starts at/);
      await putBack();
      for (const { file, offset } of mustFind(node, 'log', 'klast', last)) flipBit(file, offset, 1);
      await refuses(node, /ENTRY_FAULTY/);
      await putBack();
    } finally {
      await cluster.stop('SIGKILL');
    }
  });
});
