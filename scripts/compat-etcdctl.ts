/**
 * `npm run compat:etcdctl`: every command of an etcdctl against a cluster of ours and against one
 * of each etcd that is at hand, with what was printed compared.
 */

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { etcdAt, findEtcds, kintsugi, which, type Binary } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, runMain, UsageError } from './lib/command.js';
import { differences } from './lib/compat/compare.js';
import { isBefore, type CtlCase } from './lib/compat/ctl/case.js';
import { AUTH_CASES } from './lib/compat/ctl/cases-auth.js';
import { BESIDE_CASES, CHECK_CASE } from './lib/compat/ctl/cases-beside.js';
import { CLUSTER_CASES } from './lib/compat/ctl/cases-cluster.js';
import { KV_CASES } from './lib/compat/ctl/cases-kv.js';
import { SESSION_CASES } from './lib/compat/ctl/cases-session.js';
import { WATCH_CASES } from './lib/compat/ctl/cases-watch.js';
import { Etcdctl } from './lib/compat/ctl/etcdctl.js';
import { CTL_KNOWN } from './lib/compat/ctl/known.js';
import { startSecond } from './lib/compat/ctl/second.js';
import type { Told } from './lib/compat/peer.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { bad, dim, good, say, table, verdictMark } from './lib/print.js';

const HELP = `
usage: npm run compat:etcdctl [-- --etcdctl FILE ...] [--etcd DIR ...] [--only WORD] [--slow] [--show] [--skip-build]

Runs the same commands of etcdctl against three members of ours and three of etcd's, and compares what they print and
their exit codes. What etcd's other versions print differently on purpose is counted as known, with the reason.

  --etcdctl FILE   default: the etcdctl on the PATH; give it again for another version
  --etcd DIR       the etcd in this folder; default: the newest on the PATH; give it again for another version
  --only WORD      cases with this word in their name
  --slow           also check perf and check datascale (minutes)
  --show           prints every command with what it printed against ours

  npm run compat:etcdctl -- --only lease --show
  npm run compat:etcdctl -- --etcdctl ~/etcd-3.4/etcdctl --etcdctl ~/etcd-3.7/etcdctl --etcd ~/etcd-3.7

Exit 0 if all is equal or has its reason, or if there is no etcd and ours answered; 1 if something else differs.
`;

const CASES: readonly CtlCase[] = [
  ...KV_CASES, ...WATCH_CASES, ...SESSION_CASES, ...CLUSTER_CASES, ...BESIDE_CASES, ...AUTH_CASES, CHECK_CASE,
];

type Record = ReadonlyMap<string, readonly Told[]>;

interface Command {
  readonly command: string;
  readonly version: string;
}

function commandAt(file: string): Command {
  const printed = execFileSync(file, ['version'], { encoding: 'utf8', env: { ...process.env, ETCDCTL_API: '3' } });
  const version = /etcdctl version: (\S+)/.exec(printed)?.[1];
  if (version === undefined) throw new UsageError(`${file} is no etcdctl: ${printed}`);
  return { command: file, version };
}

async function record(binary: Binary, etcdctl: Command, cases: readonly CtlCase[]): Promise<Record> {
  const name = `compat-ctl-${process.pid}-${binary.kind}`;
  const [cluster, second] = await Promise.all([Cluster.create({ binary, dir: name, size: 3 }), startSecond(binary, `${name}-second`)]);
  await cluster.start();
  const ctl = new Etcdctl(etcdctl, cluster, second);
  const out = new Map<string, readonly Told[]>();
  for (const one of cases) {
    say(`etcdctl ${etcdctl.version}, ${binary.kind} ${binary.version}: ${one.name}`);
    await one.run(ctl);
    out.set(one.name, ctl.take());
  }
  await Promise.all([cluster.stop(), second.cluster.stop()]);
  for (const { dir } of [cluster, second.cluster]) rmSync(dir, { recursive: true });
  return out;
}

/** How many differences nobody knows. */
function report(who: string, etcd: Binary, theirs: Record, ours: Record): number {
  const known = CTL_KNOWN.filter((each) => each.etcd?.test(etcd.version) ?? true);
  const found = [...theirs].flatMap(([name, told]) => differences(name, told, ours.get(name) ?? [], known));
  const open = found.filter(({ reason }) => reason === undefined);
  for (const { case: name, call, theirs: their, ours: our } of open) {
    console.log(`\n${bad('differs')}  ${name}\n  ${call}\n${dim('etcd')}\n${indent(their)}\n${dim('ours')}\n${indent(our)}`);
  }
  for (const reason of new Set(found.flatMap((each) => each.reason ?? []))) {
    const calls = found.filter((each) => each.reason === reason).map(({ call }) => call);
    console.log(`\n${good('known')}  ${reason}\n${dim(indent([...calls.slice(0, 5), ...(calls.length > 5 ? [`and ${calls.length - 5} more`] : [])].join('\n')))}`);
  }
  const rows = [...theirs].map(([name, told]) => {
    const of = found.filter((each) => each.case === name);
    const reasons = of.filter(({ reason }) => reason !== undefined).length;
    return [name, told.length, told.length - of.length, reasons, of.length - reasons];
  });
  const total = [1, 2, 3, 4].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
  console.log(`\n${table([`${who} against etcd ${etcd.version}`, 'told', 'equal', 'known', 'differ'], [...rows, ['all', ...total]])}\n${verdictMark(open.length === 0)}`);
  return open.length;
}

const indent = (text: string): string => text.split('\n').map((line) => `  ${line}`).join('\n');

await runMain(HELP, async () => {
  const { values } = flags({
    etcdctl: { type: 'string', multiple: true }, etcd: { type: 'string', multiple: true }, only: { type: 'string' }, slow: { type: 'boolean' },
    show: { type: 'boolean' }, 'skip-build': { type: 'boolean' },
  });
  const files = values.etcdctl ?? [which('etcdctl') ?? ''];
  if (files.includes('')) throw new UsageError('there is no etcdctl on the PATH; name one with --etcdctl');
  const cases = CASES.filter(({ name, slow }) => name.includes(values.only ?? '') && (slow !== true || values.slow === true));
  if (cases.length === 0) throw new UsageError(`no case has "${values.only ?? ''}" in its name: ${CASES.map(({ name }) => name).join('; ')}`);
  const etcds = values.etcd?.map(etcdAt) ?? findEtcds().sort((a, b) => (isBefore(a.version, b.version) ? -1 : 1)).slice(-1);
  if (values['skip-build'] !== true) await ensureBuilt();
  let open = 0;
  for (const command of files.map(commandAt)) {
    const has = cases.filter(({ since }) => since === undefined || !isBefore(command.version, since));
    const ours = await record(kintsugi(), command, has);
    if (values.show === true) for (const [name, told] of ours) console.log(`\n${name}\n${told.map(({ call, answer }) => `$ ${call}\n${answer}`).join('\n')}`);
    for (const etcd of etcds) open += report(`etcdctl ${command.version}`, etcd, await record(etcd, command, has), ours);
  }
  if (etcds.length === 0) console.log('there is no etcd on the PATH to compare with');
  return open === 0 ? 0 : 1;
});
