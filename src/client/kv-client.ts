/**
 * What collections, updates and STM need of a client: its calls of KV and Watch. They are built
 * from these alone.
 */

import type { DeleteRangeResponse, KeyValue, PutResponse, RangeResponse, Reply } from '../api/requests.js';
import type { CallOptions } from './caller.js';
import type { Bytes, DeleteOptions, KeyRange, PutOptions, RangeOptions } from './requests.js';
import type { Txn } from './txn.js';
import type { Update, Updated, UpdateOptions } from './update.js';
import type { Watch, WatchOptions } from './watch.js';

/** See `Client`. */
export interface KvClient {
  put(key: Bytes, value: Bytes, options?: PutOptions & CallOptions): Promise<Reply<PutResponse>>;
  get(key: Bytes, options?: RangeOptions & CallOptions): Promise<KeyValue | undefined>;
  getRange(range: KeyRange | Bytes, options?: RangeOptions & CallOptions): Promise<Reply<RangeResponse>>;
  stream(range: KeyRange | Bytes, options?: RangeOptions & CallOptions): AsyncGenerator<KeyValue, void, undefined>;
  delete(range: KeyRange | Bytes, options?: DeleteOptions & CallOptions): Promise<Reply<DeleteRangeResponse>>;
  watch(range: KeyRange | Bytes, options?: WatchOptions): Watch;
  txn(): Txn;
  update(key: Bytes, fn: Update, options?: UpdateOptions): Promise<Updated>;
}
