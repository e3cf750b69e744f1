/**
 * RangeStream beside Range: the same request, with every option that RangeStream takes, at the same
 * revision; the chunks put together must be what Range answers, and errors the same.
 */

import { prefixEnd } from '../../../src/base/bytes.js';
import { KV, RANGE_STREAM_PATH } from '../../../src/api/services/kv.js';
import type { RangeRequest, RangeResponse, Reply } from '../../../src/api/requests.js';
import { decodeRangeResponse } from '../../../src/api/wire/decode-response.js';
import { decodeRangeChunk } from '../../../src/api/wire/range-stream.js';
import type { Client } from '../../../src/client/client.js';
import { RpcError, METHODS, type Endpoint } from '../load/grpc.js';
import { patiently } from '../patiently.js';

const CALL_MS = 30_000;
const ALL = Uint8Array.of(0);
const PREFIXES = 24;

/** Keys of several lengths, many with a common beginning. */
function keyOf(random: () => number, keys: number): string {
  const n = Math.floor(random() * keys);
  return `r/${n % PREFIXES}/${'x'.repeat(n % 7)}${n}`;
}

/** Keys that come and go, with values of up to `valueBytes`, in transactions of many. */
export async function fill(client: Client, random: () => number, keys: number, rounds: number, valueBytes: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const ops = new Map<string, Buffer | undefined>();
    for (let i = 0; i < 60; i++) {
      const value = random() < 0.2 ? undefined : Buffer.alloc(Math.floor(random() * valueBytes), round);
      ops.set(keyOf(random, keys), value);
    }
    await Promise.all([...ops].map(([key, value]) =>
      patiently<unknown>(() => (value === undefined ? client.delete(key) : client.put(key, value)))));
  }
}

const pick = <T>(random: () => number, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

/** Revisions from `first` to `last`; now and then one that is compacted or in the future. */
export function randomRequest(random: () => number, keys: number, first: number, last: number): RangeRequest {
  const key = Buffer.from(keyOf(random, keys));
  const end = Buffer.from(keyOf(random, keys));
  const prefix = Buffer.from(`r/${Math.floor(random() * PREFIXES)}/`);
  const [from, to] = pick<readonly [Uint8Array, Uint8Array]>(random, [
    [key, Buffer.alloc(0)], [prefix, prefixEnd(prefix) ?? ALL], [prefix, prefixEnd(prefix) ?? ALL], [ALL, ALL], [key, ALL],
    Buffer.compare(key, end) < 0 ? [key, end] : [end, key], [end, key],
  ]);
  const anywhere = Math.max(1, first - 20 + Math.floor(random() * (last - first + 20)));
  const past = random() < 0.5 ? 0 : random() < 0.05 ? last + 1_000_000 : anywhere;
  return {
    key: from, rangeEnd: to, limit: random() < 0.5 ? 0 : pick(random, [1, 2, 9, 10, 11, 100, 1_000]), revision: past,
    sortOrder: pick(random, ['none', 'ascend']), sortTarget: 'key', serializable: random() < 0.5,
    keysOnly: random() < 0.3, countOnly: random() < 0.15,
    minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
  };
}

/** With gRPC's head. */
function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

type Answer = Reply<RangeResponse> | RpcError;

async function streamed(endpoint: Endpoint, request: RangeRequest): Promise<{ readonly answer: Answer; readonly chunks: number }> {
  try {
    const chunks = (await endpoint.messages(RANGE_STREAM_PATH, frame(KV.Range.encodeRequest(request)), CALL_MS)).map(decodeRangeChunk);
    const last = chunks.at(-1);
    if (last === undefined) return { answer: new RpcError(13, 'a stream without a message'), chunks: 0 };
    return { answer: { ...last, kvs: chunks.flatMap(({ kvs }) => kvs) }, chunks: chunks.length };
  } catch (error) {
    if (error instanceof RpcError) return { answer: error, chunks: 0 };
    throw error;
  }
}

async function ranged(endpoint: Endpoint, request: RangeRequest): Promise<Answer> {
  try {
    return decodeRangeResponse(await endpoint.unary(METHODS.range, frame(KV.Range.encodeRequest(request)), CALL_MS));
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
}

/** Undefined: they are equal. */
function differenceOf(stream: Answer, range: Answer): string | undefined {
  if (stream instanceof RpcError || range instanceof RpcError) {
    const [one, other] = [stream, range].map((answer) => (answer instanceof RpcError ? answer.message : `${answer.kvs.length} keys`));
    return one === other ? undefined : `the stream says ${one}, Range says ${other}`;
  }
  if (stream.more !== range.more || stream.count !== range.count) {
    return `more and count are ${stream.more} ${stream.count} of the stream, ${range.more} ${range.count} of Range`;
  }
  if (stream.kvs.length !== range.kvs.length) return `${stream.kvs.length} keys of the stream, ${range.kvs.length} of Range`;
  for (const [i, kv] of range.kvs.entries()) {
    const other = stream.kvs[i] as typeof kv;
    const numbers = (of: typeof kv): string => [of.createRevision, of.modRevision, of.version, of.lease].join(' ');
    if (Buffer.compare(kv.key, other.key) !== 0 || Buffer.compare(kv.value, other.value) !== 0 || numbers(kv) !== numbers(other)) {
      return `key ${i}, ${Buffer.from(kv.key).toString()}, is not the same`;
    }
  }
  return undefined;
}

export interface Compared {
  readonly difference: string | undefined;
  readonly chunks: number;
  readonly refused: boolean;
}

/** While others may write: Range is asked as of the revision that the stream has told. */
export async function compareOne(endpoint: Endpoint, request: RangeRequest): Promise<Compared> {
  const { answer, chunks } = await streamed(endpoint, request);
  const refused = answer instanceof RpcError;
  const revision = request.revision > 0 || refused ? request.revision : answer.header.revision;
  const range = await ranged(endpoint, { ...request, revision });
  return { difference: differenceOf(answer, range), chunks, refused };
}
