/** Which keys a lease has, by the newest state: for who decides what may be done to a lease. */

import type { LeaseId } from '../../base/ids.js';
import type { LeasedKeys } from '../auth/lease-permit.js';
import type { KvMachine } from './kv-machine.js';

export class TreeLeasedKeys implements LeasedKeys {
  readonly #of: { readonly kv: KvMachine };

  constructor(of: { readonly kv: KvMachine }) {
    this.#of = of;
  }

  /** Lazily: who asks stops at the first that is not allowed. Throws StorageError. */
  keysOf(lease: LeaseId): Iterable<Uint8Array> {
    return this.#of.kv.leases.keysOf(lease);
  }
}
