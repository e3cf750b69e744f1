import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Client } from '../../src/client/client.js';
import { waitQuiet } from '../../scripts/lib/heal.js';
import type { ClusterNode } from '../../scripts/lib/node.js';
import { kintsugiOnly, withCluster } from '../harness.js';

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;
/** etcd's, and what a peer's frame, a log segment and a follower's window have no room for. */
const BY_LEADER = [1.5, 8, 33].map((n) => n * MIB);
const BY_FOLLOWER = [9, 60].map((n) => n * MIB);
const WHILE_DOWN = [9, 33].map((n) => n * MIB);
const PATIENCE_MS = 150_000;
/** Of a machine that is busy: the outcome is unknown, or the member was not heard for a while. */
const BUSY = /timed out|Connection dropped|too many requests|DEADLINE_EXCEEDED/;

/** What a machine needs that does many other things: the figures are in OPERATING.md. */
const ARGS = ['--max-request-bytes=64MiB', '--experimental-memtable-bytes=16MiB', '--election-timeout=5s'];

function keyOf(bytes: number, by: string): string {
  return `large/${by}/${String(bytes).padStart(9, '0')}`;
}

/** No two parts of it are equal, and no two values. */
function valueOf(bytes: number): Uint8Array {
  const words = new Uint32Array(bytes / 4);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + bytes, 0x9e3779b1);
  return new Uint8Array(words.buffer);
}

function digest(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : createHash('sha256').update(bytes).digest('hex');
}

describe('requests as large as --max-request-bytes allows', function () {
  this.timeout(400_000);
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

  /** How fast it goes is not the claim. */
  async function patiently<T>(call: () => Promise<T>): Promise<T> {
    for (const deadline = Date.now() + PATIENCE_MS; ; ) {
      try {
        return await call();
      } catch (error) {
        if (Date.now() > deadline || !BUSY.test(String(error))) throw error;
      }
    }
  }

  async function terms(): Promise<number[]> {
    return Promise.all(fixture.cluster.nodes.map(async (node) => (await node.grpcStatus(30_000)).raftTerm));
  }

  async function put(node: ClusterNode, by: string, bytes: number): Promise<void> {
    const key = keyOf(bytes, by);
    const value = valueOf(bytes);
    await patiently(() => clientOf(node).put(key, value));
  }

  async function holds(node: ClusterNode, by: string, sizes: readonly number[]): Promise<void> {
    for (const bytes of sizes) {
      const key = keyOf(bytes, by);
      const found = await patiently(() => clientOf(node).get(key, { serializable: true }));
      assert.equal(digest(found?.value), digest(valueOf(bytes)), `${key} on ${node.name}`);
    }
  }

  async function holdsAll(node: ClusterNode): Promise<void> {
    await holds(node, 'leader', BY_LEADER);
    await holds(node, 'follower', BY_FOLLOWER);
  }

  async function caughtUp(): Promise<void> {
    const rest = await waitQuiet(fixture.cluster, 150_000);
    assert.ok(rest.quiet, rest.why);
  }

  it('C1 each size goes through the leader and through a follower, and no member stands for election meanwhile', async () => {
    const before = await terms();
    const leader = await fixture.cluster.leader();
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    for (const bytes of BY_LEADER) await put(leader, 'leader', bytes);
    for (const bytes of BY_FOLLOWER) await put(follower, 'follower', bytes);
    await caughtUp();
    for (const node of fixture.cluster.nodes) await holdsAll(node);
    assert.deepEqual(await terms(), before);
  });

  it('C1 a byte more than the limit is refused by the node that got it, in etcd\'s words, and writes go on', async () => {
    const leader = await fixture.cluster.leader();
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    // A put of a one byte key: two fields with their lengths.
    const largest = LIMIT - 3 - 5;
    for (const node of [leader, follower]) {
      await assert.rejects(patiently(() => clientOf(node).put('k', new Uint8Array(largest + 1))), /etcdserver: request is too large/);
      await patiently(() => clientOf(node).put('k', 'small'));
    }
    await patiently(() => clientOf(follower).put('k', new Uint8Array(largest)));
    await patiently(() => clientOf(leader).put('k', 'small'));
    assert.equal((await patiently(() => clientOf(leader).get('k')))?.value.length, 5);
  });

  it('D1 a member that was down gets them from the others, and all are there after every process was killed', async () => {
    const [follower] = await fixture.cluster.followers();
    const leader = await fixture.cluster.leader();
    assert.ok(follower);
    await follower.stop('SIGKILL');
    for (const bytes of WHILE_DOWN) await put(leader, 'while-down', bytes);
    follower.start();
    await follower.waitReady(PATIENCE_MS);
    await caughtUp();
    await holds(follower, 'while-down', WHILE_DOWN);
    for (const node of fixture.cluster.nodes) await node.stop('SIGKILL');
    await fixture.cluster.start(PATIENCE_MS);
    await caughtUp();
    for (const node of fixture.cluster.nodes) {
      await holdsAll(node);
      await holds(node, 'while-down', WHILE_DOWN);
    }
  });
});
