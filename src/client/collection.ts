/**
 * Keys with a common prefix as a collection of typed values: what is read is what the codec made of
 * the bytes, or a ValidationError that names the key.
 *
 *     const users = client.collection('user/', json<User>());
 *     await users.put('ada', { name: 'Ada' });
 *     for await (const { key, value } of users.range({ prefix: 'a' })) ...
 */

import type { DeleteRangeResponse, KeyValue, PutResponse, Reply } from '../api/requests.js';
import type { CallOptions } from './caller.js';
import type { KvClient } from './kv-client.js';
import type { Codec, KeyCodec } from './codec.js';
import { CollectionOps } from './collection-ops.js';
import { CollectionTransaction } from './collection-stm.js';
import { CollectionWatch } from './collection-watch.js';
import { Condition } from './conditions.js';
import { Entries, type CollectionRange, type Entry } from './entries.js';
import type { Bytes, PutOptions, RangeOptions } from './requests.js';
import type { StmTransaction } from './stm.js';
import type { UpdateOptions } from './update.js';
import type { WatchOptions } from './watch.js';

export interface PutAnswer<K, Out> extends Omit<Reply<PutResponse>, 'prevKv'> {
  /** Only if it was asked for by `prevKv`. */
  readonly previous: Entry<K, Out> | undefined;
}

export interface UpdatedEntry<K, Out> {
  /** What there is now; undefined: nothing. */
  readonly entry: Entry<K, Out> | undefined;
  /** False: it was left as it was, and nothing was written. */
  readonly changed: boolean;
  readonly attempts: number;
}

export class Collection<K, Out, In = Out, Prefix = K> {
  /** Parts of a txn, with typed results. */
  readonly op: CollectionOps<K, Out, In, Prefix>;
  readonly #client: KvClient;
  readonly #entries: Entries<K, Out, In, Prefix>;

  /** Use `client.collection`. */
  constructor(client: KvClient, prefix: Bytes, values: Codec<Out, In>, keys: KeyCodec<K, Prefix>) {
    this.#client = client;
    this.#entries = new Entries(prefix, values, keys);
    this.op = new CollectionOps(this.#entries);
  }

  /** The key as the store has it: `missing(users.at('ada'))`. */
  at(key: K): Uint8Array {
    return this.#entries.keyOf(key);
  }

  /** A condition of a txn upon the value, whose bytes are compared. */
  value(key: K): Condition<In> {
    const bytes = this.at(key);
    return new Condition(bytes, (value: In) => ({ kind: 'value', value: this.#entries.encode(bytes, value) }));
  }

  async get(key: K, options: RangeOptions & CallOptions = {}): Promise<Entry<K, Out> | undefined> {
    return this.#maybe(await this.#client.get(this.at(key), options));
  }

  async put(key: K, value: In, options: PutOptions & CallOptions = {}): Promise<PutAnswer<K, Out>> {
    const bytes = this.at(key);
    const { prevKv, ...answer } = await this.#client.put(bytes, this.#entries.encode(bytes, value), options);
    return { ...answer, previous: this.#maybe(prevKv) };
  }

  /** False: there was none. */
  async delete(key: K, options: CallOptions = {}): Promise<boolean> {
    return (await this.#client.delete(this.at(key), options)).deleted > 0;
  }

  /** All of a range; without one, all of the collection. */
  async deleteRange(range: CollectionRange<K, Prefix> = {}, options: CallOptions = {}): Promise<Reply<DeleteRangeResponse>> {
    return this.#client.delete(this.#entries.rangeOf(range), options);
  }

  /** In the order of keys, at one revision, however many: no more than a chunk is held. */
  async *range(
    range: CollectionRange<K, Prefix> = {}, options: RangeOptions & CallOptions = {},
  ): AsyncGenerator<Entry<K, Out>, void, undefined> {
    for await (const kv of this.#client.stream(this.#entries.rangeOf(range), options)) yield this.#entries.entryOf(kv);
  }

  /** The same as one answer, which may be sorted, filtered and limited. */
  async list(range: CollectionRange<K, Prefix> = {}, options: RangeOptions & CallOptions = {}): Promise<Entry<K, Out>[]> {
    const { kvs } = await this.#client.getRange(this.#entries.rangeOf(range), options);
    return kvs.map((kv) => this.#entries.entryOf(kv));
  }

  async count(range: CollectionRange<K, Prefix> = {}, options: CallOptions = {}): Promise<number> {
    return (await this.#client.getRange(this.#entries.rangeOf(range), { ...options, countOnly: true })).count;
  }

  /** Changes as they are made, each once and in order; of one key by `{ key }`. */
  watch(range: CollectionRange<K, Prefix> = {}, options: WatchOptions = {}): CollectionWatch<K, Out> {
    return new CollectionWatch(this.#client.watch(this.#entries.rangeOf(range), options), this.#entries);
  }

  /**
   * See `client.update`; undefined is what does not exist. One that is not valid is not overwritten
   * but told by a ValidationError.
   */
  async update(
    key: K, fn: (current: Out | undefined) => In | undefined | Promise<In | undefined>, options: UpdateOptions = {},
  ): Promise<UpdatedEntry<K, Out>> {
    const bytes = this.at(key);
    const { kv, ...outcome } = await this.#client.update(bytes, async (current) => {
      const wanted = await fn(current === undefined ? undefined : this.#entries.entryOf(current).value);
      return wanted === undefined ? undefined : this.#entries.encode(bytes, wanted);
    }, options);
    return { ...outcome, entry: this.#maybe(kv) };
  }

  /** The collection within a transaction of `client.stm`. */
  in(tx: StmTransaction): CollectionTransaction<K, Out, In> {
    return new CollectionTransaction(tx, this.#entries);
  }

  #maybe(kv: KeyValue | undefined): Entry<K, Out> | undefined {
    return kv === undefined ? undefined : this.#entries.entryOf(kv);
  }
}
