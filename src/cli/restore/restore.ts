/**
 * `kintsugi restore`: a backup to the data directory of a member of a new cluster, with the flags
 * of etcdctl's. Run it once for each member, with its own name; then start them all. Exit codes: 0
 * done, 1 failed, 2 wrong usage.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { KintsugiError } from '../../base/errors.js';
import { formatId } from '../../base/ids.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import { BackupError } from '../../replica/backup/errors.js';
import { restore, type Restored } from '../../replica/backup/restore.js';
import { RESTORE_MARK } from '../../replica/start/unfinished-restore.js';
import { NodeWorkers, nodeClock } from '../../server/env/node-env.js';
import { NodeDisk } from '../../server/node-disk.js';
import { clusterOf, type Cluster } from '../../server/options/config.js';
import { restoredIdentity } from '../../server/options/restored-cluster.js';
import { UsageError } from '../../server/options/spec.js';
import { bumpOf } from '../ctl/bump-revision.js';
import { FORMATS, UsageFault, type Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { goJson } from '../render/go.js';
import { formatBytes } from '../render/table.js';
import { locateOne, openBackup, type BackupPlace } from '../snapshot/locate.js';
import { ProgressLine } from '../render/progress-line.js';

interface Flags {
  readonly name: string;
  readonly dataDir?: string;
  readonly initialCluster?: string;
  readonly initialClusterToken: string;
  readonly initialAdvertisePeerUrls?: string;
  readonly bumpRevision?: string;
  readonly markCompacted?: boolean;
  readonly backup?: string;
  readonly writeOut: string;
}

const LOG_SEGMENT_BYTES = 16 * 1024 * 1024;

interface Plan {
  readonly place: BackupPlace;
  readonly dataDir: string;
  /** As the flags say it; the ids of the restored one are others. */
  readonly cluster: Cluster;
  readonly token: string;
  readonly bump: number;
  readonly command: string;
}

