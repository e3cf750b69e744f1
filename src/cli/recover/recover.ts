/**
 * `kintsugi recover`: a member that cannot know what it has promised is to be re-admitted as a new
 * one that keeps what is good of its tables. Offline: it looks at the data directory, says what it
 * found and what will happen, and writes the intent; the next start asks the cluster. Exit codes: 0
 * done, 1 failed, 2 wrong usage.
 */

import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { KintsugiError } from '../../base/errors.js';
import { formatId } from '../../base/ids.js';
import { beginRecovery, planRecovery } from '../../replica/readmission/begin.js';
import { findEvidence, type Claimed, type Evidence } from '../../replica/readmission/evidence.js';
import type { RecoverIntent } from '../../replica/readmission/intent.js';
import { NodeRandom } from '../../server/env/node-env.js';
import { NodeDisk } from '../../server/node-disk.js';
import { clusterOf } from '../../server/options/config.js';
import { parseOptions, type ParsedOptions } from '../../server/options/parse.js';
import { UsageError } from '../../server/options/spec.js';
import { bumpOf } from '../ctl/bump-revision.js';
import { Failed, UsageFault, type Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { goJson } from '../render/go.js';
import { forceNewCluster, type ForceFlags } from './force-new-cluster.js';
import { showEvidence, showIntent } from './show.js';

const HELP = `Usage: kintsugi recover --data-dir DIR [flags]

A member that cannot know what it has promised (its hard state or log is gone, or its directory was
emptied or is an old copy) never votes again under its id. This writes down that the directory is to
be re-admitted as a new member in its place; then start it as always. The good tables are kept, the
old hard state and log are set aside until the new member has its vote.

Flags:
  --data-dir DIR     of the member, which must not be running
  --emptied          the directory was emptied: nothing of the member is left in it
  --dry-run          say what was found and what would happen, and change nothing
  -w, --write-out F  simple or json (default simple)
  and the flags of kintsugi start, where the directory does not show who the member was

All other members are lost for good, or so many that the rest are no majority:
  --force-new-cluster  a cluster of this one member goes on with what is in this directory. It says
                       what may be lost, and asks; with --dry-run it only says so
  --yes                do not ask
  --accept-loss        go on without what is lost for certain (damaged beyond repair), or not considered
  --bump-revision N    the revision goes on so much higher; with --mark-compacted
  --mark-compacted     all revisions up to there are compacted; with --bump-revision

Examples:
  kintsugi recover --data-dir /var/lib/kintsugi
  kintsugi recover --data-dir /var/lib/kintsugi --dry-run
  kintsugi recover --data-dir /var/lib/kintsugi --emptied --name a \\
    --initial-cluster a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380 \\
    --initial-advertise-peer-urls http://10.0.0.1:2380
  kintsugi recover --force-new-cluster --data-dir /var/lib/kintsugi --dry-run
  kintsugi recover --force-new-cluster --data-dir /var/lib/kintsugi --name a \
    --initial-advertise-peer-urls http://10.0.0.1:2380
`;

const OWN = ['emptied', 'dry-run', 'force-new-cluster', 'yes', 'accept-loss', 'mark-compacted'] as const;

interface Flags {
  /** Those that are set. */
  readonly own: ReadonlySet<string>;
  readonly json: boolean;
  readonly bump: string | undefined;
  readonly options: ParsedOptions;
}

/** Own flags are taken out; the others are those of `start`. */
function flagsOf(args: readonly string[]): Flags {
  const own = new Set<string>();
  const rest: string[] = [];
  let format = 'simple';
  let bump: string | undefined;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [, name = '', , value] = /^--?([^-=][^=]*)(=(.*))?$/s.exec(arg) ?? [];
    if (OWN.some((one) => one === name)) own.add(value === 'false' ? '' : name);
    else if (name === 'bump-revision') bump = value ?? args[++i] ?? '';
    else if (name === 'w' || name === 'write-out') format = value ?? args[++i] ?? '';
    else rest.push(arg);
  }
  if (format !== 'simple' && format !== 'json') throw new UsageFault('--write-out is simple or json');
  return { own, json: format === 'json', bump, options: parseOptions(rest, process.env) };
}

