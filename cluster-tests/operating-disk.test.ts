/**
 * Cures of OPERATING.md for a disk that is full, refuses, or is late: see operating.test.ts. The
 * members are real; what their disks do is said to them (`testing/bad-disk.ts`).
 */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../scripts/lib/cluster.js';
import { forAll, putPatiently } from '../scripts/lib/documents.js';
import { scrubNode } from '../scripts/lib/heal.js';
import type { Members } from '../scripts/lib/members.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { scan } from '../scripts/lib/verify.js';
import { kintsugiOnly } from './harness.js';
import { Ear, ends, refuses, until } from './refusals.js';
import { clusterOnBadDisks, type BadDisks } from './testing/bad-disk.js';

describe('an operator cures a disk', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let members: Members;
  let disks: BadDisks;
  /** Does not lead when a test begins; its disk is the one that is bad. */
  let node: ClusterNode;
  let leader: ClusterNode;
  let written = 0;

  before(async function () {
    kintsugiOnly(this);
    ({ cluster, disks, members } = await clusterOnBadDisks('test-operating-disk'));
  });

  beforeEach(async () => {
    leader = await cluster.leader();
    node = cluster.nodes.find((each) => each !== leader) as ClusterNode;
    await write(4);
    await node.waitReady(45_000);
  });

  after(async function () {
    this.timeout(30_000);
    await (cluster as Cluster | undefined)?.stop('SIGKILL');
  });

  async function write(keys: number, bytes = 100, through = leader): Promise<void> {
    const first = written;
    written += keys;
    const numbers = Array.from({ length: keys }, (_, i) => first + i);
    await forAll(numbers, 16, (n) => putPatiently(through.endpoint, `k${n}`, Buffer.alloc(bytes, `${n} `)));
  }

  /** Its own disk's files whose path goes on like that. */
  function at(rest: string, of = node): RegExp {
    return new RegExp(`/${of.name}/${rest}`);
  }

  /** All that was acknowledged is there, its own log takes more, and nothing is wrong any more. */
  async function serves(): Promise<void> {
    await node.waitReady(45_000);
    await write(2, 100, await cluster.leader());
    const found = await scan(node.endpoint, { prefix: 'k', serializable: false });
    assert.equal(found.size, written);
    for (const [key, { value }] of found) assert.match(value.toString(), new RegExp(`^${key.slice(1)} `));
    await until(`${node.name} to have no errors`, async () => (await errors()).length === 0);
  }

  async function errors(): Promise<readonly string[]> {
    return (await node.status())['errors'] as readonly string[];
  }

  async function complains(what: RegExp): Promise<void> {
    await until(`${node.name} to say ${String(what)}`, async () => (await errors()).some((error) => what.test(error)));
  }

  it('there is no room on the disk, what the others have promised could not be written down, and copies of the hard state are damaged, by making room', async () => {
    const ear = new Ear(node);
    const [promises, hardState] = ['promises', 'hardstate'].map((name) => join(node.spec.dataDir, name)) as [string, string];
    await until('the promises to be there', () => existsSync(promises));
    disks.are({ path: at(''), call: 'write', grows: true, errno: 'ENOSPC' });
    rmSync(hardState);
    assert.ok((await scrubNode(node)).faults > 0);
    await ear.hears(/copies of the hard state are damaged/, /ENOSPC/);
    await write(160, 4096);
    await complains(/there is no room on the disk/);
    await ear.hears(/disk-room/, /"short":true/);
    rmSync(promises);
    await write(1);
    await ear.hears(/what the others have promised could not be written down/, /ENOSPC/);
    const later = new Ear(node);
    disks.are();
    await later.hears(/disk-room/, /"short":false/);
    await scrubNode(node);
    await later.hears(/copies of the hard state were damaged: it is written anew/);
    assert.ok(existsSync(hardState));
    await until('the promises to be written', () => existsSync(promises));
    await serves();
  });

  it('the log takes no entries, which it gets over by itself', async () => {
    const ear = new Ear(node);
    disks.are({ path: at('log/'), call: 'sync', errno: 'EIO' });
    await write(1);
    await ear.hears(/disk-failed/, /"what":"log"/, /EIO/);
    await complains(/the log takes no entries/);
    assert.ok((await scan(node.endpoint, { prefix: 'k', serializable: true })).size >= written - 1);
    disks.are();
    await ear.hears(/the log goes on in a fresh segment/);
    await serves();
  });

  it('the disk here is slow, and another leads until it is looked at', async () => {
    node = leader;
    const ear = new Ear(node);
    const id = await members.idOf(node);
    disks.are({ path: at('log/'), call: 'sync', delayMs: 500 });
    while (!ear.hasHeard(/leader-lost/, /the disk here is slow/)) {
      // On a machine that is busy it may have lost the lead for another reason.
      const now = await cluster.leader();
      if (now !== node) await members.with((client) => client.moveLeader(id, { endpoint: now.spec.clientUrl })).catch(() => undefined);
      await write(1);
    }
    await until('another to lead', async () => (await cluster.leader()) !== node);
    disks.are();
    await serves();
  });

  it('its own disk has been writing for too long, and another leads until it is looked at', async () => {
    node = leader;
    const ear = new Ear(node);
    disks.are({ path: at('log/'), call: 'sync' });
    const putting = write(1);
    await ear.hears(/leader-lost/, /its own disk has been writing for/);
    await until('another to lead', async () => (await cluster.leader()) !== node);
    disks.are();
    await putting;
    await serves();
  });

  it('WRITE_FAILED of hard state, and SYNC_FAILED of the log while it is opened, by starting again', async () => {
    disks.are({ path: at('hardstate'), call: 'sync', errno: 'EIO' });
    const to = cluster.nodes.find((each) => each !== node && each !== leader) as ClusterNode;
    const target = await members.idOf(to);
    await members.with((client) => client.moveLeader(target, { endpoint: leader.spec.clientUrl }));
    await ends(node, /WRITE_FAILED.*hardstate.*EIO/);
    disks.are({ path: at('log$'), call: 'sync', errno: 'EIO' });
    await refuses(node, /SYNC_FAILED.*EIO/);
    disks.are();
    node.start();
    await serves();
  });

  it('the log cannot be written to where it ends, by itself, and there is no room on the disk for that, by making some', async () => {
    await node.stop();
    const names = readdirSync(join(node.spec.dataDir, 'log')).filter((name) => name.endsWith('.seg'));
    const readOnly = { path: at(`log/(${names.join('|')})`), call: 'open', toWrite: true, errno: 'EROFS' } as const;
    disks.are(readOnly, { path: at(''), call: 'write', grows: true, errno: 'ENOSPC' });
    const ear = new Ear(node);
    node.start();
    await ear.hears(/the log cannot be written to where it ends: it goes on in a fresh segment/, /EROFS/);
    await ear.hears(/there is no room on the disk: the start waits/, /ENOSPC/);
    disks.are(readOnly);
    await serves();
    disks.are();
    await node.stop();
    node.start();
    await serves();
  });

  it('C1 a start on a full disk that copies what it overwrites waits for room', async () => {
    await node.stop();
    disks.are({ path: at(''), call: 'write', errno: 'ENOSPC' });
    const ear = new Ear(node);
    node.start();
    await ear.hears(/there is no room on the disk: the start waits/);
    disks.are();
    await serves();
  });

  it('C1 a member whose full disk copies what it overwrites hears of a new term and goes on', async () => {
    if (!node.running) node.start();
    await node.waitReady(45_000);
    disks.are({ path: at(''), call: 'write', errno: 'ENOSPC' });
    const to = cluster.nodes.find((each) => each !== node && each !== leader) as ClusterNode;
    const target = await members.idOf(to);
    await members.with((client) => client.moveLeader(target, { endpoint: leader.spec.clientUrl }));
    await until('another to lead', async () => (await cluster.leader()) === to);
    await write(4, 100, to);
    assert.ok(node.running, node.logTail(2));
    disks.are();
    await serves();
  });
});
