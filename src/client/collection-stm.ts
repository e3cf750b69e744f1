/** A collection within a transaction of `client.stm`: `users.in(tx).get('ada')`. */

import type { Entries } from './entries.js';
import type { StmTransaction } from './stm.js';

export class CollectionTransaction<K, Out, In> {
  readonly #tx: StmTransaction;
  readonly #entries: Entries<K, Out, In, never>;

  constructor(tx: StmTransaction, entries: Entries<K, Out, In, never>) {
    this.#tx = tx;
    this.#entries = entries;
  }

  /** Rejects with ValidationError. */
  async get(key: K): Promise<Out | undefined> {
    const bytes = this.#entries.keyOf(key);
    const value = await this.#tx.get(bytes);
    return value === undefined ? undefined : this.#entries.decode(bytes, value);
  }

  /** Throws ValidationError. */
  put(key: K, value: In, options?: { readonly lease?: bigint }): void {
    const bytes = this.#entries.keyOf(key);
    this.#tx.put(bytes, this.#entries.encode(bytes, value), options);
  }

  delete(key: K): void {
    this.#tx.delete(this.#entries.keyOf(key));
  }
}
