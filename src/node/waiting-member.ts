/**
 * A member that may have to wait while it opens, for who runs it: give its `outlook` to
 * `openMember`; if it waits, `store` resolves, and is to be used until the member takes part.
 */

import type { Env } from '../base/env.js';
import { Outlook } from '../replica/log-recovery/outlook.js';
import { WaitingStore, type WaitingOptions } from './waiting-store.js';

export class WaitingMember {
  readonly outlook = new Outlook();
  /** Resolves if the member waits, which may be never. */
  readonly store: Promise<WaitingStore>;
  #store: WaitingStore | undefined;
  #closed = false;

  /** `options` may come later, before the member opens. */
  constructor(env: Pick<Env, 'disk' | 'workers'>, options: WaitingOptions | Promise<WaitingOptions>) {
    this.store = this.#open(env, options);
  }

  /** Undefined: it does not wait, or not any more. */
  get present(): WaitingStore | undefined {
    return this.#store;
  }

  /** It takes part, or has ended. */
  close(): void {
    this.#closed = true;
    this.#store?.close();
    this.#store = undefined;
  }

  async #open(env: Pick<Env, 'disk' | 'workers'>, options: WaitingOptions | Promise<WaitingOptions>): Promise<WaitingStore> {
    const store = await WaitingStore.open(env, await options, await this.outlook.waiting);
    if (this.#closed) store.close();
    else this.#store = store;
    return store;
  }
}
