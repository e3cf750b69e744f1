/**
 * A driver for unstorage, `kintsugi/unstorage`: `createStorage({ driver: kintsugiDriver({ endpoints
 * }) })`. Its watch goes on over any failure; a time to live is a lease.
 */

import type { Driver, GetKeysOptions, StorageMeta, TransactionOptions, WatchCallback } from 'unstorage';
import { fromUtf8 } from '../base/bytes.js';
import { op, type Client, type KeyValue, type WatchBatch } from '../client/client.js';
import { chunksOf, clientOf, type ClientSource } from './own-client.js';
import { TtlLeases } from './ttl-leases.js';

export type KintsugiDriverOptions = ClientSource & {
  /** Before each key in the store. Default: none. */
  readonly base?: string;
  /** Seconds after which an item goes that says nothing else. Default: never. */
  readonly ttl?: number;
};

interface Item {
  readonly key: string;
  readonly value: string;
  readonly options?: TransactionOptions;
}

class Items {
  readonly client: Client;
  readonly #isOwn: boolean;
  readonly #leases: TtlLeases;
  readonly #base: string;
  readonly #ttl: number | undefined;
  readonly #watches = new Set<Disposable>();

  constructor(options: KintsugiDriverOptions) {
    const { client, isOwn } = clientOf(options);
    this.client = client;
    this.#isOwn = isOwn;
    this.#leases = new TtlLeases(client);
    const base = (options.base ?? '').replace(/:$/, '');
    this.#base = base === '' ? '' : `${base}:`;
    this.#ttl = options.ttl;
  }

  get(key: string): Promise<KeyValue | undefined> {
    return this.client.get(this.#at(key));
  }

  async has(key: string): Promise<boolean> {
    return (await this.client.getRange(this.#at(key), { countOnly: true })).count > 0;
  }

  async getMany(keys: readonly string[]): Promise<{ key: string; value: string | null }[]> {
    const found = await Promise.all(chunksOf(keys).map(async (chunk) => {
      const { results } = await this.client.txn().then(...chunk.map((key) => op.get(this.#at(key)))).commit();
      return results as readonly (KeyValue | undefined)[];
    }));
    return found.flat().map((kv, i) => ({ key: keys[i] as string, value: textOf(kv) }));
  }

  async set(key: string, value: string | Uint8Array, options: TransactionOptions | undefined): Promise<void> {
    await this.#leases.put(this.#ttlMs(options), {}, (lease) => this.client.put(this.#at(key), value, { lease }));
  }

  /** In txns of a hundred, each as a whole. Of a key that is there twice the last counts. */
  async setMany(items: readonly Item[], common: TransactionOptions | undefined): Promise<void> {
    const byTtl = new Map<number, Item[]>();
    for (const item of new Map(items.map((each) => [each.key, each])).values()) {
      const ttlMs = this.#ttlMs({ ...common, ...item.options }) ?? 0;
      byTtl.set(ttlMs, [...(byTtl.get(ttlMs) ?? []), item]);
    }
    for (const [ttlMs, same] of byTtl) {
      for (const chunk of chunksOf(same)) {
        await this.#leases.put(ttlMs, {}, (lease) =>
          this.client.txn().then(...chunk.map(({ key, value }) => op.put(this.#at(key), value, { lease }))).commit());
      }
    }
  }

  async remove(key: string): Promise<void> {
    await this.client.delete(this.#at(key));
  }

  async keys(base = ''): Promise<string[]> {
    const { kvs } = await this.client.getRange({ prefix: this.#at(base) }, { keysOnly: true });
    return kvs.map((kv) => fromUtf8(kv.key).slice(this.#base.length));
  }

  async clear(base = ''): Promise<void> {
    await this.client.delete({ prefix: this.#at(base) });
  }

  /** Resolves once changes are heard. The caller ends it. */
  async watch(callback: WatchCallback): Promise<() => void> {
    const watch = this.client.watch({ prefix: this.#base });
    const batches = watch[Symbol.asyncIterator]();
    await batches.next();
    const open = { [Symbol.dispose]: () => watch.close() };
    this.#watches.add(open);
    void this.#tell(batches, callback).finally(() => this.#watches.delete(open));
    return () => watch.close();
  }

  /** Ends what is watched, and the client unless it was given. */
  dispose(): void {
    for (const open of this.#watches) open[Symbol.dispose]();
    if (this.#isOwn) this.client.close();
  }

  async #tell(batches: AsyncIterable<WatchBatch>, callback: WatchCallback): Promise<void> {
    try {
      for await (const { events } of batches) {
        for (const { type, kv } of events) callback(type === 'put' ? 'update' : 'remove', fromUtf8(kv.key).slice(this.#base.length));
      }
    } catch {
      // What unstorage watches cannot tell of an end: the calls say what is wrong.
    }
  }

  #at(key: string): string {
    return this.#base + key;
  }

  #ttlMs(options: TransactionOptions | undefined): number | undefined {
    const seconds = (options?.['ttl'] as number | undefined) ?? this.#ttl;
    return seconds === undefined ? undefined : seconds * 1000;
  }
}

function textOf(kv: KeyValue | undefined): string | null {
  return kv === undefined ? null : fromUtf8(kv.value);
}

/** Throws ClientError INVALID_ARGUMENT for options that make no sense. */
export function kintsugiDriver(options: KintsugiDriverOptions): Driver<KintsugiDriverOptions, Client> {
  const items = new Items(options);
  return {
    name: 'kintsugi',
    options,
    flags: { ttl: true },
    getInstance: () => items.client,
    hasItem: (key) => items.has(key),
    getItem: async (key) => textOf(await items.get(key)),
    getItems: (wanted) => items.getMany(wanted.map(({ key }) => key)),
    getItemRaw: async (key) => (await items.get(key))?.value ?? null,
    setItem: (key, value, transaction) => items.set(key, value, transaction),
    setItems: (given, common) => items.setMany(given, common),
    setItemRaw: (key, value: string | Uint8Array, transaction) => items.set(key, value, transaction),
    removeItem: (key) => items.remove(key),
    getKeys: (base: string, _options: GetKeysOptions) => items.keys(base),
    clear: (base) => items.clear(base),
    getMeta: (key) => metaOf(items, key),
    watch: (callback) => items.watch(callback),
    dispose: () => items.dispose(),
  };
}

/** unstorage's own drivers are default exports. */
export { kintsugiDriver as default };

async function metaOf(items: Items, key: string): Promise<StorageMeta | null> {
  const kv = await items.get(key);
  if (kv === undefined) return null;
  const ttl = kv.lease === 0n ? undefined : (await items.client.lease.timeToLive(kv.lease)).ttl;
  return { size: kv.value.length, version: kv.version, modRevision: kv.modRevision, ...(ttl === undefined ? {} : { ttl }) };
}
