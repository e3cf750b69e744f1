/**
 * Watch drill: watchers of every kind on all members through kills of the leader, partitions,
 * pauses and compactions, under writers of transactions. Holds only if each of them hears every
 * event of every revision once, in order, each transaction whole.
 */

import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import { Nemesis, type Deed } from './lib/nemesis.js';
import { bad, say, table, verdictMark } from './lib/print.js';
import { PeerProxies } from './lib/proxy.js';
import { seededRandom } from './lib/random.js';
import { WatchDrillProcess } from './lib/watches/process.js';

const HELP = `Watchers on all members through kills of leaders, partitions and compactions: every event once, in order, whole.

  npm run drill:watches                              20 kills of the leader, a partition or the like after each
  npm run drill:watches -- --kills 3 --seed 7        a short form
  npm run drill:watches -- --target etcd             the same against an etcd on the PATH

Raw gRPC streams and the published client; from past revisions, with prev_kv, filters and fragments, several on a stream;
slow readers, and stragglers that compaction overtakes. Exit code 0 only if every event was heard as the history has it, every
progress notification was true, and whoever wanted what is compacted was told by which revision.
`;

const SMALL = ['--experimental-memtable-bytes=524288', '--experimental-table-bytes=524288', '--experimental-log-segment-bytes=1048576'];
const BETWEEN: readonly Deed[] = ['isolate', 'deafen', 'mute', 'cut pair', 'pause', 'restart', 'kill'];
const PATIENCE_MS = 120_000;
const READY_MS = 60_000;

await runMain(HELP, async () => {
  const { values } = flags({
    kills: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' }, target: { type: 'string', default: 'kintsugi' },
    writers: { type: 'string', default: '8' }, rate: { type: 'string', default: '80' }, dir: { type: 'string', default: 'watches' },
  });
  const seed = whole(values.seed, 'seed');
  const kills = whole(values.kills, 'kills');
  const perSecond = whole(values.rate, 'rate', 1);
  const binary = binaryOf(values.target);
  const proxies = new PeerProxies();
  onExit(() => proxies.close());
  const cluster = await Cluster.create({
    binary, dir: values.dir, extraArgs: binary.kind === 'kintsugi' ? SMALL : [], peerProxy: (node, port) => proxies.front(node, port),
  });
  proxies.nodes = cluster.nodes;
  say(`seed ${seed}; three nodes of ${binary.kind} answer after ${await cluster.start()} ms; work directory ${cluster.dir}`);
  const random = seededRandom(seed);
  const drill = new WatchDrillProcess({ urls: cluster.urls, seed, writers: whole(values.writers, 'writers', 1), perSecond });
  const nemesis = new Nemesis(cluster, proxies, random, (text) => say(`${text}; ${drill.told}`));
  await drill.begin(READY_MS);
  for (let kill = 0; kill < kills; kill++) {
    for (const deed of ['kill leader', BETWEEN[Math.floor(random() * BETWEEN.length)] as Deed]) {
      await nemesis.strike(deed as Deed);
      await Promise.all(cluster.nodes.map((node) => node.waitReady(READY_MS)));
    }
    if (drill.faults.length > 0) break;
  }
  const done = [...nemesis.done].map(([deed, n]) => `${deed} ${n}`).join(', ');
  say(`${done}; all is well again, the writers stop`);
  const { last, counts } = await drill.finish(PATIENCE_MS);
  console.log(table(['what', 'how much'], [['deeds', done], ...counts]));
  for (const fault of drill.faults.slice(0, 20)) console.log(bad(fault));
  if (last < 2) throw new Failure('nothing was written');
  const holds = drill.faults.length === 0;
  console.log(verdictMark(holds), `watches of ${binary.kind} through ${kills} kills, seed ${seed}`);
  return holds ? 0 : 1;
});
