/**
 * Catch-up drill: a follower is down while a million keys are written and the log is truncated, and
 * comes back under load by fetching tables; another one, which has most of the tables, fetches only
 * the rest. Holds if the cluster goes on at no less than 60 % of its rate meanwhile.
 */

import { must } from '../src/base/assert.js';
import { kintsugi } from './lib/binary.js';
import { CatchUpDrill, mean, sizedFor, type CatchUp, type Rates } from './lib/catch-up.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, bytes, say, table, verdictMark } from './lib/print.js';

const HELP = `A follower that was away while a million keys were written catches up under load; then one that has 90 % of the tables.

  npm run drill:catchup
  npm run drill:catchup -- --keys 100000 --clients 64 --windows 3      memtables and tables are smaller by as much
  npm run drill:catchup -- --floor 0             on a machine that does other things beside

Exit code 0 only if the log was truncated behind both, puts and gets went on at --floor (60) per cent of their rate in the same run
before and after while the first caught up, the second fetched no more than it lacked, and all members end with equal tables.
`;

const HEAD = ['follower', 'caught up in ms', 'tables', 'had', 'fetched', 'puts/s before', 'during', 'after', 'share', 'gets/s during', 'after', 'share'];

/** Of the tables of the second one's new version. */
const HELD_MIN = 0.9;
/** Parity and frames of a table do not travel; what is mended on the way may come twice. */
const FETCHED_MAX = 1.1;

const rate = (rates: readonly number[]): string => (rates.length === 0 ? '-' : mean(rates).toFixed(0));

/** Of the mean of the windows before and after. */
function share({ before, during, after }: Rates): number {
  return mean(during) / mean([...before, ...after]);
}

const percent = (rates: Rates): string => (rates.during.length === 0 ? '-' : `${(100 * share(rates)).toFixed(0)} %`);

const row = (c: CatchUp): string[] => [
  c.node, String(c.tookMs), bytes(c.tableBytes), `${((100 * c.heldBytes) / c.tableBytes).toFixed(1)} %`, bytes(c.fetchedBytes),
  rate(c.puts.before), rate(c.puts.during), rate(c.puts.after), percent(c.puts), rate(c.gets.during), rate(c.gets.after), percent(c.gets),
];

await runMain(HELP, async () => {
  const { values } = flags({
    keys: { type: 'string', default: '1000000' }, 'value-bytes': { type: 'string', default: '100' }, clients: { type: 'string', default: '64' },
    windows: { type: 'string', default: '4' }, window: { type: 'string', default: '1' }, floor: { type: 'string', default: '60' },
    dir: { type: 'string', default: 'catchup' },
  });
  const floor = whole(values.floor, 'floor') / 100;
  const keys = whole(values.keys, 'keys', 1000);
  const cluster = await Cluster.create({ binary: kintsugi(), dir: values.dir, extraArgs: sizedFor(keys) });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  say(`three nodes answer after ${await cluster.start()} ms; work directory ${cluster.dir}`);
  const drill = new CatchUpDrill(cluster, load, {
    keys, valueBytes: whole(values['value-bytes'], 'value-bytes', 24), clients: whole(values.clients, 'clients', 1),
    windowSeconds: whole(values.window, 'window', 1), windows: whole(values.windows, 'windows', 1), say,
  });
  const first = await drill.first();
  const faults: string[] = [];
  const seconds: CatchUp[] = [];
  for await (const second of drill.seconds(first.node, HELD_MIN)) {
    seconds.push(second);
    const lacked = second.tableBytes - second.heldBytes;
    if (second.fetchedBytes > FETCHED_MAX * lacked) faults.push(`${second.node} fetched ${bytes(second.fetchedBytes)}, and lacked ${bytes(lacked)}`);
  }
  await drill.verify();
  for (const [what, rates] of [['puts', first.puts], ['gets', first.gets]] as const) {
    if (rates.during.length === 0) say(`${what}: it had caught up before the first window of them`);
    else if (share(rates) < floor) faults.push(`${what} went on at ${(100 * share(rates)).toFixed(0)} % of their rate`);
  }
  const second = must(seconds.at(-1), 'there is a second');
  const lacked = second.tableBytes - second.heldBytes;
  if (second.heldBytes < HELD_MIN * second.tableBytes) faults.push(`${second.node} had ${bytes(second.heldBytes)} of ${bytes(second.tableBytes)}, not 90 %`);
  console.log(table(HEAD, [row(first), ...seconds.map(row)]));
  for (const fault of faults) console.log(bad(fault));
  console.log(verdictMark(faults.length === 0), `${values.keys} keys: the second lacked ${lacked} bytes of tables and fetched ${second.fetchedBytes}`);
  return faults.length === 0 ? 0 : 1;
});
