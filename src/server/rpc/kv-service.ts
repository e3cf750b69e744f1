/** etcd's KV over a Store. */

import { KV } from '../../api/services/kv.js';
import type { Store } from '../../node/store.js';
import { addRangeStream } from './range-stream.js';
import { addHot, type RequestLimits } from './hot.js';
import type { Method } from '../../grpc/method.js';

export function addKv(table: Map<string, Method>, store: Store, limits: RequestLimits): void {
  addHot(table, KV, {
    Range: (request) => store.range(request),
    Put: (request) => store.put(request),
    DeleteRange: (request) => store.deleteRange(request),
    Txn: (request) => store.txn(request),
    Compact: (request) => store.compact(request),
  }, store, limits);
  addRangeStream(table, store, limits);
}
