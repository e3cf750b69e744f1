/**
 * etcd's Watch over a Store: requests are handed on one by one, answers are taken one by one, and
 * the next only once the transport has room for it. So a client that does not read holds up
 * nothing but its own stream.
 */

import { decodeWatchRequest } from '../../api/wire/watch-codec.js';
import { encodeHeaderPrefix } from '../../api/wire/encode-response.js';
import { WATCH_PATH, type WatchSession } from '../../api/services/watch.js';
import type { Method, RequestStreamMethod, Sender, ServerCall } from '../../grpc/method.js';
import type { Store } from '../../node/store.js';
import { NodeWorkers } from '../env/node-env.js';
import { callerOf } from './caller-of.js';
import { WatchMessages } from './watch-messages.js';

/** All streams of the process share its turns. */
const workers = new NodeWorkers();

class WatchMethod implements RequestStreamMethod {
  readonly kind = 'bidi';
  readonly #store: Store;
  readonly #messages: WatchMessages;

  constructor(store: Store) {
    this.#store = store;
    this.#messages = new WatchMessages(encodeHeaderPrefix(store.clusterId, BigInt(store.memberId)), workers);
  }

  async handle(requests: AsyncIterable<Uint8Array>, out: Sender, call: ServerCall): Promise<void> {
    const caller = callerOf(call);
    if (caller.mayBeAhead) await this.#store.auth.catchUp(caller);
    const session = this.#store.watch({ requireLeader: call.metadata('hasleader') === 'true', caller });
    out.onCancel(() => session.close());
    // A client that has said all goes on listening, as with etcd.
    const requesting = this.#take(requests, session);
    let failed: unknown;
    requesting.catch((error: unknown) => {
      failed = error;
      session.close();
    });
    try {
      for (let answer = await session.next(); answer !== undefined; answer = session.take() ?? (await session.next())) {
        const message = this.#messages.of(answer, this.#store.term);
        await out.write(message instanceof Promise ? await message : message);
      }
    } finally {
      session.close();
    }
    if (failed !== undefined) throw failed;
  }

  async #take(requests: AsyncIterable<Uint8Array>, session: WatchSession): Promise<void> {
    for await (const bytes of requests) await session.handle(decodeWatchRequest(bytes));
  }
}

export function addWatch(table: Map<string, Method>, store: Store): void {
  table.set(WATCH_PATH, new WatchMethod(store));
}
