/**
 * `kintsugi recover --force-new-cluster`: all other members are lost, or a majority of them, for
 * good; a cluster of one member goes on with what is left in this directory. It says first what may
 * be lost, and asks. Offline.
 */

import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import { formatId } from '../../base/ids.js';
import { RepairStore } from '../../healing/repair/repair-store.js';
import type { Findings } from '../../replica/lost-cluster/findings.js';
import { LostCluster, type Made, type NewCluster } from '../../replica/lost-cluster/force-new-cluster.js';
import { goOn, STAGE } from '../../replica/lost-cluster/takeover.js';
import { refuseUnfinishedTakeover } from '../../replica/start/unfinished-takeover.js';
import { readJoined } from '../../replica/state/joined.js';
import { nodeClock, NodeRandom, NodeWorkers } from '../../server/env/node-env.js';
import { NodeDisk } from '../../server/node-disk.js';
import { clusterOf } from '../../server/options/config.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { UsageFault, Failed, type Io } from '../ctl/context.js';
import { holderOf, ReadOnlyDir } from '../files/read-only-disk.js';
import { goJson } from '../render/go.js';
import { ProgressLine } from '../render/progress-line.js';
import { findingsJson, showFindings } from './show-lost.js';

export interface ForceFlags {
  readonly dir: string;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly yes: boolean;
  readonly acceptLoss: boolean;
  readonly bump: number;
  /** Of this member, where the flags say so. */
  readonly name: string | undefined;
  readonly peerUrl: string | undefined;
  readonly initialCluster: string | undefined;
}

const LOG_SEGMENT_BYTES = 16 * 1024 * 1024;

/** Throws UsageFault, Failed, and what the core throws. */
export async function forceNewCluster(io: Io, flags: ForceFlags): Promise<void> {
  if (flags.dryRun) return lookOnly(io, flags);
  const disk = await NodeDisk.open(flags.dir);
  try {
    const aside = await goOn(disk);
    if (aside !== undefined) {
      sweepStage(flags.dir);
      return await sayResumed(io, flags, disk, aside);
    }
    await make(io, flags, disk);
  } finally {
    await disk.close();
  }
}

async function lookOnly(io: Io, flags: ForceFlags): Promise<void> {
  const holder = await holderOf(flags.dir);
  if (holder !== undefined) throw new Failed(`${flags.dir} is in use by ${holder}: stop it first`);
  const disk = new ReadOnlyDir(flags.dir);
  await refuseUnfinishedTakeover(disk);
  const lost = await open(io, disk);
  try {
    const { findings } = lost;
    if (flags.json) io.out(`${goJson({ dataDir: flags.dir, dryRun: true, ...findingsJson(findings) })}\n`);
    else io.out(`${[`${flags.dir}:`, ...showFindings(findings), '', 'nothing was changed (--dry-run)'].join('\n')}\n`);
  } finally {
    lost.close();
  }
}

async function open(io: Io, disk: Disk): Promise<LostCluster> {
  const env: Pick<Env, 'disk' | 'clock' | 'events' | 'workers' | 'random'> = {
    disk, clock: nodeClock, random: new NodeRandom(), workers: new NodeWorkers(), events: { emit: () => undefined },
  };
  const line = new ProgressLine(io, 'read tables');
  try {
    const kept = new RepairStore(env);
    const repairs = { patch: ({ fileDigest }: TableMeta, offset: number) => kept.get(fileDigest, offset) };
    return await LostCluster.open(env, repairs, (bytes) => line.add(bytes));
  } finally {
    line.clear();
  }
}

async function make(io: Io, flags: ForceFlags, disk: NodeDisk): Promise<void> {
  const lost = await open(io, disk);
  try {
    const { findings } = lost;
    const who = await identityOf(flags, findings, disk);
    if (!flags.json) io.out(`${[`${flags.dir}:`, ...showFindings(findings)].join('\n')}\n\n`);
    await confirm(io, flags);
    const { acceptLoss, bump } = flags;
    const command = `kintsugi recover --force-new-cluster --data-dir '${flags.dir.replaceAll('\'', '\'\\\'\'')}'`;
    const made = await lost.makeNew({ ...who, acceptLoss, bump, command, logSegmentBytes: LOG_SEGMENT_BYTES });
    sweepStage(flags.dir);
    sayMade(io, flags, findings, made, who);
  } finally {
    lost.close();
  }
}