function quoted(arg: string): string {
  return /^[\w./:=,@%+-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`;
}

async function planOf(path: string | undefined, flags: Flags, args: readonly string[]): Promise<Plan> {
  const place = await locateOne(path, flags.backup);
  if (!FORMATS.some((format) => format === flags.writeOut)) throw new UsageFault(`--write-out is one of ${FORMATS.join(', ')}`);
  const { name } = flags;
  const own = flags.initialAdvertisePeerUrls;
  const cluster = clusterOf({
    name, token: flags.initialClusterToken, initialCluster: flags.initialCluster ?? `${name}=${own ?? 'http://localhost:2380'}`,
    ...(own === undefined ? {} : { own }),
  });
  const dataDir = resolve(flags.dataDir ?? `${name}.kintsugi`);
  return { place, dataDir, cluster, token: flags.initialClusterToken, bump: bumpOf(flags), command: ['kintsugi', 'restore', ...args].map(quoted).join(' ') };
}

/** Before its lock is taken: a directory that is in use is not even looked into. */
function refuseOccupied(dataDir: string): void {
  if (!existsSync(dataDir)) return;
  if (!statSync(dataDir).isDirectory()) throw new UsageFault(`--data-dir: ${dataDir} is not a directory`);
  const present = readdirSync(dataDir).filter((file) => file !== 'LOCK');
  if (present.length === 0 || present.includes(RESTORE_MARK)) return;
  throw new BackupError('NOT_EMPTY', `--data-dir: ${dataDir} is not empty, it holds ${present[0]}: a backup is restored into a new directory, never into one in use`);
}

async function carryOut(io: Io, plan: Plan): Promise<Restored> {
  const { place, dataDir, cluster, token, bump, command } = plan;
  refuseOccupied(dataDir);
  const backup = await openBackup(place);
  try {
    const line = new ProgressLine(io, 'restore', 2 * backup.totalBytes);
    const progress = (bytes: number): void => line.add(bytes);
    // Before there is a directory.
    await backup.refuseDamaged(progress);
    const disk = await NodeDisk.open(dataDir);
    try {
      const env = { disk, clock: nodeClock, events: { emit: () => undefined }, workers: new NodeWorkers() };
      const options = { env, backup, bump, command, logSegmentBytes: LOG_SEGMENT_BYTES };
      return await restore(options, (beginning) => restoredIdentity(cluster, token, beginning), progress);
    } finally {
      line.clear();
      await disk.close();
    }
  } finally {
    backup.close();
  }
}

function startCommand({ dataDir, cluster }: Plan, { initialClusterToken }: Flags): string {
  const { self, members } = cluster;
  const listed = members.map((member: MemberConfig) => `${member.name}=${member.peerUrls[0] ?? ''}`).join(',');
  return `kintsugi start --name ${quoted(self.name)} --data-dir ${quoted(dataDir)} --initial-cluster ${listed} ` +
    `--initial-cluster-token ${quoted(initialClusterToken)} --initial-advertise-peer-urls ${self.peerUrls[0] ?? ''}`;
}

async function run(io: Io, path: string | undefined, flags: Flags, args: readonly string[]): Promise<void> {
  const plan = await planOf(path, flags, args);
  const restored = await carryOut(io, plan);
  const { cluster, dataDir } = plan;
  const start = startCommand(plan, flags);
  if (flags.writeOut === 'json') {
    const { revision, compactRevision, tables, bytes } = restored;
    io.out(`${goJson({
      dataDir, clusterId: formatIdOf(restored.clusterId), memberId: formatId(restored.self), revision, compactRevision, tables, bytes,
      start,
    })}\n`);
    return;
  }
  const compacted = restored.compactRevision > 0 ? `, compacted up to ${restored.compactRevision}` : '';
  io.out(`restored ${plan.place.path} to ${dataDir}: revision ${restored.revision}${compacted}, ${restored.tables} tables, ${formatBytes(restored.bytes)}\n`);
  io.out(`member ${formatId(restored.self)} of the new cluster ${formatIdOf(restored.clusterId)}\n`);
  const others = cluster.members.filter((member) => member.id !== cluster.self.id).map((member) => member.name);
  if (others.length > 0) io.out(`restore the same backup for ${others.join(', ')} too, with the same flags and another --name, then start all of them\n`);
  io.out(`start it with: ${start}\n`);
}

function formatIdOf(id: bigint): string {
  return id.toString(16);
}

function build(io: Io, args: readonly string[]): Command {
  const program = new Command('kintsugi restore').description('make the data directory of a member of a new cluster out of a backup');
  program.usage('FILE | FOLDER --data-dir DIR --name NAME --initial-cluster LIST [flags]').argument('[path]')
    .configureHelp({ visibleArguments: () => [] })
    .option('--name <name>', 'of this member', 'default')
    .option('--data-dir <dir>', 'new, or empty (default <name>.kintsugi)')
    .option('--initial-cluster <list>', 'all members: name=url,name=url (default: this one alone)')
    .option('--initial-cluster-token <token>', 'as start has it; a new one where the same backup is restored a second time', 'etcd-cluster')
    .option('--initial-advertise-peer-urls <url>', 'of this member (default: as --initial-cluster says)')
    .option('--bump-revision <n>', 'the revision goes on so much higher')
    .option('--mark-compacted', 'all revisions up to there are compacted; with --bump-revision')
    .option('--backup <name>', 'which one, of a folder')
    .option('-w, --write-out <format>', 'simple or json', 'simple')
    .addHelpText('after', `
All of the backup is verified before anything is touched. Run it for every member, with the same backup
and flags but --name, then start them. Their ids are new whatever the token is, and equal only then.

Examples:
  kintsugi restore backup.db --name a --data-dir /var/lib/kintsugi \\
    --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380
  kintsugi restore /backups --backup monday --name a --data-dir a --bump-revision 1000000000 --mark-compacted`)
    .exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined })
    .action((path: string | undefined, flags: Flags) => run(io, path, flags, args));
  return program;
}

/** Resolves to the exit code. */
export async function restoreCommand(args: readonly string[], io: Io = processIo()): Promise<number> {
  try {
    await build(io, args).parseAsync(args.map((arg) => arg.replace(/^-w=/, '--write-out=')), { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi restore --help\n`);
      return 2;
    }
    if (error instanceof UsageFault || error instanceof UsageError) {
      io.err(`Error: ${error.message}\n`);
      return 2;
    }
    if (error instanceof KintsugiError) {
      io.err(`Error: ${error.message.slice(error.code.length + 2)}\n`);
      return 1;
    }
    throw error;
  }
}
