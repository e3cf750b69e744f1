/** etcd's KV over a Store. */

import { KV } from '../../api/services/kv.js';
import type { Store } from '../../node/store.js';
import { addRangeStream } from './range-stream.js';
import { addHot, type RequestLimits } from './hot.js';
import type { Method } from '../../grpc/method.js';

export function addKv(table: Map<string, Method>, store: Store, limits: RequestLimits): void {
  addHot(table, KV, {
    Range: (request, caller) => store.range(request, caller),
    Put: (request, caller) => store.put(request, caller),
    DeleteRange: (request, caller) => store.deleteRange(request, caller),
    Txn: (request, caller) => store.txn(request, caller),
    Compact: (request, caller) => store.compact(request, caller),
  }, store, limits);
  addRangeStream(table, store, limits);
}
