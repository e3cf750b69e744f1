/**
 * `client.lock`: one holder at a time, in the order in which they asked, over all clients of etcd
 * that make locks as etcd's own do.
 *
 *     await using lock = await client.lock('jobs/nightly', { ttl: 10 });
 *     await work({ signal: lock.lost });               // ends when the lock is lost
 *     await client.txn().if(lock.isHeld).then(op.put('jobs/last', '2026-11-30')).commit();
 */

import { EMPTY } from '../base/bytes.js';
import { Held } from './held.js';
import { Queue, type PlaceOptions, type QueueClient } from './queue.js';
import type { Bytes } from './requests.js';

export type LockOptions = PlaceOptions;

export class Lock extends Held {
  /** The next one in the queue gets it. It is no error if it is lost already. */
  unlock(): Promise<void> {
    return this.release();
  }
}

/** Resolves when it is held. See {@link PlaceOptions}. */
export async function acquireLock(client: QueueClient, name: Bytes, options: LockOptions): Promise<Lock> {
  const queue = new Queue(client, name);
  return new Lock(queue, await queue.take(EMPTY, options));
}
