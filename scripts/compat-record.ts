/**
 * `npm run compat:record`: the same calls, over gRPC and as JSON, to Kintsugi and to a real etcd,
 * each with a new store of one member, and every answer compared.
 */

import { binaryOf, etcdAt, findEtcds, kintsugi, type Binary } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, UsageError } from './lib/command.js';
import type { Case } from './lib/compat/case.js';
import { AUTH_CASES } from './lib/compat/cases-auth.js';
import { CLUSTER_CASES } from './lib/compat/cases-cluster.js';
import { CONCURRENCY_CASES } from './lib/compat/cases-concurrency.js';
import { JSON_AUTH_CASES, JSON_CASES } from './lib/compat/cases-json.js';
import { KV_CASES } from './lib/compat/cases-kv.js';
import { LEASE_CASES } from './lib/compat/cases-lease.js';
import { TXN_CASES } from './lib/compat/cases-txn.js';
import { WATCH_CASES } from './lib/compat/cases-watch.js';
import { isBefore } from './lib/compat/ctl/case.js';
import { differences, RECORD_KNOWN, type Difference } from './lib/compat/compare.js';
import { Peer, type Told } from './lib/compat/peer.js';
import { ensureBuilt } from './lib/ensure-built.mjs';
import { bad, dim, good, say, table, verdictMark } from './lib/print.js';

/** What is compared without being named: ours answers as this does. */
const SINCE = '3.7';

const HELP = `
usage: npm run compat:record [-- ENDPOINT] [--etcd DIR ...] [--only WORD] [--show] [--skip-build]

Makes the same calls, over gRPC and as JSON, to a new store of ours and to one of etcd, and compares every answer,
errors included. Without ENDPOINT and --etcd, every etcd on the PATH from ${SINCE} on is started and compared; with none of
them, ours is only recorded. The calls are of ${SINCE}'s API: an older etcd that is named has no answer to some of them, and
other words for some.

  ENDPOINT       an etcd that runs already, as http://127.0.0.1:2379; its store must be empty
  --etcd DIR     the etcd in this folder, of any version from 3.4 on
  --only WORD    cases with this word in their name
  --show         prints every call with what ours answers

  npm run compat:record -- --etcd ~/etcd-3.7
  npm run compat:record -- --only watch --show

Exit 0 if every difference is one that is known and has its reason, 1 if not.
`;

const CASES: readonly Case[] = [
  ...KV_CASES, ...TXN_CASES, ...WATCH_CASES, ...LEASE_CASES, ...CLUSTER_CASES, ...CONCURRENCY_CASES,
  ...JSON_CASES, ...AUTH_CASES, ...JSON_AUTH_CASES,
];

type Record = ReadonlyMap<string, readonly Told[]>;

async function start(binary: Binary): Promise<string> {
  const cluster = await Cluster.create({ binary, dir: `compat-${binary.kind}-${binary.version.replaceAll(' ', '-')}`, size: 1 });
  await cluster.start();
  return cluster.urls[0] as string;
}

async function record(url: string, cases: readonly Case[]): Promise<Record> {
  const peer = new Peer(url);
  onExit(() => peer.close());
  const out = new Map<string, readonly Told[]>();
  const found = await peer.quietly('KV', 'Range', { key: Buffer.from('\0'), range_end: Buffer.from('\0'), count_only: true });
  if (found === undefined) throw new UsageError(`nobody answers at ${url}`);
  if (String(found['count']) !== '0') throw new UsageError(`the store at ${url} holds ${String(found['count'])} keys: the calls need an empty one`);
  const version = String((await peer.quietly('Maintenance', 'Status'))?.['version']);
  for (const { name, service, since, run } of cases) {
    if (since !== undefined && isBefore(version, since)) {
      say(`left out, for etcd ${version} cannot be asked: ${name}`);
      continue;
    }
    await peer.begin(service);
    const one = cases.find((each) => each.name === name) as Case;
    try {
      await run.call(one, peer);
    } catch (error) {
      const last = peer.take().at(-1);
      throw new Failure(`${name}: cannot go on at ${url}: ${(error as Error).message}; the last call was ${last?.call}: ${last?.answer}`);
    }
    peer.useToken(undefined);
    out.set(name, peer.take());
  }
  peer.close();
  return out;
}

function report(peer: string, theirs: Record, ours: Record): number {
  const found: Difference[] = [...theirs].flatMap(([name, told]) => differences(name, told, ours.get(name) ?? [], RECORD_KNOWN));
  const calls = [...theirs.values()].reduce((sum, told) => sum + told.length, 0);
  const open = found.filter(({ reason }) => reason === undefined);
  for (const { case: name, call, theirs: their, ours: our, reason } of found) {
    console.log(`\n${reason === undefined ? bad('differs') : dim('known')}  ${name}\n  ${call}\n  ${dim(peer)}  ${their}\n  ${dim('ours')}  ${our}`);
    if (reason !== undefined) console.log(`  ${dim('why')}  ${reason}`);
  }
  const rows = [...theirs].map(([name, told]) => {
    const of = found.filter((each) => each.case === name);
    const known = of.filter(({ reason }) => reason !== undefined).length;
    return [name, told.length, told.length - of.length, known, of.length - known];
  });
  console.log(`\n${table(['case', 'calls', 'equal', 'known', 'differ'], rows)}`);
  console.log(`${verdictMark(open.length === 0)}  ${calls} calls against ${peer}: ${good(`${calls - found.length} equal`)}, ${found.length - open.length} known, ${open.length} differ`);
  return open.length;
}

await runMain(HELP, async () => {
  const { values, positionals } = flags({
    etcd: { type: 'string', multiple: true }, only: { type: 'string' }, show: { type: 'boolean' }, 'skip-build': { type: 'boolean' },
  });
  const cases = CASES.filter(({ name }) => name.includes(values.only ?? ''));
  if (cases.length === 0) throw new UsageError(`no case has "${values.only ?? ''}" in its name: ${CASES.map(({ name }) => name).join('; ')}`);
  const there = values.etcd === undefined && positionals.length === 0 ? findEtcds() : [];
  const older = there.filter(({ version }) => isBefore(version, SINCE));
  for (const { version } of older) say(`skipped: etcd ${version} on the PATH; the calls are of ${SINCE}'s API (--etcd compares it all the same)`);
  const etcds = values.etcd?.map(etcdAt) ?? there.filter((each) => !older.includes(each));
  if (values['skip-build'] !== true) await ensureBuilt();
  say('recording ours');
  const ours = await record(await start(binaryOf(kintsugi().kind)), cases);
  if (values.show === true) for (const [name, told] of ours) console.log(`\n${name}\n${told.map(({ call, answer }) => `  ${call}\n    ${answer}`).join('\n')}`);
  let open = 0;
  for (const etcd of etcds) {
    say(`recording etcd ${etcd.version}`);
    open += report(`etcd ${etcd.version}`, await record(await start(etcd), cases), ours);
  }
  for (const url of positionals) open += report(url, await record(url, cases), ours);
  if (etcds.length + positionals.length === 0) {
    const calls = [...ours.values()].reduce((sum, told) => sum + told.length, 0);
    if (calls === 0) throw new Failure('nothing was recorded');
    console.log(`${calls} calls recorded; there is no etcd ${SINCE} on the PATH to compare with`);
  }
  return open === 0 ? 0 : 1;
});
