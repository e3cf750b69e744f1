/**
 * Half-open drill: two thousand connections that begin something and never end it, against the
 * client port and the peer port of the leader, plain and over TLS, while the cluster serves.
 */

import { readdirSync } from 'node:fs';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { flags, onExit, runMain, whole } from './lib/command.js';
import { HalfOpen, PLAIN_KINDS, TLS_KINDS } from './lib/half-open.js';
import { Histogram } from './lib/load/histogram.js';
import type { ClusterNode } from './lib/node.js';
import { pacedPuts } from './lib/paced-puts.js';
import { say, table, verdictMark } from './lib/print.js';

const HELP = `Half-open connections against both ports of the leader: silent, half a ClientHello, half a preface, half a request.

  npm run drill:handshakes                                     2,000 of them, plain and over TLS
  npm run drill:handshakes -- --connections 400 --seconds 6     a short form

Exit code 0 only if every put is answered meanwhile, their p99 is at most --max-ratio (2) times that of the windows without, the
leader stays the leader, and its descriptors come back once the connections are gone.
`;

const WINDOWS = 2;
const RATE = 100;
/** Of descriptors that come and go by themselves. */
const SLACK = 16;
const SETTLE_MS = 20_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const descriptors = (node: ClusterNode): number => readdirSync(`/proc/${node.pid}/fd`).length;

interface Row {
  readonly what: string;
  readonly cells: readonly (string | number)[];
  readonly holds: boolean;
}

async function against(cluster: Cluster, port: 'client' | 'peer', secure: boolean, count: number, seconds: number, maxRatio: number): Promise<Row> {
  const leader = await cluster.leader();
  const { leader: id } = await leader.grpcStatus();
  const target = Number(new URL(port === 'client' ? leader.spec.clientUrl : leader.spec.peerUrl).port);
  const endpoint = (cluster.endpoints()[0] as ReturnType<Cluster['endpoints']>[number]);
  const keyOf = (n: number): string => `k/${n % 100}`;
  await pacedPuts(endpoint, RATE, 1, keyOf);
  const idle = new Histogram();
  const beside = new Histogram();
  const before = descriptors(leader);
  let most = 0;
  let failed = 0;
  let opened = 0;
  for (let window = 0; window < WINDOWS; window++) {
    failed += (await pacedPuts(endpoint, RATE, seconds, keyOf, idle)).failed;
    const half = new HalfOpen(target, secure ? TLS_KINDS : PLAIN_KINDS, count);
    onExit(() => half.close());
    const timer = setInterval(() => (most = Math.max(most, descriptors(leader))), 100);
    await sleep(500);
    failed += (await pacedPuts(endpoint, RATE, seconds, keyOf, beside)).failed;
    clearInterval(timer);
    opened += half.opened;
    half.close();
  }
  const deadline = Date.now() + SETTLE_MS;
  while (descriptors(leader) > before + SLACK && Date.now() < deadline) await sleep(100);
  const after = descriptors(leader);
  const same = (await leader.grpcStatus(10_000)).leader === id;
  endpoint.close();
  const [p99, p99Beside] = [idle.percentile(0.99), beside.percentile(0.99)];
  const what = `${port} port, ${secure ? 'TLS' : 'plain'}`;
  const cells = [opened, `${before}, ${most}, ${after}`, p99.toFixed(1), p99Beside.toFixed(1), failed, same ? 'yes' : 'no'];
  return { what, cells, holds: failed === 0 && same && opened >= count && after <= before + SLACK && p99Beside <= maxRatio * p99 };
}

const HEAD = ['against', 'opened', 'descriptors before, most, after', 'p99 without, ms', 'p99 beside, ms', 'failed', 'still leads', ''];

await runMain(HELP, async () => {
  const { values } = flags({
    connections: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '10' }, 'max-ratio': { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
  });
  const count = whole(values.connections, 'connections', 1);
  const seconds = whole(values.seconds, 'seconds', 1);
  const rows: Row[] = [];
  for (const secure of [false, true]) {
    const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'handshakes', autoTls: secure });
    say(`three nodes${secure ? ' with TLS' : ''} answer after ${await cluster.start()} ms`);
    for (const port of ['client', 'peer'] as const) {
      const row = await against(cluster, port, secure, count, seconds, Number(values['max-ratio']));
      say(`${row.what}: ${row.holds ? 'held' : 'did not hold'}`);
      rows.push(row);
    }
    await cluster.stop('SIGKILL');
  }
  console.log(table(HEAD, rows.map(({ what, cells, holds }) => [what, ...cells, verdictMark(holds)])));
  const passed = rows.every(({ holds }) => holds);
  console.log(verdictMark(passed), `${count} half-open connections`);
  return passed ? 0 : 1;
});
