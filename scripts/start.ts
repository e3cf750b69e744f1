/**
 * Three nodes in one terminal, with real data: the text files under `node_modules`, loaded through
 * gRPC. Goes on serving; with `--story` it rots a follower's tables, watches the cluster heal,
 * kills the leader under load, and ends.
 */

import { kintsugi, which } from './lib/binary.js';
import { freePorts } from '../src/server/free-ports.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, runMain, whole } from './lib/command.js';
import { checkDocuments, findDocuments, loadDocuments, type Document } from './lib/documents.js';
import { waitQuiet } from './lib/heal.js';
import { bytes, dim, endProgress, good, progress, say, strong, verdictMark } from './lib/print.js';
import { tellStory } from './lib/story.js';
import { LiveTable } from './lib/view.js';

const HELP = `Runs three nodes on loopback, loads the text files under node_modules, shows what each node does, goes on serving.

  npm start                            until Ctrl-C
  npm start -- --story                 rot, heal, kill the leader; exit code 0 only if all of it went as it should
  npm start -- --seconds 30            serve for 30 seconds, then end
  npm start -- --documents 5000 --megabytes 24
`;

/** Small tables, so that a few megabytes are flushed and compacted before your eyes. */
const SMALL = ['--experimental-memtable-bytes=2097152', '--experimental-table-bytes=1048576'];
const WANTED_PORTS = [2379, 2380, 2381, 22379, 22380, 22381, 32379, 32380, 32381];

async function ports(): Promise<number[]> {
  const { createServer } = await import('node:net');
  for (const port of WANTED_PORTS) {
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (!free) return freePorts(WANTED_PORTS.length);
  }
  return WANTED_PORTS;
}

async function load(cluster: Cluster, documents: readonly Document[], live: LiveTable): Promise<void> {
  const total = documents.reduce((sum, document) => sum + document.bytes, 0);
  say(`loading ${documents.length} documents, ${bytes(total)}, through all three nodes ...`);
  const endpoints = cluster.endpoints();
  const began = Date.now();
  let shown = '';
  const timer = setInterval(() => {
    if (process.stdout.isTTY) void live.draw(cluster, shown);
    else say(shown);
  }, process.stdout.isTTY ? 1000 : 5000);
  try {
    await loadDocuments(endpoints, documents, (done, loaded) => {
      shown = `loaded ${done} of ${documents.length} documents, ${bytes(loaded)}`;
    });
  } finally {
    clearInterval(timer);
    live.leave();
    for (const endpoint of endpoints) endpoint.close();
  }
  const seconds = (Date.now() - began) / 1000;
  say(`loaded ${documents.length} documents in ${seconds.toFixed(1)} s, ${bytes(total / seconds)}/s`);
}

function howToTalk(cluster: Cluster, documents: readonly Document[]): void {
  const url = cluster.node(0).spec.clientUrl.replace('http://', '');
  const all = cluster.urls.map((u) => u.replace('http://', '')).join(',');
  const key = documents[0]?.key ?? 'some/key';
  console.log(`
${strong('Talk to it')} (any node takes any request)
  node dist/bin/kintsugi.js ctl --endpoints=${url} get ${key}
  node dist/bin/kintsugi.js ctl --endpoints=${all} endpoint status
  curl ${cluster.node(0).spec.metricsUrl}/status       ${dim('also /livez /readyz /health /metrics')}
  ${which('etcdctl') ? '' : dim('with etcdctl: ')}ETCDCTL_API=3 etcdctl --endpoints=${all} get --prefix --keys-only --limit=5 node_modules/
${dim(`data and logs: ${cluster.dir}`)}
`);
}

async function serve(cluster: Cluster, live: LiveTable, seconds: number): Promise<void> {
  const until = seconds === 0 ? Infinity : Date.now() + seconds * 1000;
  live.leave();
  while (Date.now() < until) {
    const dead = cluster.nodes.find((node) => !node.running);
    if (dead) throw new Failure(`${dead.name} ended:\n${dead.logTail()}`);
    await live.draw(cluster, 'serving; Ctrl-C ends it');
    const pause = Math.min(process.stdout.isTTY ? 1000 : 10_000, Math.max(0, until - Date.now()));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

await runMain(HELP, async () => {
  const { values } = flags({
    story: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '0' },
    documents: { type: 'string', default: '6000' },
    megabytes: { type: 'string', default: '48' },
  });
  const seconds = whole(values.seconds, 'seconds');
  const cluster = await Cluster.create({ binary: kintsugi(), dir: 'start', extraArgs: SMALL, ports: await ports() });
  say(`three nodes start: ${cluster.urls.join(' ')}`);
  say(`all three answer linearizable reads after ${await cluster.start()} ms`);
  const most = whole(values.documents, 'documents', 1);
  const documents = findDocuments(most, whole(values.megabytes, 'megabytes', 1) * 1024 * 1024);
  const live = new LiveTable();
  await load(cluster, documents, live);
  progress('waiting until the trees are at rest ...');
  const rest = await waitQuiet(cluster);
  endProgress();
  say(rest.quiet ? `the three trees are at rest and equal, byte for byte: ${rest.tables.tables} tables, ${bytes(rest.tables.bytes)}` : `not at rest yet: ${rest.why}`);
  const leader = await cluster.leader();
  const check = await checkDocuments(leader.endpoint, documents, false);
  say(`read back through ${leader.name}: ${check.right} of ${documents.length} documents are right ${check.firstFault}`);
  if (check.right !== documents.length) throw new Failure(`not every document came back: ${check.firstFault}`);
  await live.draw(cluster, 'three nodes');
  live.leave();
  if (values.story) {
    const passed = await tellStory(cluster, documents);
    console.log(await import('./lib/view.js').then((view) => view.clusterTable(cluster)));
    console.log(verdictMark(passed), passed ? good('all of it happened') : 'the story did not go as it should');
    return passed ? 0 : 1;
  }
  howToTalk(cluster, documents);
  await serve(cluster, live, seconds);
  return 0;
});
