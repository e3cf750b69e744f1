/**
 * Cures of OPERATING.md for files that went bad, or say what was never meant, while others are
 * well: see operating.test.ts.
 */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KINTSUGI_MAIN } from '../scripts/lib/binary.js';
import type { Cluster } from '../scripts/lib/cluster.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { scrubNode } from '../scripts/lib/heal.js';
import type { Members } from '../scripts/lib/members.js';
import { peerUrlOf } from '../scripts/lib/members.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { flipBit, zero } from '../scripts/lib/tables.js';
import { scan } from '../scripts/lib/verify.js';
import { mustFind } from '../scripts/lib/versus/files.js';
import { slotOffset } from '../src/replica/hard-state/slots.js';
import { DurableLog } from '../src/replica/log/durable-log.js';
import { nodeClock } from '../src/server/env/node-env.js';
import { freePorts } from '../src/server/free-ports.js';
import { NodeDisk } from '../src/server/node-disk.js';
import { kintsugiOnly } from './harness.js';
import { Ear, ends, refuses, until } from './refusals.js';
import { clusterOnBadDisks, type BadDisks } from './testing/bad-disk.js';
import { variant } from './testing/variant.js';

const run = promisify(execFile);
const EMPTY = Buffer.alloc(0);

/** As {@link SMALL} has it. */
const SEGMENT_BYTES = 1_048_576;
const BYTES = 4096;

