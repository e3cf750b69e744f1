import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientError } from '../client/client.js';
import { freePorts } from '../server/free-ports.js';
import { UsageError } from '../server/options/spec.js';
import { openNode, type EmbeddedNode } from './open-node.js';

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe|TLS)/.test(name)).length;

/** What was closed is gone a few turns later. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('a member in an application\'s own process', function () {
  // Real disks and elections.
  this.timeout(60_000);
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kintsugi-embedded-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('alone it opens no socket, has the whole client, keeps its data, and leaves nothing behind', async () => {
    const before = sockets();
    {
      await using node = await openNode({ dataDir: dir });
      const { client } = node;
      assert.equal(sockets(), before);
      const { revision } = await client.put('a', '1');
      await using lease = await client.lease.hold({ ttl: 10 });
      await client.put('held', 'x', { lease: lease.id });
      const seen: string[] = [];
      for await (const { kv } of client.watchEvents('a', { startRevision: revision })) {
        seen.push(text(kv.value));
        if (seen.length === 2) break;
        void client.update('a', (kv) => `${text(kv?.value)}1`);
      }
      assert.deepEqual(seen, ['1', '11']);
      assert.equal(node.status().role, 'leader');
      assert.equal((await client.status()).leader, BigInt(node.store.memberId));
      await assert.rejects(openNode({ dataDir: dir }), { code: 'LOCKED' });
    }
    {
      await using node = await openNode({ dataDir: dir });
      assert.equal(text((await node.client.get('a'))?.value), '11');
      assert.equal(await node.client.get('held'), undefined);
      const open = node.client.get('a').catch((error: unknown) => error);
      await node.close();
      assert.ok((await open) instanceof ClientError);
      await assert.rejects(node.client.get('a'), { code: 'CANCELLED' });
      assert.equal(node.failed.aborted, false);
    }
    await until(() => sockets() === before);
  });

  it('three of them are a cluster, and go on when one is closed', async () => {
    const before = sockets();
    const ports = await freePorts(3);
    const names = ['a', 'b', 'c'];
    const cluster = Object.fromEntries(names.map((name, i) => [name, `http://127.0.0.1:${ports[i]}`]));
    const flags = { 'heartbeat-interval': 50, 'election-timeout': 500 };
    const nodes: EmbeddedNode[] = await Promise.all(names.map((name) => openNode({ dataDir: join(dir, name), name, cluster, flags })));
    const [a, b, c] = nodes as [EmbeddedNode, EmbeddedNode, EmbeddedNode];
    try {
      await a.client.put('k', '1');
      assert.equal(text((await b.client.get('k'))?.value), '1');
      assert.equal((await c.client.memberList()).members.length, 3);
      const led = nodes.find(({ store }) => store.leader === store.memberId) ?? a;
      await led.close();
      const left = nodes.filter((node) => node !== led) as [EmbeddedNode, EmbeddedNode];
      await left[0].client.put('k', '2');
      assert.equal(text((await left[1].client.get('k'))?.value), '2');
    } finally {
      await Promise.all(nodes.map((node) => node.close()));
    }
    await until(() => sockets() === before);
  });

  it('options that make no sense are refused by name, and nothing is open then', async () => {
    await assert.rejects(openNode({ dataDir: dir, name: 'x', cluster: { y: 'http://127.0.0.1:1' } }), UsageError);
    await assert.rejects(openNode({ dataDir: dir, flags: { 'no-such-flag': 1 } }), /no-such-flag/);
    await assert.rejects(openNode({ dataDir: dir, flags: { 'election-timeout': 1 } }), /election-timeout/);
  });
});
