/**
 * `npm run fuzz:http2`: sessions from a seed against the HTTP/2 of the client port, with node:http2
 * as the judge, and against a real port over sockets. Memory, descriptors and counters are equal
 * before and after.
 */

import { readdirSync } from 'node:fs';
import { seededRandom } from '../src/base/testing/seeded-random.js';
import { recordings } from '../src/grpc/testing/recordings.js';
import { FUZZ_LIMITS, tryCase } from '../src/http2/testing/fuzz/case.js';
import { NodeServer } from '../src/http2/testing/fuzz/node-oracle.js';
import { SessionMaker } from '../src/http2/testing/fuzz/sessions.js';
import { flags, runMain, whole } from './lib/command.js';
import { SocketFuzz } from './lib/interop/socket-fuzz.js';

const HELP = `
usage: npm run fuzz:http2 [-- --minutes N] [--cases N] [--seed N] [--from CASE]

Plays sessions (valid, and broken in their frames, header blocks and bytes) against the HTTP/2 of the client port, cut
at any byte, and compares the outcome with that of node:http2; has node:http2's client read the answers; and throws
every tenth at a real port. Case n of a seed is always the same. Exit 0 if nothing was found.

  --minutes N   default 1
  --cases N     so many instead
  --seed N      default 1
  --from CASE   begin with this case
`;
const SOCKET_EVERY = 10;
const WARM_UP = 2_000;
const TELL_EVERY_MS = 30_000;
/** Memory that may come and go with the garbage collector, on the heap and beside it, in MiB. */
const SLACK_MIB = 16;

const descriptors = (): number => readdirSync('/proc/self/fd').length;

interface Held {
  readonly heap: number;
  readonly buffers: number;
  readonly fds: number;
}

async function held(): Promise<Held> {
  // What a collection lets go of may be closed only in the next turn.
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed / 2 ** 20, buffers: arrayBuffers / 2 ** 20, fds: descriptors() };
}

/** Case n of a seed: what came before does not matter. */
function caseOf(seed: number, n: number, recorded: readonly Buffer[]): SessionMaker {
  return new SessionMaker(seededRandom(seed * 1_000_003 + n), recorded);
}

await runMain(HELP, async () => {
  const { values } = flags({ minutes: { type: 'string' }, cases: { type: 'string' }, seed: { type: 'string' }, from: { type: 'string' } });
  const seed = whole(values.seed ?? '1', 'seed');
  const from = whole(values.from ?? '0', 'from');
  const until = values.cases === undefined ? performance.now() + whole(values.minutes ?? '1', 'minutes', 1) * 60_000 : Infinity;
  const last = values.cases === undefined ? Infinity : from + whole(values.cases, 'cases', 1);
  const recorded = recordings().flatMap(({ connections }) => connections);
  const node = new NodeServer(FUZZ_LIMITS);
  const sockets = await SocketFuzz.start();
  const permitted = new Map<string, number>();
  const faults = new Map<string, number[]>();
  let n = from;
  let toldAt = performance.now();
  let before: Held = { heap: 0, buffers: 0, fds: 0 };
  for (; n < last && performance.now() < until; n++) {
    if (n === from + WARM_UP) before = await held();
    const maker = caseOf(seed, n, recorded);
    const session = maker.next();
    try {
      for (const name of await tryCase(session, maker.cuts(), node)) permitted.set(name, (permitted.get(name) ?? 0) + 1);
      if (n % SOCKET_EVERY === 0) await sockets.throwAt(session.bytes, maker.cuts());
    } catch (error) {
      const message = String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
      const kind = message.replace(/^stream \d+/, 'stream');
      faults.set(kind, [...(faults.get(kind) ?? []), n]);
      if ((faults.get(kind)?.length ?? 0) <= 3) console.log(`case ${n}: ${message}`);
    }
    if (performance.now() - toldAt > TELL_EVERY_MS) {
      toldAt = performance.now();
      console.log(`${n - from} cases, ${faults.size} kinds of fault`);
    }
  }
  const notGivenBack = await sockets.stop();
  const after = await held();
  console.log(`${n - from} cases of seed ${seed}, ${sockets.thrown} of them also over sockets`);
  for (const [name, count] of permitted) console.log(`  permitted: ${name}: ${count}`);
  for (const [kind, cases] of faults) console.log(`  FAULT: ${kind}: ${cases.length}, such as case ${cases[0]}`);
  if (notGivenBack !== '') console.log(`  FAULT: ${notGivenBack}`);
  let leaks = notGivenBack === '' ? 0 : 1;
  if (n - from > WARM_UP) {
    const mib = (is: number, was: number): string => `${was.toFixed(1)} -> ${is.toFixed(1)} MiB`;
    console.log(`  heap ${mib(after.heap, before.heap)}, buffers ${mib(after.buffers, before.buffers)}, descriptors ${before.fds} -> ${after.fds}`);
    if (after.heap > before.heap + SLACK_MIB || after.buffers > before.buffers + SLACK_MIB || after.fds > before.fds) leaks++;
  }
  const ok = faults.size === 0 && leaks === 0;
  console.log(ok ? 'PASS' : 'FAIL');
  return ok ? 0 : 1;
});
