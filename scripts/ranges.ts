/**
 * Range drill: RangeStream against Range on random requests under writers, and what large ranges
 * cost a member: memory while it streams, turns of its event loop, bytes that it reads.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../src/client/client.js';
import { binaryOf } from './lib/binary.js';
import { Cluster } from './lib/cluster.js';
import { Failure, flags, onExit, runMain, whole } from './lib/command.js';
import type { ClusterNode } from './lib/node.js';
import { bad, bytes, endProgress, progress, say, table, verdictMark } from './lib/print.js';
import { seededRandom } from './lib/random.js';
import { compareOne, fill, randomRequest } from './lib/ranges/equal.js';
import { costOf, LARGE, longestTurn, MANY, streamAll, turnsOf, writeLarge, writeMany, type Cost } from './lib/ranges/memory.js';

const HELP = `RangeStream is Range in pieces, and large ranges are no burden.

  npm run drill:ranges                                        10,000 requests, 1 GiB streamed, 100,000 keys at once
  npm run drill:ranges -- --requests 500 --mib 64 --keys 20000    a short form

Exit code 0 only if the merged stream equals Range on every request, memory grows by less than --max-growth-mib (64) while the
large values are streamed, no turn of the event loop works longer than --max-turn-ms (50), counting
reads no values, and listing keys holds none. --requests 0 leaves the requests out. Bytes read are those of system calls, from the
page cache, too; what a member has in its cache of blocks or its memtable it does not read.
`;

const SMALL = ['--experimental-memtable-bytes=524288', '--experimental-table-bytes=524288'];
const KEYS = 2_000;
const HISTORY_ROUNDS = 200;
const VALUE_BYTES = 4_000;
const AT_ONCE = 8;
const MiB = 1024 * 1024;
/** That many bytes are streamed before it counts: caches are full then. */
const WARM_BYTES = 192 * MiB;
/** Of counting, whatever is counted: index blocks, and the two at the borders. */
const COUNT_READ_BYTES = 8 * MiB;
/** Blocks that a member keeps (`--cache-bytes`), by default. */
const CACHE_BYTES = 64 * MiB;
/** Memory of keys alone: no value stays, and what was read last waits for the collector. */
const KEYS_GROWTH_BYTES = CACHE_BYTES / 2;

interface Check {
  readonly what: string;
  readonly how: string;
  readonly holds: boolean;
}

async function equality(requests: number, seed: number): Promise<Check[]> {
  const random = seededRandom(seed);
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'ranges', extraArgs: SMALL });
  say(`three nodes answer after ${await cluster.start()} ms`);
  const client = connect({ endpoints: cluster.urls, timeoutMs: 30_000 });
  onExit(() => client.close());
  await fill(client, random, KEYS, HISTORY_ROUNDS, VALUE_BYTES);
  const first = (await client.get('none')) === undefined ? (await client.getRange('none')).header.revision >> 1 : 0;
  await client.compact(first);
  say(`${KEYS} keys are written, and compacted at ${first}`);
  let writing = true;
  const writers = (async (): Promise<void> => {
    while (writing) await fill(client, random, KEYS, 1, VALUE_BYTES);
  })();
  const faults: string[] = [];
  let done = 0;
  let chunks = 0;
  let refused = 0;
  const endpoints = cluster.endpoints();
  await Promise.all(Array.from({ length: AT_ONCE }, async (_, worker) => {
    for (; done < requests && faults.length < 5; done++) {
      const { header } = await client.getRange('none');
      const request = randomRequest(random, KEYS, first, header.revision);
      const compared = await compareOne(endpoints[(done + worker) % endpoints.length] as (typeof endpoints)[number], request);
      chunks += compared.chunks;
      refused += compared.refused ? 1 : 0;
      if (compared.difference !== undefined) faults.push(`${compared.difference}: ${JSON.stringify(request)}`);
      if (done % 100 === 0) progress(`${done} of ${requests} requests`);
    }
  }));
  endProgress();
  writing = false;
  await writers;
  for (const fault of faults) console.log(bad(fault));
  for (const endpoint of endpoints) endpoint.close();
  await cluster.stop('SIGKILL');
  const how = `${done} requests, ${chunks} chunks, ${refused} refused alike, ${faults.length} differ`;
  return [{ what: 'the merged stream equals Range', how, holds: faults.length === 0 && chunks > 2 * requests - 2 * refused }];
}

