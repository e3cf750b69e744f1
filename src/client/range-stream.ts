/**
 * A range in chunks, so that nobody has to hold it whole: etcd's KV.RangeStream where the server
 * has it (3.7), pages of Range at one revision where it has not. Chunks hold keys and values; the
 * header, `more` and `count` of the whole range come with the last, as in etcd's stream. Keys come
 * in their order, unfiltered: what Range sorts or filters is refused here.
 */

import { CodecError } from '../base/errors.js';
import { KV, RANGE_STREAM_PATH } from '../api/services/kv.js';
import { decodeRangeChunk } from '../api/wire/range-stream.js';
import type { KeyValue, RangeRequest, RangeResponse, Reply } from '../api/requests.js';
import { callUnary } from './call.js';
import type { Caller, CallOptions } from './caller.js';
import { badArgument, ClientError } from './errors.js';

/** Of a page, where there is no stream. */
const PAGE_KEYS = 1_000;

export async function* rangeChunks(
  caller: Caller, request: RangeRequest, options: CallOptions,
): AsyncGenerator<Reply<RangeResponse>, void, undefined> {
  const { sortOrder, sortTarget, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (sortTarget !== 'key' || sortOrder === 'descend' || sortOrder === 'unknown') throw badArgument('a stream of a range has no other order than by key');
  if ([minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some((bound) => bound !== 0)) {
    throw badArgument('a stream of a range has no filter by revision');
  }
  let begun = false;
  try {
    for await (const bytes of caller.stream(RANGE_STREAM_PATH, KV.Range.encodeRequest(request), options)) {
      begun = true;
      yield chunkOf(bytes);
    }
    return;
  } catch (error) {
    // Whoever has no such method, or could not be reached: pages are asked for elsewhere, too.
    if (begun || !(error instanceof ClientError) || !(error.code === 'UNIMPLEMENTED' || error.transient)) throw error;
  }
  yield* pages(caller, request, options);
}

async function* pages(caller: Caller, request: RangeRequest, options: CallOptions): AsyncGenerator<Reply<RangeResponse>, void, undefined> {
  let left = request.limit > 0 ? request.limit : Infinity;
  let { key } = request;
  let first: Reply<RangeResponse> | undefined;
  for (;;) {
    const revision = request.revision > 0 ? request.revision : (first?.revision ?? 0);
    const limit = request.countOnly ? request.limit : Math.min(PAGE_KEYS, left);
    const page: Reply<RangeResponse> = await callUnary(caller, KV.Range, { ...request, key, revision, limit }, options);
    first ??= page;
    left -= page.kvs.length;
    const last = page.kvs.at(-1);
    if (!page.more || left <= 0 || last === undefined) {
      yield { ...page, header: first.header, revision: first.revision, count: first.count };
      return;
    }
    yield { ...page, more: false, count: 0 };
    key = new Uint8Array(last.key.length + 1);
    key.set(last.key);
  }
}

/** The same, key by key. */
export async function* rangeKeys(caller: Caller, request: RangeRequest, options: CallOptions): AsyncGenerator<KeyValue, void, undefined> {
  for await (const { kvs } of rangeChunks(caller, request, options)) yield* kvs;
}

function chunkOf(bytes: Uint8Array): Reply<RangeResponse> {
  try {
    return decodeRangeChunk(bytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new ClientError('INTERNAL', { details: `the answer does not parse: ${error.message}`, cause: error });
  }
}
