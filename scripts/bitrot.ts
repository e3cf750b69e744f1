/**
 * Bit-rot drill: rots tables of a follower and of the leader, running and stopped, then different
 * blocks of all three nodes at once; everything must be read back right through every node, the
 * heals must go through the log, and all tables end byte-equal.
 */

import { kintsugi } from './lib/binary.js';
import { runPass, type Pass } from './lib/bitrot.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, runMain, whole } from './lib/command.js';
import { loadFixedData, type FixedData } from './lib/fixed-data.js';
import { waitQuiet } from './lib/heal.js';
import { bad, bytes, dim, good, say, table, verdictMark } from './lib/print.js';

const HELP = `Rots table files of real nodes and demands that nothing is lost, everything heals, and all replicas end equal.

  npm run drill:bitrot
  npm run drill:bitrot -- --keys 12000 --value-bytes 1024 --seed 7
  npm run drill:bitrot -- --only follower-running      one of: ${'follower-running follower-stopped leader-running leader-stopped'}
                                                       stripes-running stripes-stopped
  npm run drill:bitrot -- --verbose                    each damage on a line of its own
`;

const SMALL = ['--experimental-memtable-bytes=1048576', '--experimental-table-bytes=1048576'];

const LEAST_FLIPS = 100;

const SCENARIOS = ['follower-running', 'leader-running', 'follower-stopped', 'leader-stopped', 'stripes-running', 'stripes-stopped'];

const HEAD = [
  'scenario', 'rotten blocks', 'reads', 'wrong', 'missing', 'errors', 'hints at leader', 'heals applied (3 nodes)', 'scrub 1 found', 'scrub 2 found',
  'healed in ms', 'tables equal', '',
];

function row(p: Pass): string[] {
  return [
    p.name, String(p.damage.reduce((n, d) => n + d.blocks, 0)), String(p.reads), String(p.wrong), String(p.missing), String(p.errors),
    String(p.hints), String(p.heals), String(p.firstScrub), String(p.secondScrub), String(p.healMs), p.equal ? good('yes') : bad('NO'),
    verdictMark(p.faults.length === 0),
  ];
}

await runMain(HELP, async () => {
  const { values } = flags({
    keys: { type: 'string', default: '12000' }, 'value-bytes': { type: 'string', default: '1024' }, seed: { type: 'string', default: '1' },
    only: { type: 'string' }, verbose: { type: 'boolean', default: false },
  });
  const data: FixedData = { keys: whole(values.keys, 'keys', 100), valueBytes: whole(values['value-bytes'], 'value-bytes', 24), seed: 77 };
  const cluster = await Cluster.create({ binary: kintsugi(), dir: 'bitrot', extraArgs: SMALL });
  say(`three nodes answer after ${await cluster.start()} ms; work directory ${cluster.dir}`);
  await loadFixedData(cluster.nodes.map((node) => node.endpoint), data);
  const rest = await waitQuiet(cluster);
  if (!rest.quiet) throw new Failure(`the trees did not come to rest: ${rest.why}`);
  say(`${data.keys} keys of ${data.valueBytes} B in ${rest.tables.tables} tables, ${bytes(rest.tables.bytes)}, equal on all three nodes`);
  if (rest.tables.tables < 7) throw new Failure(`only ${rest.tables.tables} tables: load more keys, each kind of damage needs a table of its own`);
  const passes: Pass[] = [];
  for (const name of values.only ? values.only.split(',') : SCENARIOS) {
    const pass = await runPass(cluster, name, data, whole(values.seed, 'seed') + passes.length, say);
    passes.push(pass);
    if (!name.startsWith('stripes') && (pass.damage[0]?.blocks ?? 0) < LEAST_FLIPS) {
      throw new Failure(`only ${pass.damage[0]?.blocks ?? 0} blocks could be flipped within parity: load more keys`);
    }
    if (values.verbose) pass.damage.forEach((d) => console.log(dim(`          ${d.what} (${d.blocks} blocks)`)));
    say(`${name}: ${pass.faults.length === 0 ? 'healed' : bad(pass.faults.join('; '))}`);
    if (pass.faults.length > 0 && !cluster.nodes.every((node) => node.running)) break;
  }
  console.log(table(HEAD, passes.map(row)));
  for (const pass of passes) for (const fault of pass.faults) console.log(bad(`${pass.name}: ${fault}`));
  const passed = passes.every((pass) => pass.faults.length === 0);
  console.log(verdictMark(passed), `bit rot, ${passes.length} scenarios`);
  return passed ? 0 : 1;
});