const told = ({ ms, keys, growth, readBytes }: Cost): string => `${keys} keys in ${ms} ms, memory +${bytes(growth)}, ${bytes(readBytes)} read`;

async function withTurn(node: ClusterNode, read: () => Promise<number>): Promise<Cost & { readonly turnMs: number }> {
  const before = await turnsOf(node);
  const cost = await costOf(node, read);
  return { ...cost, turnMs: longestTurn(before, await turnsOf(node)) };
}

async function costs(mib: number, keys: number, maxGrowth: number, maxTurnMs: number): Promise<Check[]> {
  const cluster = await Cluster.create({ binary: binaryOf('kintsugi'), dir: 'ranges-large', size: 1 });
  await cluster.start();
  const node = cluster.node(0);
  const client = connect({ endpoints: cluster.urls, timeoutMs: 60_000 });
  onExit(() => client.close());
  await writeMany(client, keys);
  await writeLarge(client, mib * MiB);
  say(`${keys} keys and ${mib} MiB of values are written`);
  await node.stop('SIGTERM', 60_000);
  node.start();
  await node.waitReady(60_000);
  const checks: Check[] = [];
  const counted = await costOf(node, async () => (await client.getRange({ prefix: LARGE }, { countOnly: true })).count);
  checks.push({ what: 'counting reads no values', how: told(counted), holds: counted.readBytes < COUNT_READ_BYTES });
  const keysOnly = await costOf(node, async () => {
    const { kvs } = await client.getRange({ prefix: LARGE }, { keysOnly: true });
    return kvs.filter(({ value }) => value.length === 0).length;
  });
  const held = keysOnly.growth < KEYS_GROWTH_BYTES && keysOnly.keys === counted.keys;
  checks.push({ what: 'keys alone hold no values', how: `${told(keysOnly)}: whole blocks, to check them`, holds: held });
  const warm = await costOf(node, () => streamAll(client, LARGE, WARM_BYTES));
  say(`warm: ${told(warm)}`);
  const idle = await withTurn(node, () => sleep(1_000).then(() => 0));
  say(`nothing asked: no turn above ${idle.turnMs} ms, what a page of metrics takes included`);
  const stream = await withTurn(node, () => streamAll(client, LARGE));
  if (stream.keys !== counted.keys) throw new Failure(`${stream.keys} of ${counted.keys} keys were streamed`);
  const small = stream.growth < maxGrowth && stream.turnMs <= maxTurnMs;
  const kept = Math.max(0, mib * MiB - stream.readBytes);
  say(`${bytes(kept)} of what was streamed were in memory: in the cache of blocks (${bytes(CACHE_BYTES)}) and the memtable`);
  checks.push({ what: `${mib} MiB streamed`, how: `${told(stream)}, no turn above ${stream.turnMs} ms`, holds: small });
  const read = async (): Promise<number> => (await client.getRange({ prefix: MANY })).kvs.length;
  const many = await withTurn(node, read);
  const right = many.keys === keys && many.turnMs <= maxTurnMs;
  checks.push({ what: `Range of ${keys} keys`, how: `${told(many)}, no turn above ${many.turnMs} ms`, holds: right });
  return checks;
}

await runMain(HELP, async () => {
  const { values } = flags({
    requests: { type: 'string', default: '10000' }, mib: { type: 'string', default: '1024' }, keys: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' }, 'max-growth-mib': { type: 'string', default: '64' }, 'max-turn-ms': { type: 'string', default: '50' },
  });
  const requests = whole(values.requests, 'requests');
  const seed = whole(values.seed, 'seed');
  const mib = whole(values.mib, 'mib', 1);
  const keys = whole(values.keys, 'keys', 1);
  const maxGrowth = whole(values['max-growth-mib'], 'max-growth-mib', 1) * MiB;
  const checks = [...(requests > 0 ? await equality(requests, seed) : []), ...(await costs(mib, keys, maxGrowth, whole(values['max-turn-ms'], 'max-turn-ms', 1)))];
  console.log(table(['what', 'how', ''], checks.map(({ what, how, holds }) => [what, how, verdictMark(holds)])));
  const passed = checks.every(({ holds }) => holds);
  console.log(verdictMark(passed), `ranges, seed ${seed}`);
  return passed ? 0 : 1;
});
