/**
 * Half-open drill: two thousand connections that begin something and never end it, against the
 * client port and the peer port of the leader and of a follower, plain and over TLS, while the
 * cluster serves clients through that very member. Holds only if the limits of OPERATING.md hold.
 */

import { readdirSync } from 'node:fs';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import { PLAIN_KINDS, startHalfOpen, TLS_KINDS } from './lib/half-open.js';
import { Endpoint } from './lib/load/grpc.js';
import { Histogram } from './lib/load/histogram.js';
import type { ClusterNode } from './lib/node.js';
import { pacedPuts } from './lib/paced-puts.js';
import { say, table, verdictMark } from './lib/print.js';
import { Turns } from './lib/turns.js';

const HELP = `Half-open connections against both ports of the leader and of a follower: silent, half a ClientHello, half a preface, half a request.

  npm run drill:handshakes                                     2,000 of them, plain and over TLS
  npm run drill:handshakes -- --connections 400 --seconds 6     a short form
  npm run drill:handshakes -- --functional                     one window each; times are told, not held

Exit code 0 only if every put through that member is answered meanwhile, their p99 is at most --max-ratio (2) times that of the
windows without, the leader stays the leader, no connection stays open for longer than a handshake may take (10 s, on the peer
port 5 s), no more than 512 are in a handshake of TLS at a time, and the descriptors come back once the connections are gone.
A window without them in which puts fail or the leader changes fails as well, by that reason: the machine is too busy. How long
the turns of the member's event loop took, in CPU time, tells whether the member or the machine was slow.
A run shorter than 14 s a window sees no handshake run out of time on the client port; one of fewer than 1,100 connections never
comes near the 512.
`;

const WINDOWS = 2;
const RATE = 100;
/** Of descriptors that come and go by themselves. */
const SLACK = 16;
/** As OPERATING.md has it. */
const MAX_HANDSHAKES = 512;
const HANDSHAKE_MS = { client: 10_000, peer: 5_000 };
/** Ports look at the time once in a second; the rest is the drill's own. */
const LATE_MS = 2_500;
const SETTLE_MS = 20_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const descriptors = (node: ClusterNode): number => readdirSync(`/proc/${node.pid}/fd`).length;

interface Row {
  readonly what: string;
  readonly cells: readonly (string | number)[];
  /** Nothing: it held. */
  readonly wrong: readonly string[];
}

type Port = 'client' | 'peer';

interface Aim {
  readonly role: 'leader' | 'follower';
  readonly port: Port;
  readonly secure: boolean;
}

async function aimedAt(cluster: Cluster, role: Aim['role']): Promise<ClusterNode> {
  if (role === 'leader') return cluster.leader();
  const [follower] = await cluster.followers();
  if (follower === undefined) throw new Failure('there is no follower');
  return follower;
}

/** How many of these connections a member may hold at once: each of the kinds is as frequent. */
function mostHeld(count: number, { secure }: Aim): number {
  if (!secure) return count;
  const inHandshake = Math.ceil((count * TLS_KINDS.filter((kind) => !kind.startsWith('tls-')).length) / TLS_KINDS.length);
  return count - inHandshake + Math.min(inHandshake, MAX_HANDSHAKES);
}

function nameOf({ role, port, secure }: Aim): string {
  return `${role}, ${port} port, ${secure ? 'TLS' : 'plain'}`;
}

/** Of a machine on which this happens without them nothing can be said of what they do. */
function unsteady(aim: Aim, failed: number, still: boolean): Row {
  const why = [failed > 0 && `${failed} puts failed`, !still && 'the leader changed'].filter((one) => one !== false).join(', ');
  const nothing = HEAD.slice(1, -1).map(() => '-');
  return { what: nameOf(aim), cells: nothing, wrong: [`nothing can be said: ${why} without such connections, too`] };
}

interface Load {
  readonly count: number;
  readonly seconds: number;
  readonly windows: number;
  /** Of p99. */
  readonly maxRatio: number;
  /** What a handshake may take besides its own time. */
  readonly lateMs: number;
}

