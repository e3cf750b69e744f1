/** What large ranges cost the member: memory, turns of its event loop, bytes read. */

import { randomBytes } from 'node:crypto';
import { op, type Client } from '../../../src/client/client.js';
import { rangeRequest } from '../../../src/client/requests.js';
import { Failure } from '../command.js';
import type { ClusterNode } from '../node.js';
import { patiently } from '../patiently.js';
import { endProgress, progress } from '../print.js';
import { readBytesOf } from '../proc.js';

const VALUE_BYTES = 256 * 1024;
const PUTS_AT_ONCE = 8;
const SMALL_VALUE = 'v'.repeat(100);
const TXN_PUTS = 128;
const SAMPLE_MS = 50;
/** For so long a member may hand out the same page of metrics again. */
const PAGE_FRESH_MS = 1_000;
const MiB = 1024 * 1024;

export const LARGE = 'large/';
export const MANY = 'many/';

async function inTurns(count: number, atOnce: number, what: string, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  let done = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) {
      const i = next++;
      await patiently(() => act(i));
      if (++done % 64 === 0) progress(`${what}: ${done} of ${count}`);
    }
  }));
  endProgress();
}

/** Values that do not compress. */
export async function writeLarge(client: Client, bytes: number): Promise<void> {
  const noise = randomBytes(4 * MiB);
  await inTurns(Math.ceil(bytes / VALUE_BYTES), PUTS_AT_ONCE, 'values written', (i) => {
    const at = (i * 7919) % (noise.length - VALUE_BYTES);
    return client.put(`${LARGE}${String(i).padStart(8, '0')}`, noise.subarray(at, at + VALUE_BYTES), { timeoutMs: 60_000 });
  });
}

export async function writeMany(client: Client, keys: number): Promise<void> {
  await inTurns(Math.ceil(keys / TXN_PUTS), PUTS_AT_ONCE, 'transactions of 128 keys', (i) => {
    const first = i * TXN_PUTS;
    const ops = Array.from({ length: Math.min(TXN_PUTS, keys - first) }, (_, k) => op.put(`${MANY}${String(first + k).padStart(8, '0')}`, SMALL_VALUE));
    return client.txn().then(...ops).commit({ timeoutMs: 60_000 });
  });
}

export interface Cost {
  readonly ms: number;
  readonly keys: number;
  /** Of memory, above what it was before. */
  readonly growth: number;
  readonly readBytes: number;
}

/** While something is read. `read` gives the number of keys. */
export async function costOf(node: ClusterNode, read: () => Promise<number>): Promise<Cost> {
  const before = node.usage().rssBytes;
  const readBefore = readBytesOf(node.pid);
  let most = before;
  const look = (): void => {
    most = Math.max(most, node.usage().rssBytes);
  };
  const timer = setInterval(look, SAMPLE_MS);
  const began = Date.now();
  const keys = await read();
  look();
  clearInterval(timer);
  return { ms: Date.now() - began, keys, growth: most - before, readBytes: readBytesOf(node.pid) - readBefore };
}

/** By RangeStream, chunk by chunk; stops after `bytes` of values. */
export async function streamAll(client: Client, prefix: string, bytes = Infinity): Promise<number> {
  let keys = 0;
  let taken = 0;
  for await (const { kvs } of client.rangeStream(rangeRequest({ prefix }), { timeoutMs: 600_000 })) {
    keys += kvs.length;
    for (const { value } of kvs) taken += value.length;
    if (taken >= bytes) break;
  }
  return keys;
}

/** Upper bounds of the histogram of turns, in seconds, with how many turns took no longer. */
export type Turns = readonly (readonly [number, number])[];

/** All turns up to now: a page that may have been made before is waited out. */
export async function turnsOf(node: ClusterNode): Promise<Turns> {
  await new Promise((resolve) => setTimeout(resolve, PAGE_FRESH_MS + 100));
  const text = await (await fetch(`${node.spec.metricsUrl}/metrics`)).text();
  const buckets = text.matchAll(/^kintsugi_event_loop_turn_seconds_bucket\{le="([^"]+)"\} (\d+)/gm);
  const turns = [...buckets].map(([, le, n]) => [le === '+Inf' ? Infinity : Number(le), Number(n)] as const);
  if (turns.at(-1)?.[0] !== Infinity) throw new Failure('the member does not tell its turns');
  return turns;
}

/** The upper bound, in ms, of the longest turn between the two. Throws Failure if there is none. */
export function longestTurn(before: Turns, after: Turns): number {
  let longest = 0;
  let counted = 0;
  for (const [i, [bound, n]] of after.entries()) {
    const here = n - (before[i]?.[1] ?? 0);
    if (here > counted) longest = bound;
    counted = here;
  }
  if (counted === 0) throw new Failure('no turn was counted: the page of metrics is an old one');
  return 1000 * longest;
}
