/**
 * Three local nodes that outlive the command: start, look at, stop. What runs is written down in
 * `.data/cluster/cluster.json`.
 */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryOf, type BinaryKind } from './lib/binary.js';
import { freePorts } from '../src/server/free-ports.js';
import { Cluster, workDir } from './lib/cluster.js';
import { Failure, flags, runMain, UsageError } from './lib/command.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { ClusterNode, type NodeSpec } from './lib/node.js';
import { dim, good, say } from './lib/print.js';
import { commandOf } from './lib/proc.js';
import { clusterTable } from './lib/view.js';

const HELP = `Three local nodes that outlive this command.

  npm run cluster -- start             new data; --keep goes on with what is there; --target etcd runs an etcd instead
  npm run cluster -- status            a table: role, term, indices, tables, hints, pid
  npm run cluster -- stop              orderly; --kill: kill -9; --purge removes the data too
  npm run cluster -- start --free-ports          default are 2379, 22379 and 32379
`;

const DIR = 'cluster';
const DEFAULT_PORTS = [2379, 2380, 2381, 22379, 22380, 22381, 32379, 32380, 32381];

interface Saved {
  readonly target: BinaryKind;
  readonly nodes: readonly { readonly spec: Omit<NodeSpec, 'binary'>; readonly pid: number | undefined }[];
}

const savedFile = (): string => join(workDir(DIR), 'cluster.json');

function load(): Cluster | undefined {
  if (!existsSync(savedFile())) return undefined;
  const { target, nodes } = JSON.parse(readFileSync(savedFile(), 'utf8')) as Saved;
  const binary = binaryOf(target);
  const ours = (spec: { readonly dataDir: string }, pid: number | undefined): number | undefined =>
    pid !== undefined && commandOf(pid).includes(spec.dataDir) ? pid : undefined;
  return new Cluster(nodes.map(({ spec, pid }) => new ClusterNode({ ...spec, binary }, ours(spec, pid))), workDir(DIR));
}

function save(cluster: Cluster): void {
  const nodes = cluster.nodes.map(({ spec: { binary, ...spec }, pid }) => ({ spec, pid, kind: binary.kind }));
  writeFileSync(savedFile(), JSON.stringify({ target: nodes[0]?.kind, nodes }, null, 1));
}

async function start(target: string, keep: boolean, anyPorts: boolean): Promise<number> {
  if (target === 'kintsugi' && process.env['DRILL_KINTSUGI_MAIN'] === undefined) ensureBuilt();
  const old = load();
  if (old?.nodes.some((node) => node.running)) throw new Failure('the cluster is running already; see status, or stop it');
  const ports = anyPorts ? await freePorts(DEFAULT_PORTS.length) : DEFAULT_PORTS;
  const cluster = keep && old ? old : await Cluster.create({ binary: binaryOf(target), dir: DIR, ports, keepRunning: true });
  for (const node of cluster.nodes) node.start();
  save(cluster);
  for (const node of cluster.nodes) say(`${node.name} is ready after ${await node.waitReady(60_000)} ms, ${node.spec.clientUrl}`);
  console.log(await clusterTable(cluster));
  console.log(dim(`data and logs: ${cluster.dir}`));
  return 0;
}

async function stop(kill: boolean): Promise<number> {
  const cluster = load();
  if (!cluster?.nodes.some((node) => node.running)) {
    console.log('nothing is running');
    return 0;
  }
  await cluster.stop(kill ? 'SIGKILL' : 'SIGTERM');
  console.log(good('stopped'));
  return 0;
}

async function status(): Promise<number> {
  const cluster = load();
  if (!cluster) {
    console.log('there is no cluster: npm run cluster -- start');
    return 1;
  }
  console.log(await clusterTable(cluster));
  return cluster.nodes.every((node) => node.running) ? 0 : 1;
}

await runMain(HELP, async () => {
  const { values, positionals } = flags({
    target: { type: 'string', default: 'kintsugi' }, keep: { type: 'boolean', default: false }, kill: { type: 'boolean', default: false },
    'free-ports': { type: 'boolean', default: false }, purge: { type: 'boolean', default: false },
  });
  const [verb, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`one word at a time, got ${positionals.join(' ')}`);
  if (verb === 'start') return start(values.target, values.keep, values['free-ports']);
  if (verb === 'status') return status();
  if (verb !== 'stop') throw new UsageError(`start, status or stop, got ${verb ?? 'nothing'}`);
  const code = await stop(values.kill);
  if (values.purge) rmSync(workDir(DIR), { recursive: true, force: true });
  return code;
});
