/**
 * Changes of a collection. A value that is not valid is an event of its own: somebody else's bad
 * write ends nobody's watch.
 */

import type { KeyValue } from '../api/requests.js';
import type { WatchEvent } from '../api/watch.js';
import { ValidationError, type Entries, type Entry } from './entries.js';
import type { Watch } from './watch.js';

export type CollectionEvent<K, V> =
  | {
    readonly type: 'put'; readonly key: K; readonly revision: number; readonly entry: Entry<K, V>;
    /** If `prevKv` asks for it, there was one, and it was valid. */
    readonly previous: Entry<K, V> | undefined;
  }
  | { readonly type: 'delete'; readonly key: K; readonly revision: number; readonly previous: Entry<K, V> | undefined }
  | { readonly type: 'invalid'; readonly revision: number; readonly error: ValidationError };

export class CollectionWatch<K, Out> implements AsyncIterable<CollectionEvent<K, Out>>, AsyncDisposable {
  readonly #watch: Watch;
  readonly #entries: Entries<K, Out, never, never>;

  constructor(watch: Watch, entries: Entries<K, Out, never, never>) {
    this.#watch = watch;
    this.#entries = entries;
  }

  /** Rejects as that of `client.watch` does. */
  async *[Symbol.asyncIterator](): AsyncGenerator<CollectionEvent<K, Out>, void, undefined> {
    for await (const { events } of this.#watch) {
      for (const event of events) yield this.#eventOf(event);
    }
  }

  /** Ends the iteration. */
  close(): void {
    this.#watch.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#watch[Symbol.asyncDispose]();
  }

  #eventOf({ type, kv, prevKv }: WatchEvent): CollectionEvent<K, Out> {
    const revision = kv.modRevision;
    try {
      const key = this.#entries.keyFrom(kv.key);
      const previous = this.#valid(prevKv);
      return type === 'delete' ? { type, key, revision, previous } : { type, key, revision, entry: this.#entries.entryOf(kv), previous };
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      return { type: 'invalid', revision, error };
    }
  }

  #valid(kv: KeyValue | undefined): Entry<K, Out> | undefined {
    try {
      return kv === undefined ? undefined : this.#entries.entryOf(kv);
    } catch (error) {
      if (error instanceof ValidationError) return undefined;
      throw error;
    }
  }
}
