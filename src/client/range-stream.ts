/**
 * A range in chunks, so that nobody has to hold it whole: a first page of Range, which says as of
 * which revision all of it is read, and then etcd's KV.RangeStream where the server has it (3.7),
 * pages at that revision where it has not. A stream that breaks is gone on with behind the last key
 * that came, at the same revision, at whichever endpoint answers the next page: no key comes twice
 * or not at all. Each round brings a page, so there are no more of them than keys.
 *
 * Chunks hold keys and values; the header, `more` and `count` of the whole range come with the
 * last, as in etcd's stream. Keys come in their order, unfiltered: what Range sorts or filters is
 * refused here.
 */

import { CodecError } from '../base/errors.js';
import { KV, RANGE_STREAM_PATH } from '../api/services/kv.js';
import { decodeRangeChunk } from '../api/wire/range-stream.js';
import type { KeyValue, RangeRequest, RangeResponse, Reply } from '../api/requests.js';
import { callUnary } from './call.js';
import type { Caller, CallOptions } from './caller.js';
import { badArgument, ClientError } from './errors.js';

type Chunk = Reply<RangeResponse>;

/** Of a page, where there is no stream. */
const PAGE_KEYS = 1_000;
/** Of a page before a stream: values may be large, and the stream goes by their size. */
const FIRST_KEYS = 10;

export async function* rangeChunks(
  caller: Caller, request: RangeRequest, options: CallOptions,
): AsyncGenerator<Reply<RangeResponse>, void, undefined> {
  const { sortOrder, sortTarget, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (sortTarget !== 'key' || sortOrder === 'descend' || sortOrder === 'unknown') throw badArgument('a stream of a range has no other order than by key');
  if ([minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some((bound) => bound !== 0)) {
    throw badArgument('a stream of a range has no filter by revision');
  }
  yield* new RangeReader(caller, request, options).chunks();
}

class RangeReader {
  readonly #caller: Caller;
  readonly #request: RangeRequest;
  readonly #options: CallOptions;
  readonly #deadline: number;
  /** What the first page says of all. */
  #first: Chunk | undefined;
  #key: Uint8Array;
  #left: number;
  /** The server that was asked has no such method. */
  #noStream = false;

  constructor(caller: Caller, request: RangeRequest, options: CallOptions) {
    this.#caller = caller;
    this.#request = request;
    this.#options = options;
    this.#deadline = Date.now() + (options.timeoutMs ?? Infinity);
    this.#key = request.key;
    this.#left = request.limit > 0 ? request.limit : Infinity;
  }

  async *chunks(): AsyncGenerator<Chunk, void, undefined> {
    for (;;) {
      const page = await this.#page();
      if (!page.more || this.#left <= 0 || page.kvs.length === 0) return yield this.#last(page);
      yield { ...page, more: false, count: 0 };
      if (this.#noStream) continue;
      try {
        return yield* this.#stream();
      } catch (error) {
        if (!(error instanceof ClientError) || !(error.code === 'UNIMPLEMENTED' || error.transient)) throw error;
        this.#noStream = error.code === 'UNIMPLEMENTED';
      }
      // All was there but the last chunk.
      if (this.#left <= 0) return yield this.#last({ ...page, kvs: [], more: (this.#first?.count ?? 0) > this.#request.limit });
    }
  }

  async #page(): Promise<Chunk> {
    const { countOnly, keysOnly, limit } = this.#request;
    const keys = this.#noStream || keysOnly ? PAGE_KEYS : FIRST_KEYS;
    const request = { ...this.#rest(), limit: countOnly ? limit : Math.min(keys, this.#left) };
    const page = await callUnary(this.#caller, KV.Range, request, this.#optionsNow());
    this.#first ??= page;
    this.#took(page);
    return page;
  }

  async *#stream(): AsyncGenerator<Chunk, void, undefined> {
    const bytes = KV.Range.encodeRequest({ ...this.#rest(), limit: this.#left === Infinity ? 0 : this.#left });
    for await (const message of this.#caller.stream(RANGE_STREAM_PATH, bytes, this.#optionsNow())) {
      const chunk = chunkOf(message);
      this.#took(chunk);
      // Only the last has a header.
      yield chunk.revision > 0 ? this.#last(chunk) : chunk;
    }
  }

  #rest(): RangeRequest {
    const { revision } = this.#request;
    return { ...this.#request, key: this.#key, revision: revision > 0 ? revision : (this.#first?.revision ?? 0) };
  }

  /** The time that the caller has given is that of all calls together. */
  #optionsNow(): CallOptions {
    return this.#deadline === Infinity ? this.#options : { ...this.#options, timeoutMs: Math.max(1, this.#deadline - Date.now()) };
  }

  #took({ kvs }: Chunk): void {
    const last = kvs.at(-1);
    if (last === undefined) return;
    this.#left -= kvs.length;
    this.#key = new Uint8Array(last.key.length + 1);
    this.#key.set(last.key);
  }

  #last(chunk: Chunk): Chunk {
    const { header, revision, count } = this.#first as Chunk;
    return { ...chunk, header, revision, count };
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
