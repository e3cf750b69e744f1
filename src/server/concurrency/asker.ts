/**
 * Who asks for a lock or stands for an election, for as long as they wait. They are let in once, as
 * a watcher is: that a token runs out while its bearer waits ends nothing, but nothing is told to
 * whoever may not read it by then.
 */

import type { Caller } from '../../api/caller.js';
import type { RangeRequest, ResponseOp, RequestOp } from '../../api/requests.js';
import type { Store } from '../../node/store.js';
import type { Admission } from '../../replica/auth/access.js';

export interface Looked {
  /** Of the store when it was read. */
  readonly revision: number;
  readonly responses: readonly ResponseOp[];
}

export class Asker {
  readonly store: Store;
  readonly caller: Caller;
  readonly #admission: Admission | undefined;

  private constructor(store: Store, caller: Caller) {
    this.store = store;
    this.caller = caller;
    this.#admission = store.access.admit(caller);
  }

  /** Rejects with EtcdError INVALID_AUTH_TOKEN. */
  static async admit(store: Store, caller: Caller): Promise<Asker> {
    if (caller.mayBeAhead) await store.auth.catchUp(caller);
    return new Asker(store, caller);
  }

  /** Throws EtcdError if they may not read all of that, as of now. */
  mayRead(request: Pick<RangeRequest, 'key' | 'rangeEnd'>): void {
    this.store.access.permitAdmitted(this.caller, this.#admission)?.read(request);
    this.caller.checked = true;
  }

  /** Linearizable, and all of one moment. Rejects with EtcdError. */
  async look(...requests: readonly RangeRequest[]): Promise<Looked> {
    const success = requests.map((request): RequestOp => ({ kind: 'range', request }));
    const { revision, responses } = await this.store.txn({ compare: [], success, failure: [] });
    for (const request of requests) this.mayRead(request);
    return { revision, responses };
  }
}
