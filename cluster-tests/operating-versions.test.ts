/**
 * Cures of OPERATING.md for a program that is older than its cluster: see operating.test.ts. The
 * older one is the program as it is; the cluster is one of its successor (`testing/variant.ts`).
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { kintsugi, type Binary } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { forAll, putPatiently } from '../scripts/lib/documents.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import type { ClusterNode } from '../scripts/lib/node.js';
import { findNumber } from '../scripts/lib/status.js';
import { scan } from '../scripts/lib/verify.js';
import { NEWEST_VERSION } from '../src/replica/base/protocol.js';
import { kintsugiOnly, SMALL } from './harness.js';
import { Ear, ends, until } from './refusals.js';
import { variant } from './testing/variant.js';

describe('an operator of a cluster that was upgraded cures a member', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let newer: Binary;
  let node: ClusterNode;
  let written = 0;

  before(async function () {
    kintsugiOnly(this);
    ensureBuilt();
    cluster = await Cluster.create({ binary: kintsugi(), dir: 'test-operating-versions', extraArgs: SMALL });
    newer = variant(join(cluster.dir, 'newer'), { NEWEST_VERSION: `${NEWEST_VERSION + 1}` });
    for (const each of cluster.nodes) each.start(newer);
    await Promise.all(cluster.nodes.map((each) => each.waitReady(60_000)));
    await until('the version to be raised', async () => (await Promise.all(cluster.nodes.map((each) => each.status()))).every(({ clusterVersion }) => clusterVersion === NEWEST_VERSION + 1));
    [node] = (await cluster.followers()) as [ClusterNode];
    await write(10, 100);
  });

  after(async function () {
    this.timeout(30_000);
    await (cluster as Cluster | undefined)?.stop('SIGKILL');
  });

  async function write(keys: number, bytes: number): Promise<void> {
    const { endpoint } = await cluster.leader();
    const numbers = Array.from({ length: keys }, (_, i) => written + i);
    await forAll(numbers, 16, (n) => putPatiently(endpoint, `k${n}`, Buffer.alloc(bytes, `${n} `)));
    written += keys;
  }

  async function serves(): Promise<void> {
    await node.waitReady(45_000);
    assert.equal((await scan(node.endpoint, { prefix: 'k', serializable: false })).size, written);
    await until('no error to be left', async () => ((await node.status())['errors'] as unknown[]).length === 0);
  }

  it('an entry waits for a newer program, by starting that', async () => {
    await node.stop();
    const ear = new Ear(node);
    node.start(kintsugi());
    await ear.hears(/an entry waits for a newer program/);
    await until('it to say so', async () => JSON.stringify((await node.status())['errors']).includes('start this member with a newer program'));
    await node.waitReady(45_000, true);
    await write(4, 100);
    await node.stop();
    node.start(newer);
    await serves();
  });

  it('CLUSTER_NEWER, by starting the newer program', async () => {
    const flushed = async (): Promise<number> => findNumber(await node.status(), 'flushedIndex') ?? 0;
    const before = await flushed();
    await until('a flush', async () => {
      await write(64, 4096);
      return (await flushed()) > before;
    });
    await node.stop();
    node.start(kintsugi());
    await ends(node, /CLUSTER_NEWER/);
    node.start(newer);
    await serves();
  });
});
