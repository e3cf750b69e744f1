/**
 * Backup drill: save under load, wipe everything, restore a new cluster, compare; then every
 * flipped bit of the archive must be found before anything is touched.
 */

import { join } from 'node:path';
import { contents, difference, flipBits, kintsugiCommand, pointFault, restoreAll, saveBackup } from './lib/backup.js';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import { LoadProcess } from './lib/load/process.js';
import { bad, bytes, good, say, table, verdictMark } from './lib/print.js';

const HELP = `Takes a backup under load, wipes all three nodes, restores three members of it, and compares keys and revisions.
Then flips a bit at many places of the archive: verify and restore must find each before anything is touched.

  npm run drill:backup
  npm run drill:backup -- --writers 64 --load 4000 --flips 200

Small memtables, so that the backup has tables of every kind.
`;

const SMALL = ['--experimental-memtable-bytes=1048576', '--experimental-table-bytes=1048576', '--experimental-log-segment-bytes=4194304'];

interface Check {
  readonly what: string;
  readonly fault: string;
  readonly note: string;
}

await runMain(HELP, async () => {
  const { values } = flags({
    writers: { type: 'string', default: '64' }, load: { type: 'string', default: '4000' }, 'value-bytes': { type: 'string', default: '256' },
    flips: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' },
  });
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'backup', extraArgs: SMALL });
  const load = await LoadProcess.start();
  onExit(() => load.stop());
  const checks: Check[] = [];
  const check = (what: string, fault: string, note: string): void => {
    checks.push({ what, fault, note });
    say(`${what}: ${fault === '' ? good(note) : bad(fault)}`);
  };
  say(`three nodes answer after ${await cluster.start()} ms`);

  const loadMs = whole(values.load, 'load', 500);
  load.startHistory({
    endpoints: cluster.urls, writers: whole(values.writers, 'writers', 1), readers: 4, sharedKeys: 64, sharedWrites: 0.2, casShare: 0.3,
    valueBytes: whole(values['value-bytes'], 'value-bytes', 8), timeoutMs: 5000, seed: whole(values.seed, 'seed'), prefix: 'b/', operationsPerSecond: 0,
  }, join(cluster.dir, 'history-backup.ndjson'));
  await new Promise((resolve) => setTimeout(resolve, loadMs));
  const [follower] = await cluster.followers();
  if (follower === undefined) throw new Failure('there is no follower');
  const file = join(cluster.dir, 'backup.db');
  const saved = await saveBackup(follower, file);
  await new Promise((resolve) => setTimeout(resolve, loadMs / 4));
  const operations = await load.stopHistory();
  const acknowledged = operations.filter((op) => op.outcome === 'ok' && op.kind !== 'get').length;
  if (acknowledged === 0) throw new Failure('nothing was acknowledged');
  check('saved under load', '', `revision ${saved.revision}, ${saved.keys} keys, ${bytes(saved.bytes)} in ${Math.round(saved.tookMs)} ms, of ${acknowledged} acknowledged writes`);
  check('its point', pointFault(operations, saved), 'all that was acknowledged before is in it, nothing that was asked for later');

  const then = await contents(cluster.urls[0] as string, saved.revision);
  await cluster.stop('SIGKILL');
  const token = `restored-${Date.now()}`;
  const began = Date.now();
  const copy = await restoreAll(cluster, [file], token);
  onExit(() => copy.stop('SIGKILL'));
  const restoredMs = Date.now() - began;
  const startMs = await copy.start();
  check('wiped and restored', '', `three members made in ${restoredMs} ms, they answer after ${startMs} ms`);
  for (const node of copy.nodes) {
    const now = await contents(node.spec.clientUrl);
    const fault = now.revision === saved.revision ? difference(then.keys, now.keys) : `revision ${now.revision}, the backup was at ${saved.revision}`;
    check(`${node.name} has what was saved`, fault, `${now.keys.length} keys, revision ${now.revision}`);
  }
  await kintsugiCommand('ctl', '--endpoints', copy.urls.join(','), 'put', 'after', 'restore');
  const after = await contents(copy.urls[1] as string);
  check('it goes on', after.revision === saved.revision + 1 ? '' : `revision ${after.revision} after a put at ${saved.revision}`, `revision ${after.revision}`);
  await copy.stop('SIGKILL');

  let seed = whole(values.seed, 'seed') + 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const flips = whole(values.flips, 'flips', 2);
  const result = await flipBits(cluster.dir, file, flips, random);
  const missed = (places: readonly number[]): string => (places.length === 0 ? '' : `${places.length} missed: bytes ${places.slice(0, 8).join(', ')}`);
  check('flipped bits, verify', missed(result.missedByVerify), `${flips} of ${flips} found`);
  check('flipped bits, restore', missed(result.missedByRestore), `${flips} of ${flips} refused before anything was touched`);

  console.log(table(['check', 'result', ''], checks.map(({ what, fault, note }) => [what, fault === '' ? note : bad(fault), verdictMark(fault === '')])));
  const passed = checks.every(({ fault }) => fault === '');
  console.log(verdictMark(passed), 'backup, wipe, restore');
  return passed ? 0 : 1;
});