function textOf(options: ParsedOptions, name: string): string | undefined {
  const option = options.options.get(name);
  return option === undefined || option.source === 'default' ? undefined : String(option.value);
}

function dataDirOf(options: ParsedOptions): string {
  const given = textOf(options, 'data-dir') ?? (textOf(options, 'name') === undefined ? undefined : `${textOf(options, 'name')}.kintsugi`);
  if (given === undefined) throw new UsageFault('--data-dir is needed: the data directory of the member');
  const dir = resolve(given);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UsageFault(`--data-dir: ${dir} is not a directory`);
  return dir;
}

/**
 * As the flags say; undefined: they say nothing of it. With `existing` the members that they name
 * are not those with whom the cluster began, so only they can tell which cluster it is.
 */
function claimedBy(options: ParsedOptions): Claimed | undefined {
  const initialCluster = textOf(options, 'initial-cluster');
  if (initialCluster === undefined) return undefined;
  const own = textOf(options, 'initial-advertise-peer-urls');
  const cluster = clusterOf({
    name: textOf(options, 'name') ?? 'default', initialCluster, token: textOf(options, 'initial-cluster-token') ?? 'etcd-cluster',
    ...(own === undefined ? {} : { own }),
  });
  const existing = textOf(options, 'initial-cluster-state') === 'existing';
  return { self: cluster.self.id, clusterId: existing ? 0n : cluster.clusterId };
}

function print(io: Io, { json, own }: Flags, dir: string, evidence: Evidence, intent: RecoverIntent): void {
  const goesOn = evidence.intent === intent;
  const dryRun = own.has('dry-run');
  if (json) {
    const { stage, shown, id, why, byName } = intent;
    io.out(`${goJson({ dataDir: dir, dryRun, goesOn, stage, why, byName, shown: shown.map(formatId), newMemberId: formatId(id), tables: evidence.tables })}\n`);
    return;
  }
  io.out(`${dir}:\n`);
  for (const line of showEvidence(evidence)) io.out(`  ${line}\n`);
  for (const line of showIntent(intent, { goesOn, dryRun })) io.out(`${line}\n`);
}

function forcedBy({ own, json, bump, options }: Flags, dir: string): ForceFlags {
  return {
    dir, json, dryRun: own.has('dry-run'), yes: own.has('yes'), acceptLoss: own.has('accept-loss'),
    bump: bumpOf({ bumpRevision: bump, markCompacted: own.has('mark-compacted') }),
    name: textOf(options, 'name'), peerUrl: textOf(options, 'initial-advertise-peer-urls'), initialCluster: textOf(options, 'initial-cluster'),
  };
}

async function run(io: Io, flags: Flags): Promise<void> {
  const dir = dataDirOf(flags.options);
  if (flags.own.has('force-new-cluster')) return forceNewCluster(io, forcedBy(flags, dir));
  const claimed = claimedBy(flags.options);
  const disk = await NodeDisk.open(dir);
  try {
    const evidence = await findEvidence(disk);
    const intent = planRecovery({ evidence, claimed, emptied: flags.own.has('emptied') }, new NodeRandom());
    if (!flags.own.has('dry-run') && evidence.intent !== intent) await beginRecovery(disk, intent);
    print(io, flags, dir, evidence, intent);
  } finally {
    await disk.close();
  }
}

/** Resolves to the exit code. */
export async function recover(args: readonly string[], io: Io = processIo()): Promise<number> {
  try {
    const flags = flagsOf(args);
    if (flags.options.help) io.out(HELP);
    else await run(io, flags);
    return 0;
  } catch (error) {
    if (error instanceof UsageFault || error instanceof UsageError) {
      io.err(`Error: ${error.message}\nSee kintsugi recover --help\n`);
      return 2;
    }
    if (error instanceof Failed) {
      io.err(`Error: ${error.message}\n`);
      return 1;
    }
    if (error instanceof KintsugiError) {
      io.err(`Error: ${error.message.slice(error.code.length + 2)}\n`);
      return 1;
    }
    throw error;
  }
}
