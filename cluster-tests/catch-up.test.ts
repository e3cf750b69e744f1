import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CatchUpDrill, sizedFor, type CatchUp } from '../scripts/lib/catch-up.js';
import { putPatiently } from '../scripts/lib/documents.js';
import { waitQuiet } from '../scripts/lib/heal.js';
import { makeValue, scatteredKey } from '../scripts/lib/load/values.js';
import type { ClusterNode } from '../scripts/lib/node.js';
import { remove, tablesBySize } from '../scripts/lib/tables.js';
import { scan } from '../scripts/lib/verify.js';
import { kintsugiOnly, SMALL, withCluster } from './harness.js';

const VALUE_BYTES = 2048;

async function fetchedBytes(node: ClusterNode): Promise<number> {
  const { fetchedTableBytes } = await node.status();
  assert.notEqual(fetchedTableBytes, undefined, '/status tells how many bytes were fetched from peers');
  return fetchedTableBytes ?? 0;
}

describe('a follower that lags behind a truncated log', function () {
  this.timeout(90_000);
  const fixture = withCluster('catch-up', { extraArgs: SMALL });

  before(function () {
    kintsugiOnly(this);
  });

  /** Neighbouring keys, so that later writes elsewhere leave these tables alone. */
  async function fill(prefix: string, keys: number): Promise<void> {
    const endpoints = fixture.cluster.nodes.filter((node) => node.running).map((node) => node.endpoint);
    const lane = async (start: number): Promise<void> => {
      for (let n = start; n < keys; n += 16) {
        const endpoint = endpoints[n % endpoints.length];
        assert.ok(endpoint);
        await putPatiently(endpoint, `${prefix}${String(n).padStart(6, '0')}`, makeValue(scatteredKey(1, n), n, VALUE_BYTES));
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => lane(i)));
  }

  async function equalEverywhere(): Promise<number> {
    const rest = await waitQuiet(fixture.cluster, 45_000);
    assert.ok(rest.quiet, rest.why);
    return rest.tables.bytes;
  }

  async function holds(node: ClusterNode, prefix: string, keys: number): Promise<void> {
    const found = await scan(node.endpoint, { prefix, serializable: true });
    assert.equal(found.size, keys);
    for (const [key, kv] of found) {
      const n = Number(key.slice(prefix.length));
      assert.ok(kv.value.equals(makeValue(scatteredKey(1, n), n, VALUE_BYTES)), key);
    }
  }

  it('S2 fetches only the tables that it lacks', async () => {
    await fill('a/', 3000);
    const before = await equalEverywhere();
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    const { appliedIndex, manifest } = await follower.status();
    const had = new Set(manifest.tables.map(({ digest }) => digest));
    await follower.stop('SIGTERM');
    await fill('z/', 2000);
    const { firstLogIndex = 0 } = await (await fixture.cluster.leader()).status();
    assert.ok(firstLogIndex > appliedIndex, `the log still reaches back to ${firstLogIndex}; the follower has ${appliedIndex}`);
    follower.start();
    await follower.waitReady(60_000);
    const total = await equalEverywhere();
    assert.ok(total > before);
    const fetched = await fetchedBytes(follower);
    const { tables } = (await follower.status()).manifest;
    const lacked = tables.filter(({ digest }) => !had.has(digest)).reduce((sum, { bytes }) => sum + bytes, 0);
    assert.ok(lacked < total, 'some of its tables are those that it had');
    assert.ok(fetched <= lacked * 1.1, `fetched ${fetched} bytes and lacked ${lacked} of ${total}; it had ${before}`);
    await holds(follower, 'a/', 3000);
    await holds(follower, 'z/', 2000);
  });

  it('S2 a follower that lost half its tables while it was down fetches that half and ends equal', async () => {
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    await follower.stop('SIGTERM');
    const tables = tablesBySize(follower);
    const lost = tables.filter((_, i) => i % 2 === 0);
    for (const { file } of lost) remove(file);
    follower.start();
    await follower.waitReady(60_000);
    await holds(follower, 'a/', 3000);
    await holds(follower, 'z/', 2000);
    await equalEverywhere();
    assert.ok(lost.length > 0);
  });

  it('D1 a follower whose manifest is gone takes that of a peer, with the tables that it has', async () => {
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    await follower.stop('SIGKILL');
    rmSync(join(follower.spec.dataDir, 'manifest'), { recursive: true });
    follower.start();
    await follower.waitReady(60_000);
    const fetched = await fetchedBytes(follower);
    assert.ok(fetched < (await equalEverywhere()) / 10, `fetched ${fetched} bytes`);
    await holds(follower, 'a/', 3000);
    await holds(follower, 'z/', 2000);
  });

  it('R2 a follower whose log is gone says so, in words for an operator, and does not start', async () => {
    const [follower] = await fixture.cluster.followers();
    assert.ok(follower);
    await follower.stop('SIGKILL');
    renameSync(join(follower.spec.dataDir, 'log'), join(follower.spec.dataDir, '..', 'log-elsewhere'));
    follower.start();
    await assert.rejects(follower.waitReady(30_000), /LOG_MISSING/);
    rmSync(join(follower.spec.dataDir, 'log'), { recursive: true });
    renameSync(join(follower.spec.dataDir, '..', 'log-elsewhere'), join(follower.spec.dataDir, 'log'));
    follower.start();
    await follower.waitReady(60_000);
    await holds(follower, 'z/', 2000);
  });
});

describe('drill:catchup, in short', function () {
  this.timeout(120_000);
  const fixture = withCluster('catchup-drill', { extraArgs: sizedFor(20_000), load: true });

  before(function () {
    kintsugiOnly(this);
  });

  // How fast the cluster goes on meanwhile is for a quiet machine: `npm run drill:catchup`.
  it('S2 S4 one that was away for all writes fetches tables under load; one that has nine in ten of them, only the rest', async () => {
    const drill = new CatchUpDrill(fixture.cluster, fixture.load, {
      keys: 20_000, valueBytes: 100, clients: 16, windowSeconds: 1, windows: 1, say: () => undefined,
    });
    const first = await drill.first();
    assert.ok(first.fetchedBytes > 0.6 * first.tableBytes && first.heldBytes === 0, JSON.stringify(first));
    let second: CatchUp | undefined;
    for await (second of drill.seconds(first.node, 0.8)) {
      assert.ok(second.fetchedBytes < 1.1 * (second.tableBytes - second.heldBytes), JSON.stringify(second));
    }
    assert.ok(second !== undefined && second.heldBytes > 0.8 * second.tableBytes, JSON.stringify(second));
    await drill.verify();
  });
});