type Who = Pick<NewCluster, 'name' | 'peerUrls'>;

/** The flags go first, then what the log says of this member, then what it was told. */
async function identityOf(flags: ForceFlags, { memberId, members }: Findings, disk: Disk): Promise<Who> {
  const known = members?.find(({ id }) => id === memberId) ?? (await toldOf(disk));
  const name = flags.name ?? (known?.name || 'default');
  if (flags.initialCluster !== undefined) {
    const own = flags.peerUrl === undefined ? {} : { own: flags.peerUrl };
    return { name, peerUrls: clusterOf({ name, token: '', initialCluster: flags.initialCluster, ...own }).self.peerUrls };
  }
  const peerUrls = flags.peerUrl === undefined ? known?.peerUrls : [flags.peerUrl];
  if (peerUrls !== undefined && peerUrls.length > 0) return { name, peerUrls };
  throw new UsageFault('the directory does not say where this member is found by others: say --name and --initial-advertise-peer-urls, as for kintsugi start');
}

async function toldOf(disk: Disk): Promise<Who | undefined> {
  try {
    const joined = await readJoined(disk);
    return joined?.description.members.list.find(({ id }) => id === joined.self);
  } catch (error) {
    if (codeOf(error) !== 'JOINED_UNREADABLE') throw error;
    return undefined;
  }
}

async function confirm(io: Io, { yes, dir }: ForceFlags): Promise<void> {
  if (yes) return;
  if (!io.tty || !process.stdin.isTTY) throw new Failed('nothing was changed: say --yes to go on, once all other members are stopped for good');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`Make a new cluster of ${dir}? The other members must never run again. Type "new cluster" to go on: `);
  asking.close();
  if (answer.trim() !== 'new cluster') throw new Failed('nothing was changed');
}

/** Folders that nothing is in any more. */
function sweepStage(dir: string): void {
  const stage = join(dir, STAGE);
  if (!existsSync(stage)) return;
  for (const name of readdirSync(stage)) rmdirSync(join(stage, name));
  rmdirSync(stage);
}

function sayMade(io: Io, flags: ForceFlags, findings: Findings, made: Made, { name, peerUrls }: Who): void {
  const { clusterId, memberId, revision, compactRevision, aside } = made;
  const path = join(flags.dir, aside);
  if (flags.json) {
    io.out(`${goJson({
      dataDir: flags.dir, ...findingsJson(findings),
      made: { clusterId: clusterId.toString(16), memberId: formatId(memberId), name, peerUrls, revision, compactRevision, aside: path },
    })}\n`);
    return;
  }
  io.out(`${[
    `made: cluster ${clusterId.toString(16)} of one member, ${name} ${formatId(memberId)} at ${peerUrls.join(', ')}, at revision ${revision}`,
    ...next(path),
  ].join('\n')}\n`);
}

function next(path: string): string[] {
  return [
    `what was there is in ${path}: it is never read again, delete it when all is well`,
    'start it as always: who it is now stands in its directory and goes before --initial-cluster and --initial-cluster-token',
    'then grow it: kintsugi ctl member add NAME --peer-urls=URL, and start NAME with an empty directory and --initial-cluster-state existing',
    'none of the old members can take part in it: never start them again, their clients would see another cluster',
  ];
}

async function sayResumed(io: Io, { dir, json }: ForceFlags, disk: Disk, aside: string): Promise<void> {
  const joined = await readJoined(disk);
  const [clusterId, memberId] = [joined?.description.clusterId.toString(16) ?? '', formatId(joined?.self ?? 0)];
  const path = join(dir, aside);
  if (json) io.out(`${goJson({ dataDir: dir, resumed: true, made: { clusterId, memberId, aside: path } })}\n`);
  else io.out(`${[`what was cut short is done: member ${memberId} of the new cluster ${clusterId}`, ...next(path)].join('\n')}\n`);
}
