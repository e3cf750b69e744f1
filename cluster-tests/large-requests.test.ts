import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Client } from '../src/client/client.js';
import { waitQuiet } from '../scripts/lib/heal.js';
import { makeValue } from '../scripts/lib/load/values.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { kintsugiOnly, withCluster } from './harness.js';

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;
/** etcd's, and a few that a peer's frame, a log segment or a follower's window once stopped. */
const SIZES = [1.5, 8, 9, 33, 60].map((n) => n * MIB);

/** What a machine needs that does many other things: the figures are in OPERATING.md. */
const ARGS = ['--max-request-bytes=64MiB', '--experimental-memtable-bytes=16MiB', '--election-timeout=5s'];

function keyOf(bytes: number, by: string): string {
  return `large/${by}/${String(bytes).padStart(9, '0')}`;
}

function valueOf(key: string, bytes: number): Buffer {
  return makeValue(Buffer.from(key), bytes, bytes);
}

function digest(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : createHash('sha256').update(bytes).digest('hex');
}

describe('requests as large as --max-request-bytes allows', function () {
  this.timeout(240_000);
  const fixture = withCluster('large-requests', { extraArgs: ARGS });
  const clients = new Map<string, Client>();

  before(function () {
    kintsugiOnly(this);
  });

  after(async () => {
    for (const client of clients.values()) await client.close();
  });

  function clientOf({ name, spec }: ClusterNode): Client {
    let client = clients.get(name);
    if (client === undefined) clients.set(name, (client = new Client({ endpoints: [spec.clientUrl], timeoutMs: 60_000, maxAttempts: 1 })));
    return client;
  }

  async function terms(): Promise<number[]> {
    return Promise.all(fixture.cluster.nodes.map(async (node) => (await node.status()).term));
  }

  async function put(node: ClusterNode, by: string, bytes: number): Promise<void> {
    const key = keyOf(bytes, by);
    await clientOf(node).put(key, valueOf(key, bytes));
  }

  async function holds(node: ClusterNode, by: string, sizes: readonly number[]): Promise<void> {
    for (const bytes of sizes) {
      const key = keyOf(bytes, by);
      const found = await clientOf(node).get(key, { serializable: true });
      assert.equal(digest(found?.value), digest(valueOf(key, bytes)), `${key} on ${node.name}`);
    }
  }

  async function caughtUp(): Promise<void> {
    const rest = await waitQuiet(fixture.cluster, 90_000);
    assert.ok(rest.quiet, rest.why);
  }

  it('C1 each size goes through the leader and through a follower, and no member stands for election meanwhile', async () => {
    const before = await terms();
    const leader = await fixture.cluster.leader();
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    for (const bytes of SIZES) {
      await put(leader, 'leader', bytes);
      await put(follower, 'follower', bytes);
    }
    await caughtUp();
    assert.deepEqual(await terms(), before);
    for (const node of fixture.cluster.nodes) for (const by of ['leader', 'follower']) await holds(node, by, SIZES);
    assert.deepEqual(await terms(), before, 'nor while they are read');
  });

  it('C1 a byte more than the limit is refused by the node that got it, in etcd\'s words, and writes go on', async () => {
    const leader = await fixture.cluster.leader();
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    for (const node of [leader, follower]) {
      // A put of a one byte key: two fields with their lengths.
      const largest = LIMIT - 3 - 5;
      await assert.rejects(clientOf(node).put('k', new Uint8Array(largest + 1)), /etcdserver: request is too large/);
      await clientOf(node).put('k', new Uint8Array(largest));
      await clientOf(node).put('k', 'small');
    }
    assert.equal((await clientOf(leader).get('k'))?.value.length, 5);
  });

  it('D1 a member that was down gets them from the others, and all are there after every process was killed', async () => {
    const [follower] = await fixture.cluster.followers();
    const leader = await fixture.cluster.leader();
    assert.ok(follower);
    await follower.stop('SIGKILL');
    for (const bytes of [9, 60].map((n) => n * MIB)) await put(leader, 'while-down', bytes);
    follower.start();
    await follower.waitReady(60_000);
    await caughtUp();
    await holds(follower, 'while-down', [9 * MIB, 60 * MIB]);
    for (const node of fixture.cluster.nodes) await node.stop('SIGKILL');
    await fixture.cluster.start();
    await caughtUp();
    for (const node of fixture.cluster.nodes) {
      for (const by of ['leader', 'follower']) await holds(node, by, SIZES);
      await holds(node, 'while-down', [9 * MIB, 60 * MIB]);
    }
  });
});
