/**
 * Parts of a txn upon a collection: `client.txn().if(missing(users.at('ada')))
 * .then(users.op.put('ada', ada)).else(users.op.get('ada'))`. A value that is not valid is refused
 * before anything is sent.
 */

import type { DeleteRangeRequest, PutRequest, RangeRequest, ResponseOp } from '../api/requests.js';
import type { CollectionRange, Entries, Entry } from './entries.js';
import { responseOf, TypedOp } from './operations.js';
import { deleteRequest, putRequest, rangeRequest, type PutOptions, type RangeOptions } from './requests.js';

class EntryOp<K, Out> extends TypedOp<Entry<K, Out> | undefined> {
  readonly kind = 'range';
  readonly request: RangeRequest;
  readonly #entries: Entries<K, Out, never, never>;

  constructor(request: RangeRequest, entries: Entries<K, Out, never, never>) {
    super();
    this.request = request;
    this.#entries = entries;
  }

  read(response: ResponseOp): Entry<K, Out> | undefined {
    const [kv] = responseOf(response, 'range').kvs;
    return kv === undefined ? undefined : this.#entries.entryOf(kv);
  }
}

class EntriesOp<K, Out> extends TypedOp<readonly Entry<K, Out>[]> {
  readonly kind = 'range';
  readonly request: RangeRequest;
  readonly #entries: Entries<K, Out, never, never>;

  constructor(request: RangeRequest, entries: Entries<K, Out, never, never>) {
    super();
    this.request = request;
    this.#entries = entries;
  }

  read(response: ResponseOp): readonly Entry<K, Out>[] {
    return responseOf(response, 'range').kvs.map((kv) => this.#entries.entryOf(kv));
  }
}

class PutEntryOp<K, Out> extends TypedOp<Entry<K, Out> | undefined> {
  readonly kind = 'put';
  readonly request: PutRequest;
  readonly #entries: Entries<K, Out, never, never>;

  constructor(request: PutRequest, entries: Entries<K, Out, never, never>) {
    super();
    this.request = request;
    this.#entries = entries;
  }

  read(response: ResponseOp): Entry<K, Out> | undefined {
    const { prevKv } = responseOf(response, 'put');
    return prevKv === undefined ? undefined : this.#entries.entryOf(prevKv);
  }
}

class DeleteEntryOp extends TypedOp<number> {
  readonly kind = 'delete-range';
  readonly request: DeleteRangeRequest;

  constructor(request: DeleteRangeRequest) {
    super();
    this.request = request;
  }

  read(response: ResponseOp): number {
    return responseOf(response, 'delete-range').deleted;
  }
}

export class CollectionOps<K, Out, In, Prefix> {
  readonly #entries: Entries<K, Out, In, Prefix>;

  constructor(entries: Entries<K, Out, In, Prefix>) {
    this.#entries = entries;
  }

  get(key: K, options?: RangeOptions): EntryOp<K, Out> {
    return new EntryOp(rangeRequest(this.#entries.keyOf(key), options), this.#entries);
  }

  list(range: CollectionRange<K, Prefix> = {}, options?: RangeOptions): EntriesOp<K, Out> {
    return new EntriesOp(rangeRequest(this.#entries.rangeOf(range), options), this.#entries);
  }

  /** Its result is what was there before, if `prevKv` asks for it. Throws ValidationError. */
  put(key: K, value: In, options?: PutOptions): PutEntryOp<K, Out> {
    const bytes = this.#entries.keyOf(key);
    return new PutEntryOp(putRequest(bytes, this.#entries.encode(bytes, value), options), this.#entries);
  }

  /** Its result is how many were deleted. */
  delete(key: K): DeleteEntryOp {
    return new DeleteEntryOp(deleteRequest(this.#entries.keyOf(key)));
  }

  deleteRange(range: CollectionRange<K, Prefix> = {}): DeleteEntryOp {
    return new DeleteEntryOp(deleteRequest(this.#entries.rangeOf(range)));
  }
}
