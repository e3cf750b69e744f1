/**
 * `npm run compat:clients`: other people's clients, each through its scenarios against a cluster of
 * ours and, where there is an etcd, against one of etcd's, with what they printed compared. Where
 * one asks for it, the leader is killed and comes back.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { etcdAt, findEtcds, kintsugi, ROOT, which, type Binary } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, runMain, UsageError } from './lib/command.js';
import { isBefore } from './lib/compat/ctl/case.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { bad, dim, good, say } from './lib/print.js';

const HELP = `
usage: npm run compat:clients [-- --only NAME ...] [--etcd DIR] [--show] [--skip-build]

Runs programs in scripts/compat/ over npm etcd3, Python's etcd3 and Go's clientv3 against three members of ours and
three of etcd's, and compares what they print. They are built into .data/compat-clients/ from the registries of their
languages; one that cannot be built is told with the reason.

  --only NAME   etcd3, python, go
  --etcd DIR    the etcd in this folder; default: the newest on the PATH
  --show        prints what each printed against ours

  npm run compat:clients -- --only go --show

Exit 0 if each client that ran ended well and printed the same against both; 1 if not.
`;

const SOURCES = join(ROOT, 'scripts', 'compat');
const BUILT = join(ROOT, '.data', 'compat-clients');
const TIMEOUT_MS = 300_000;

interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** By name: how to run it, or why that cannot be. */
const CLIENTS: Readonly<Record<string, () => Command | string>> = {
  etcd3: () => ({ program: process.execPath, args: [join(SOURCES, 'node', 'main.mjs')] }),
  python: () => {
    const program = join(BUILT, 'python', 'bin', 'python');
    const failed = existsSync(program) ? undefined : run('python3', ['-m', 'venv', join(BUILT, 'python')]);
    const install = ['-m', 'pip', 'install', '-q', '-r', join(SOURCES, 'python', 'requirements.txt')];
    const missing = failed ?? (run(program, ['-c', 'import etcd3']) && run(program, install));
    return missing ?? { program, args: ['-u', join(SOURCES, 'python', 'main.py')] };
  },
  go: () => {
    const program = join(BUILT, 'go-clientv3');
    return run('go', ['build', '-o', program, '.'], join(SOURCES, 'go')) ?? { program, args: [] };
  },
};

/** What went wrong, if anything. */
function run(program: string, args: readonly string[], cwd = ROOT): string | undefined {
  if (!program.includes('/') && which(program) === undefined) return `there is no ${program} on the PATH`;
  const { status, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8', timeout: 600_000 });
  if (status === 0) return undefined;
  return `${program} ${args.slice(0, 3).join(' ')}: ${error?.message ?? stderr.trim().split('\n').slice(-3).join(' ')}`;
}

/** Kills the leader, and starts it again once another leads. */
async function killLeader(cluster: Cluster): Promise<void> {
  const leader = await cluster.leader();
  await leader.stop('SIGKILL');
  await cluster.leader();
  leader.start();
}

/** What the client printed, and how it ended. */
async function record(binary: Binary, name: string, { program, args }: Command): Promise<readonly string[]> {
  const cluster = await Cluster.create({ binary, dir: `compat-clients-${process.pid}-${binary.kind}`, size: 3 });
  await cluster.start();
  say(`${name} against ${binary.kind} ${binary.version}`);
  const env = { ...process.env, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: 'python' };
  const child = spawn(program, [...args, '--endpoints', cluster.urls.join(',')], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const printed: string[] = [];
  let rest = '';
  let complaint = '';
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n');
    rest = lines.pop() ?? '';
    printed.push(...lines);
    if (!lines.includes('kill')) return;
    killLeader(cluster).then(() => child.stdin.write('\n'), (error: unknown) => {
      complaint += String(error);
      child.kill();
    });
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  await cluster.stop();
  rmSync(cluster.dir, { recursive: true });
  return [...printed, `exit ${code}`, ...(code === 0 ? [] : complaint.trim().split('\n').slice(0, 12))];
}

/** True: both printed the same, and it ended well. */
function report(name: string, ours: readonly string[], theirs: readonly string[] | undefined, show: boolean): boolean {
  if (show) console.log(`\n${name}\n${ours.map((line) => `  ${line}`).join('\n')}`);
  const ended = ours.includes('exit 0');
  if (!ended) console.log(`${bad('failed')}  ${name}\n${ours.slice(-8).map((line) => `  ${line}`).join('\n')}`);
  let equal = true;
  for (let i = 0; theirs !== undefined && i < Math.max(ours.length, theirs.length); i++) {
    if (ours[i] === theirs[i]) continue;
    equal = false;
    console.log(`${bad('differs')}  ${name}\n  etcd  ${theirs[i] ?? 'nothing'}\n  ours  ${ours[i] ?? 'nothing'}`);
  }
  if (ended && equal) console.log(`${good('equal')}  ${name}: ${ours.length} lines${theirs === undefined ? ', with nothing to compare them with' : ''}`);
  return ended && equal;
}

await runMain(HELP, async () => {
  const { values } = flags({
    only: { type: 'string', multiple: true }, etcd: { type: 'string' }, show: { type: 'boolean' }, 'skip-build': { type: 'boolean' },
  });
  const names = values.only ?? Object.keys(CLIENTS);
  const unknown = names.find((name) => CLIENTS[name] === undefined);
  if (unknown !== undefined) throw new UsageError(`there is no client ${unknown}: ${Object.keys(CLIENTS).join(', ')}`);
  const found = findEtcds().sort((a, b) => (isBefore(a.version, b.version) ? -1 : 1)).at(-1);
  const etcd = values.etcd === undefined ? found : etcdAt(values.etcd);
  if (values['skip-build'] !== true) await ensureBuilt();
  mkdirSync(BUILT, { recursive: true });
  let failed = 0;
  for (const name of names) {
    const command = CLIENTS[name]?.() ?? '';
    if (typeof command === 'string') {
      console.log(`${dim('pending')}  ${name}: ${command}`);
      continue;
    }
    const ours = await record(kintsugi(), name, command);
    const theirs = etcd && (await record(etcd, name, command));
    if (!report(name, ours, theirs, values.show === true)) failed++;
  }
  return failed === 0 ? 0 : 1;
});