describe('an operator cures a member whose files went bad', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let members: Members;
  let disks: BadDisks;
  /** Does not lead when a test begins. */
  let node: ClusterNode;
  let leader: ClusterNode;
  const values = new Map<string, Buffer>();

  before(async function () {
    kintsugiOnly(this);
    ({ cluster, disks, members } = await clusterOnBadDisks('test-operating-rot'));
  });

  beforeEach(async () => {
    leader = await cluster.leader();
    node = cluster.nodes.find((each) => each !== leader) as ClusterNode;
    await write(2);
    await node.waitReady(45_000);
  });

  after(async function () {
    this.timeout(30_000);
    await (cluster as Cluster | undefined)?.stop('SIGKILL');
  });

  /** The keys that it wrote, one after the other. */
  async function write(keys: number): Promise<string[]> {
    const names = Array.from({ length: keys }, (_, i) => `k${values.size + i}`);
    for (const name of names) {
      values.set(name, randomBytes(BYTES));
      await putPatiently(leader.endpoint, name, values.get(name) as Buffer);
    }
    return names;
  }

  function at(name: string): string {
    return join(node.spec.dataDir, name);
  }

  /** All that was acknowledged is there, as a majority knows it. */
  async function serves(which = node): Promise<void> {
    await which.waitReady(45_000);
    const found = await scan(which.endpoint, { prefix: 'k', serializable: false });
    assert.equal(found.size, values.size);
    for (const [key, value] of values) assert.ok(found.get(key)?.value.equals(value), key);
  }

  async function errors(): Promise<readonly string[]> {
    return (await node.status())['errors'] as readonly string[];
  }

  /** With the flags of `start`: nothing in the directory shows who the member was. */
  function recover(): string {
    const { dataDir, name, initialCluster, token } = node.spec;
    const flags = ['--data-dir', dataDir, '--name', name, '--initial-cluster', initialCluster, '--initial-cluster-token', token];
    return execFileSync(process.execPath, [KINTSUGI_MAIN, 'recover', ...flags], { encoding: 'utf8' });
  }

  async function leads(next: ClusterNode): Promise<void> {
    const id = await members.idOf(next);
    await until(`${next.name} to lead`, async () => {
      leader = await cluster.leader();
      if (leader === next) return true;
      // It may not have caught up yet.
      await members.with((client) => client.moveLeader(id, { endpoint: leader.spec.clientUrl })).catch(() => undefined);
      return false;
    });
  }

  /** Once it is back under a new id, with its vote. */
  async function isBack(old: bigint): Promise<void> {
    await until(`${node.name} to have its vote back`, async () => {
      const own = (await members.list()).filter((member) => member.peerUrls.includes(node.spec.advertisedPeerUrl));
      return own.length === 1 && own[0]?.isLearner === false && own[0].id !== old;
    });
    await serves();
  }

  /**
   * The log of `to` goes on as that of `from`, but for a bit of `value`: as where memory went bad
   * after the entry was looked at and before the log counted its checksum.
   */
  async function goOn(from: ClusterNode, to: ClusterNode, value: Buffer): Promise<void> {
    const events = { emit: () => undefined };
    const open = async ({ spec }: ClusterNode): Promise<{ readonly disk: NodeDisk; readonly log: DurableLog }> => {
      const disk = await NodeDisk.open(spec.dataDir);
      return { disk, log: (await DurableLog.open({ disk, clock: nodeClock, events }, { segmentBytes: SEGMENT_BYTES })).log };
    };
    const [whole, short] = [await open(from), await open(to)];
    const missing = whole.log.entries(short.log.lastIndex() + 1, whole.log.lastIndex() + 1, Infinity);
    // Of a later term it would have heard before.
    const heard = missing.filter(({ term }) => term === missing[0]?.term);
    const entries = heard.map((entry) => {
      const data = Buffer.from(entry.data);
      const at = data.indexOf(value);
      if (at >= 0) data[at] = (data[at] as number) ^ 1;
      return { ...entry, data };
    });
    assert.equal(entries.filter(({ data }, i) => !data.equals(heard[i]?.data ?? EMPTY)).length, 1);
    await short.log.append(entries, entries.at(-1)?.index ?? 0);
    for (const { disk, log } of [whole, short]) {
      await log.close();
      await disk.close();
    }
  }

  it('committed entry N that is not what its proposer made, by the others', async () => {
    await node.stop();
    const names = await write(4);
    const others = cluster.nodes.filter((each) => each !== node);
    await Promise.all(others.map((each) => each.stop('SIGKILL')));
    await goOn(leader, node, values.get(names[2] as string) as Buffer);
    const ear = new Ear(node);
    node.start();
    await until('it to say so', async () => (await errors().catch(() => [])).some((error) => /apply waits for a repair: .*committed entry \d+/.test(error)));
    assert.equal((await scan(node.endpoint, { prefix: 'k', serializable: true })).size, values.size - 2);
    for (const each of others) each.start();
    await ear.hears(/a log entry that cannot be read here was given by another member/);
    await serves();
    await until('no error to be left', async () => (await errors()).length === 0);
  });

  it('a log entry cannot be read any more, which another gives, and which the next start mends', async () => {
    await node.stop();
    const names = await write(6);
    // Memory has what was written since the start: it must read the disk for the one that lags.
    const next = cluster.nodes.find((each) => each !== node && each !== leader) as ClusterNode;
    await next.stop();
    next.start();
    await next.waitReady(45_000);
    await leads(next);
    const lost = names[2] as string;
    const places = mustFind(leader, 'log', lost, values.get(lost) as Buffer);
    disks.are(...places.map(({ file, offset }) => ({ path: new RegExp(file), call: 'read', errno: 'EIO', from: offset, to: offset + 1 }) as const));
    const ear = new Ear(leader);
    node.start();
    await ear.hears(/a log entry cannot be read any more/);
    await ear.hears(/a log entry that cannot be read here was given by another member/);
    await serves();
    await leader.stop();
    leader.start();
    await ear.hears(/log entries are damaged: the other members are asked for them/);
    await ear.hears(/the damaged log is mended/);
    disks.are();
    await serves(leader);
  });

  it('copies of the hard state were damaged, by a scrub', async () => {
    const ear = new Ear(node);
    for (const slot of [0, 1, 3]) flipBit(at('hardstate'), slotOffset(slot) + 20, 1);
    assert.equal((await scrubNode(node)).faults, 3);
    await ear.hears(/copies of the hard state were damaged: it is written anew/);
    await node.stop();
    node.start();
    await serves();
  });

  it('INTENT_UNREADABLE by recover once more, and copies of the file joined, which it then has, by a scrub', async () => {
    const old = await members.idOf(node);
    await node.stop();
    rmSync(at('hardstate'));
    assert.match(recover(), /will be re-admitted as the new member/);
    for (const path of ['recovering', 'recovering.copy']) truncateSync(at(path), 7);
    await refuses(node, /INTENT_UNREADABLE.*kintsugi recover --data-dir DIR again/);
    assert.match(recover(), /will be re-admitted as the new member/);
    node.start();
    await isBack(old);

    const bytes = readFileSync(at('joined'));
    const ear = new Ear(node);
    flipBit(at('joined'), 9, 1);
    truncateSync(at('joined.copy'), 3);
    assert.equal((await scrubNode(node)).faults, 2);
    await ear.hears(/copies of the file joined were damaged: it is written anew/);
    for (const path of ['joined', 'joined.copy']) assert.deepEqual(readFileSync(at(path)), bytes);
  });

  it('ENTRY_FAULTY of a member that lost more of its log than it may hold, by ctl member replace', async () => {
    const names = await write(40);
    await node.waitReady(45_000);
    await node.stop();
    const places = names.slice(2, -2).flatMap((name) => mustFind(node, 'log', name, values.get(name) as Buffer));
    for (const { file, offset } of places) zero(file, offset, 64);
    // Half a gibibyte would take minutes to write, three times.
    const small = variant(join(cluster.dir, 'small'), { MAX_HELD_BYTES: '64 * 1024' });
    node.start(small);
    await ends(node, /ENTRY_FAULTY.*more than 65536 bytes of the log are lost/);
    const removed = await members.idOf(node);
    const ports = await freePorts(3);
    const endpoints = cluster.nodes.filter((each) => each !== node).map((each) => each.spec.clientUrl).join(',');
    members.forget(node);
    const replacing = run(process.execPath, [KINTSUGI_MAIN, 'ctl', '--endpoints', endpoints, 'member', 'replace', removed.toString(16), peerUrlOf(ports), '--name', 'n4']);
    await until('the new member to be added', async () => (await members.list()).some(({ peerUrls }) => peerUrls.includes(peerUrlOf(ports))));
    const next = await members.started(ports);
    assert.match((await replacing).stdout, /has taken the place of/);
    await serves(next);
    const list = await members.list();
    assert.ok(list.length === 3 && list.every(({ id, isLearner }) => id !== removed && !isLearner));
  });
});
