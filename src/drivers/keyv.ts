/**
 * A store for Keyv, `kintsugi/keyv`: `new Keyv({ store: new KeyvKintsugi({ endpoints }) })`. Values
 * are the text that Keyv serializes. A time to live is kept twice: by Keyv, to the millisecond, and
 * by a lease, so that what has expired is gone though nobody asks for it.
 */

import { EventEmitter } from 'node:events';
import type { KeyvStoreAdapter, StoredData } from 'keyv';
import { fromUtf8 } from '../base/bytes.js';
import { op, type Client, type KeyValue, type RequestOp } from '../client/client.js';
import { chunksOf, clientOf, type ClientSource } from './own-client.js';
import { TtlLeases } from './ttl-leases.js';

export type KeyvKintsugiOptions = ClientSource & {
  /** Before each key in the store. Default `keyv/`. */
  readonly prefix?: string;
};

interface SetEntry {
  readonly key: string;
  readonly value: unknown;
  /** Milliseconds. */
  readonly ttl?: number;
}

export class KeyvKintsugi extends EventEmitter implements KeyvStoreAdapter {
  /** By its `dialect` Keyv knows that all keys can be gone through. */
  readonly opts: { readonly dialect: 'etcd'; readonly url: string };
  /** Set by Keyv, which puts it before each key. */
  namespace: string | undefined;
  readonly #client: Client;
  readonly #isOwn: boolean;
  readonly #leases: TtlLeases;
  readonly #prefix: string;

  /** Throws ClientError INVALID_ARGUMENT for options that make no sense. */
  constructor(options: KeyvKintsugiOptions) {
    super();
    const { client, isOwn } = clientOf(options);
    this.#client = client;
    this.#isOwn = isOwn;
    this.#leases = new TtlLeases(client);
    this.#prefix = options.prefix ?? 'keyv/';
    this.opts = { dialect: 'etcd', url: client.endpoints.join(',') };
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return valueOf<Value>(await this.#client.get(this.#at(key)));
  }

  async getMany<Value>(keys: string[]): Promise<StoredData<Value | undefined>[]> {
    const found = await Promise.all(chunksOf(keys).map(async (chunk) => {
      const { results } = await this.#client.txn().then(...chunk.map((key) => op.get(this.#at(key)))).commit();
      return results.map((kv) => valueOf<Value>(kv as KeyValue | undefined));
    }));
    return found.flat() as StoredData<Value | undefined>[];
  }

  async set(key: string, value: unknown, ttl?: number): Promise<true> {
    const text = textOf(key, value);
    await this.#leases.put(ttl, {}, (lease) => this.#client.put(this.#at(key), text, { lease }));
    return true;
  }

  /** In txns of a hundred, each as a whole. Of a key that is there twice the last counts. */
  async setMany(entries: SetEntry[]): Promise<void> {
    const byTtl = new Map<number, SetEntry[]>();
    for (const entry of new Map(entries.map((each) => [each.key, each])).values()) {
      const ttl = entry.ttl ?? 0;
      byTtl.set(ttl, [...(byTtl.get(ttl) ?? []), entry]);
    }
    for (const [ttl, same] of byTtl) {
      for (const chunk of chunksOf(same)) {
        await this.#leases.put(ttl, {}, (lease) =>
          this.#commit(chunk.map(({ key, value }) => op.put(this.#at(key), textOf(key, value), { lease }))));
      }
    }
  }

  async delete(key: string): Promise<boolean> {
    return (await this.#client.delete(this.#at(key))).deleted > 0;
  }

  /** True if any of them was there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    let deleted = 0;
    for (const chunk of chunksOf([...new Set(keys)])) {
      const { results } = await this.#client.txn().then(...chunk.map((key) => op.delete(this.#at(key)))).commit();
      for (const result of results as readonly { readonly deleted: number }[]) deleted += result.deleted;
    }
    return deleted > 0;
  }

  async has(key: string): Promise<boolean> {
    return (await this.#client.getRange(this.#at(key), { countOnly: true })).count > 0;
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** All keys of the namespace, or without one all with the prefix. */
  async clear(): Promise<void> {
    await this.#client.delete({ prefix: this.#prefixOf(this.namespace) });
  }

  /** At one revision. */
  async *iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    for await (const kv of this.#client.stream({ prefix: this.#prefixOf(namespace) })) {
      yield [fromUtf8(kv.key).slice(this.#prefix.length), valueOf<Value>(kv) as Awaited<Value>];
    }
  }

  /** Closes the client, unless it was given. */
  disconnect(): Promise<void> {
    if (this.#isOwn) this.#client.close();
    return Promise.resolve();
  }

  #at(key: string): string {
    return this.#prefix + key;
  }

  #prefixOf(namespace: string | undefined): string {
    return namespace === undefined || namespace === '' ? this.#prefix : `${this.#prefix}${namespace}:`;
  }

  #commit(ops: readonly RequestOp[]): Promise<unknown> {
    return this.#client.txn().then(...ops).commit();
  }
}

function valueOf<Value>(kv: KeyValue | undefined): StoredData<Value> | undefined {
  return kv === undefined ? undefined : (fromUtf8(kv.value) as StoredData<Value>);
}

function textOf(key: string, value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`the value of ${JSON.stringify(key)} is not serialized: leave Keyv its serialize`);
  return value;
}
