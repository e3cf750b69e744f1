/**
 * `npm run compat:etcdctl`: every command of an etcdctl against a cluster of ours and, where there
 * is an etcd, against one of etcd's, with what was printed compared.
 */

import { binaryOf, etcdAt, findEtcds, which, type Binary } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, runMain, UsageError } from './lib/command.js';
import { differences } from './lib/compat/compare.js';
import { Etcdctl } from './lib/compat/etcdctl.js';
import { CTL_CASES, type CtlCase } from './lib/compat/etcdctl-cases.js';
import type { Told } from './lib/compat/peer.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { bad, dim, say, table, verdictMark } from './lib/print.js';

const HELP = `
usage: npm run compat:etcdctl [-- --etcdctl FILE] [--etcd DIR] [--only WORD] [--slow] [--show] [--skip-build]

Runs the same commands of etcdctl against three members of ours and three of etcd's, and compares what they print and
their exit codes.

  --etcdctl FILE   default: the etcdctl on the PATH
  --etcd DIR       the etcd in this folder; default: the newest on the PATH
  --only WORD      cases with this word in their name
  --slow           also check perf and check datascale
  --show           prints every command with what it printed against ours

  npm run compat:etcdctl -- --only lease --show

Exit 0 if all is equal, or if there is no etcd and ours answered; 1 if something differs.
`;

type Record = ReadonlyMap<string, readonly Told[]>;

async function record(binary: Binary, etcdctl: string, cases: readonly CtlCase[]): Promise<Record> {
  const cluster = await Cluster.create({ binary, dir: `compat-ctl-${binary.kind}`, size: 3 });
  await cluster.start();
  const ctl = new Etcdctl(etcdctl, cluster.urls);
  const out = new Map<string, readonly Told[]>();
  for (const one of cases) {
    say(`${binary.kind}: ${one.name}`);
    await one.run(ctl);
    out.set(one.name, ctl.take());
  }
  await cluster.stop();
  return out;
}

function report(theirs: Record, ours: Record): boolean {
  const found = [...theirs].flatMap(([name, told]) => differences(name, told, ours.get(name) ?? []));
  for (const { case: name, call, theirs: their, ours: our } of found) {
    console.log(`\n${bad('differs')}  ${name}\n  ${call}\n${dim('etcd')}\n${indent(their)}\n${dim('ours')}\n${indent(our)}`);
  }
  const rows = [...theirs].map(([name, told]) => [name, told.length, told.length - found.filter((each) => each.case === name).length]);
  console.log(`\n${table(['commands', 'run', 'equal'], rows)}\n${verdictMark(found.length === 0)}`);
  return found.length === 0;
}

const indent = (text: string): string => text.split('\n').map((line) => `  ${line}`).join('\n');

await runMain(HELP, async () => {
  const { values } = flags({
    etcdctl: { type: 'string' }, etcd: { type: 'string' }, only: { type: 'string' }, slow: { type: 'boolean' }, show: { type: 'boolean' },
    'skip-build': { type: 'boolean' },
  });
  const etcdctl = values.etcdctl ?? which('etcdctl');
  if (etcdctl === undefined) throw new UsageError('there is no etcdctl on the PATH; name one with --etcdctl');
  const cases = CTL_CASES.filter(({ name, slow }) => name.includes(values.only ?? '') && (slow !== true || values.slow === true));
  if (cases.length === 0) throw new UsageError(`no case has "${values.only ?? ''}" in its name: ${CTL_CASES.map(({ name }) => name).join('; ')}`);
  const etcd = values.etcd === undefined ? findEtcds().at(-1) : etcdAt(values.etcd);
  if (values['skip-build'] !== true) await ensureBuilt();
  const ours = await record(binaryOf('kintsugi'), etcdctl, cases);
  if (values.show === true) for (const [name, told] of ours) console.log(`\n${name}\n${told.map(({ call, answer }) => `$ ${call}\n${answer}`).join('\n')}`);
  if (etcd === undefined) {
    console.log('there is no etcd on the PATH to compare with');
    return 0;
  }
  return report(await record(etcd, etcdctl, cases), ours) ? 0 : 1;
});