async function against(cluster: Cluster, aim: Aim, { count, seconds, windows, maxRatio, lateMs }: Load): Promise<Row> {
  const { role, port, secure } = aim;
  const member = await aimedAt(cluster, role);
  const { leader: id } = await member.grpcStatus();
  const target = Number(new URL(port === 'client' ? member.spec.clientUrl : member.spec.peerUrl).port);
  const endpoint = new Endpoint(member.spec.clientUrl);
  const keyOf = (n: number): string => `k/${n % 100}`;
  await pacedPuts(endpoint, RATE, 1, keyOf);
  const idle = new Histogram();
  const beside = new Histogram();
  const before = descriptors(member);
  let most = 0;
  const turns = new Turns(member);
  let failed = 0;
  let failedWithout = 0;
  let opened = 0;
  let oldestMs = 0;
  let turnMs = 0;
  for (let window = 0; window < windows; window++) {
    failedWithout += (await pacedPuts(endpoint, RATE, seconds, keyOf, idle)).failed;
    const still = (await member.grpcStatus(10_000)).leader === id;
    if (failedWithout > 0 || !still) return unsteady(aim, failedWithout, still);
    const half = await startHalfOpen({ port: target, kinds: secure ? TLS_KINDS : PLAIN_KINDS, count });
    onExit(() => half.stop());
    await turns.longest();
    half.go();
    const timer = setInterval(() => (most = Math.max(most, descriptors(member))), 100);
    await sleep(500);
    failed += (await pacedPuts(endpoint, RATE, seconds, keyOf, beside)).failed;
    clearInterval(timer);
    turnMs = Math.max(turnMs, await turns.longest());
    const end = await half.close();
    opened += end.opened;
    oldestMs = Math.max(oldestMs, end.oldestMs);
  }
  const deadline = Date.now() + SETTLE_MS;
  while (descriptors(member) > before + SLACK && Date.now() < deadline) await sleep(100);
  const after = descriptors(member);
  const same = (await member.grpcStatus(10_000)).leader === id;
  endpoint.close();
  const [p99, p99Beside] = [idle.percentile(0.99), beside.percentile(0.99)];
  const cells = [
    opened, `${before}, ${most}, ${after}`, (oldestMs / 1000).toFixed(1), p99.toFixed(1), p99Beside.toFixed(1), turnMs, failed, same ? 'yes' : 'no',
  ];
  const wrong = [
    failed > 0 && 'puts failed',
    !same && 'another member leads',
    opened < count && 'too few connections were opened',
    most - before > mostHeld(count, aim) + SLACK && 'too many connections were held',
    oldestMs > HANDSHAKE_MS[port] + lateMs && 'a connection was open for too long',
    after > before + SLACK && 'descriptors did not come back',
    p99Beside > maxRatio * p99 && 'puts were slower',
  ].filter((one) => one !== false);
  return { what: nameOf(aim), cells, wrong };
}

const HEAD = ['against', 'opened', 'descriptors before, most, after', 'open at most, s', 'p99 without, ms', 'p99 beside, ms', 'turns up to, ms', 'failed', 'still leads', ''];

await runMain(HELP, async () => {
  const { values } = flags({
    connections: { type: 'string', default: '2000' }, seconds: { type: 'string', default: '15' }, 'max-ratio': { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' }, functional: { type: 'boolean', default: false },
  });
  const count = whole(values.connections, 'connections', 1);
  const load: Load = {
    count, seconds: whole(values.seconds, 'seconds', 1), windows: values.functional ? 1 : WINDOWS,
    maxRatio: values.functional ? Infinity : Number(values['max-ratio']),
    lateMs: values.functional ? Infinity : LATE_MS,
  };
  const rows: Row[] = [];
  for (const secure of [false, true]) {
    const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'handshakes', autoTls: secure });
    say(`three nodes${secure ? ' with TLS' : ''} answer after ${await cluster.start()} ms`);
    for (const role of ['leader', 'follower'] as const) {
      for (const port of ['client', 'peer'] as const) {
        const row = await against(cluster, { role, port, secure }, load);
        say(`${row.what}: ${row.wrong.length === 0 ? 'held' : row.wrong.join(', ')}`);
        rows.push(row);
      }
    }
    await cluster.stop('SIGKILL');
  }
  console.log(table(HEAD, rows.map(({ what, cells, wrong }) => [what, ...cells, verdictMark(wrong.length === 0)])));
  const passed = rows.every(({ wrong }) => wrong.length === 0);
  console.log(verdictMark(passed), `${count} half-open connections`);
  return passed ? 0 : 1;
});
