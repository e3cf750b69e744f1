/** One fresh cluster from start to stop: idle, load, then every case in turn. */

import { Cluster } from '../cluster.js';
import type { LoadProcess } from '../load/process.js';
import { endProgress, progress } from '../print.js';
import { LOAD, type BenchCase } from './cases.js';
import { measure, measureIdle, type Measurement, type MeasureSettings } from './measure.js';
import type { ClusterResult } from './rounds.js';
import type { Server } from './server.js';

export interface ClusterSettings extends MeasureSettings {
  readonly idleSeconds: number;
}

const ETCD_KEEPS_QUIET = ['--log-level=warn'];

export async function runCluster(
  server: Server, load: LoadProcess, cases: readonly BenchCase[], settings: ClusterSettings,
): Promise<ClusterResult> {
  const { binary, name } = server;
  const extraArgs = binary.kind === 'etcd' ? ETCD_KEEPS_QUIET : [];
  const cluster = await Cluster.create({ binary, dir: 'bench-cluster', extraArgs });
  try {
    const readyMs = await cluster.start();
    progress(`${name}: idle`);
    const idleBytesPerSecond = await measureIdle(cluster, settings.idleSeconds);
    const measured: Record<string, Measurement> = {};
    for (const test of [LOAD, ...cases]) {
      progress(`${name}: ${test.name}`);
      measured[test.name] = await measure(cluster, load, test, settings, idleBytesPerSecond);
    }
    return { server: name, readyMs, idleBytesPerSecond, cases: measured };
  } finally {
    endProgress();
    await cluster.stop('SIGKILL');
  }
}
