/**
 * Real processes for tests: one cluster per file, stopped whatever happens.
 * `CLUSTER_TEST_TARGET=etcd` runs those tests that make sense there against an etcd on the PATH:
 * what the reference does is then what we demand.
 */

import { binaryOf, type BinaryKind } from '../scripts/lib/binary.js';
import { Cluster } from '../scripts/lib/cluster.js';
import { ensureBuilt } from '../scripts/lib/ensure-built.mjs';
import { LoadProcess } from '../scripts/lib/load/process.js';
import type { PeerProxies } from '../scripts/lib/proxy.js';

export const target = (process.env['CLUSTER_TEST_TARGET'] ?? 'kintsugi') as BinaryKind;

/** So little that a test's few megabytes are flushed, compacted and dropped from the log. */
export const SMALL = [
  '--experimental-memtable-bytes=524288', '--experimental-table-bytes=524288', '--experimental-log-segment-bytes=1048576',
];

export interface Fixture {
  cluster: Cluster;
  load: LoadProcess;
}

export interface FixtureOptions {
  readonly extraArgs?: readonly string[];
  readonly load?: boolean;
  /** To cut members off. */
  readonly proxies?: PeerProxies;
}

/**
 * Registers `before` and `after` of the describe block it is called in; the fixture is filled when
 * tests run.
 */
export function withCluster(name: string, options: FixtureOptions = {}): Fixture {
  const fixture = {} as Fixture;
  before(async function () {
    this.timeout(180_000);
    if (target === 'kintsugi' && process.env['DRILL_KINTSUGI_MAIN'] === undefined) ensureBuilt();
    const extraArgs = target === 'kintsugi' ? (options.extraArgs ?? []) : [];
    const { proxies } = options;
    const peerProxy = proxies === undefined ? {} : { peerProxy: (to: number, port: number): Promise<number> => proxies.front(to, port) };
    fixture.cluster = await Cluster.create({ binary: binaryOf(target), dir: `test-${name}`, extraArgs, ...peerProxy });
    if (proxies !== undefined) proxies.nodes = fixture.cluster.nodes;
    if (options.load) fixture.load = await LoadProcess.start();
    await fixture.cluster.start();
  });
  after(async function () {
    this.timeout(30_000);
    await (fixture.load as LoadProcess | undefined)?.stop();
    await (fixture.cluster as Cluster | undefined)?.stop('SIGKILL');
    options.proxies?.close();
  });
  return fixture;
}

/** Pending by name where only our own server can be asked. */
export function kintsugiOnly(context: Mocha.Context): void {
  // CLUSTER_TEST_TARGET=etcd runs the same tests against etcd, which has no tables to rot and no
  // /status to ask.
  if (target !== 'kintsugi') context.skip();
}
