/** etcd's Lock service: a lock is held by whoever's key is the first of its queue (`places.ts`). */

import type { Caller } from '../../api/caller.js';
import type { Message } from '../../api/protos/reflected-rpc.js';
import { EMPTY } from '../../base/bytes.js';
import type { Method } from '../../grpc/method.js';
import { Code } from '../../grpc/code.js';
import { RpcError } from '../../grpc/status.js';
import { addCold } from './cold.js';
import type { RequestLimits } from './hot.js';
import { answering, headerAt, bytesIn, int64In, signalOf, within } from './concurrency-answers.js';
import type { Places } from '../concurrency/places.js';
import { Queue } from '../concurrency/queue.js';

const expired = (): Error => new RpcError(Code.UNKNOWN, 'mutex: session is expired');

export function addLock(table: Map<string, Method>, places: Places, limits: RequestLimits): void {
  const { store } = places;
  const lock = async (request: Message, caller: Caller, signal: AbortSignal): Promise<object> => {
    const queue = new Queue(within(limits, bytesIn(request, 'name')));
    const place = await places.enter(queue, int64In(request, 'lease'), EMPTY, caller);
    try {
      const revision = await place.turn(signal);
      if (revision === undefined) throw expired();
      return { header: headerAt(store, revision), key: place.key };
    } finally {
      await place.leave();
    }
  };
  addCold(table, 'v3lockpb.Lock', {
    Lock: (request, caller, call) => answering(() => lock(request, caller, signalOf(call))),
    Unlock: (request, caller) => answering(async () => {
      const { revision } = await store.deleteRange({ key: bytesIn(request, 'key'), rangeEnd: EMPTY, prevKv: false }, caller);
      return { header: headerAt(store, revision) };
    }),
  });
}
