/**
 * etcd's KV.RangeStream: what Range would answer, in chunks whose size goes by bytes, at one
 * revision: that of the first chunk, or the one asked for. No more than a chunk is held at a time,
 * and the next is read when the caller has taken what was sent. Each chunk is a range of the store,
 * which checks it like any other; all of the range is counted once, with the first.
 *
 * As in etcd, keys come in their order and unfiltered, or not at all. A target to sort by without
 * an order is no order: etcd takes it, and sorts what goes into one chunk. So does this as long as
 * one chunk holds all that is asked for; a longer range comes in the order of its keys. (etcd goes
 * on behind the key that was sorted last: it gives some keys twice, and others not at all.)
 */

import type { RangeRequest, RangeResponse } from '../../api/requests.js';
import { RANGE_STREAM_PATH } from '../../api/services/kv.js';
import { decodeRangeRequest } from '../../api/wire/decode-request.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { extentOf } from '../../api/wire/packed-range.js';
import { encodeLastRangeChunk, encodeRangeChunk } from '../../api/wire/range-stream.js';
import { Code } from '../../grpc/code.js';
import type { Method, Sender, ServerCall, ServerStreamMethod } from '../../grpc/method.js';
import { callerOf } from './caller-of.js';
import { RpcError } from '../../grpc/status.js';
import type { Store } from '../../node/store.js';
import type { RequestLimits } from './hot.js';

const FIRST_KEYS = 10;
/** A chunk of tiny keys; each is read in slices. */
const MOST_KEYS = 65_536;

class RangeStream implements ServerStreamMethod {
  readonly kind = 'server-stream';
  readonly #store: Store;
  readonly #prefix: Uint8Array;
  /** Chunks are between half and twice as many bytes, as soon as their size is known. */
  readonly #bytes: number;

  constructor(store: Store, { maxRequestBytes }: RequestLimits) {
    this.#store = store;
    this.#prefix = encodeHeaderPrefix(store.clusterId, BigInt(store.memberId));
    this.#bytes = maxRequestBytes;
  }

  async handle(bytes: Uint8Array, out: Sender, call: ServerCall): Promise<void> {
    const caller = callerOf(call);
    let request = decodeRangeRequest(bytes);
    refuseOthers(request);
    let left = request.limit > 0 ? request.limit : Infinity;
    let keys = FIRST_KEYS;
    const begin = (): Promise<RangeResponse> =>
      this.#store.range({ ...request, limit: request.countOnly ? request.limit : Math.min(keys, left) }, caller);
    let first = await begin();
    if (request.sortTarget !== 'key' && first.more && left > keys) {
      request = { ...request, sortTarget: 'key' };
      first = await begin();
    }
    const revision = request.revision > 0 ? request.revision : first.revision;
    let chunk = first;
    for (;;) {
      const { keys: given, lastKey } = extentOf(chunk);
      left -= given;
      if (!chunk.more || left <= 0 || given === 0) break;
      const message = encodeRangeChunk(chunk);
      if (message.length < this.#bytes / 2) keys = Math.min(MOST_KEYS, 2 * keys);
      else if (message.length > 2 * this.#bytes) keys = Math.max(1, keys >> 1);
      const key = successor(lastKey);
      await out.write(message);
      chunk = await this.#store.range(
        { ...request, key, revision, limit: Math.min(keys, left), serializable: true, uncounted: true }, caller,
      );
    }
    if (chunk !== first) {
      await out.write(encodeRangeChunk(chunk));
      chunk = { revision: first.revision, kvs: [], more: chunk.more, count: first.count };
    }
    await out.write(this.#last(chunk));
  }

  #last(response: RangeResponse): Uint8Array {
    return encodeLastRangeChunk(this.#prefix, this.#store.term, response);
  }
}

/** The least key above. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function refuseOthers(request: RangeRequest): void {
  const { sortOrder, sortTarget } = request;
  const isPlain = sortOrder === 'none' || (sortOrder === 'ascend' && sortTarget === 'key');
  const isUnknown = sortOrder === 'unknown' || sortTarget === 'unknown';
  if (!isUnknown && !isPlain) throw new RpcError(Code.UNIMPLEMENTED, 'RangeStream does not support custom sort orders');
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if ([minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some((bound) => bound !== 0)) {
    throw new RpcError(Code.UNIMPLEMENTED, 'RangeStream does not support revision filters');
  }
}

export function addRangeStream(table: Map<string, Method>, store: Store, limits: RequestLimits): void {
  table.set(RANGE_STREAM_PATH, new RangeStream(store, limits));
}
