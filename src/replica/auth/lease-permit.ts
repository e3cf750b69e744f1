/** What one user may do, by the ranges of their roles. A lease is as much as all of its keys. */

import { EMPTY } from '../../base/bytes.js';
import type { LeaseId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { KeyRange, KeyRanges } from './key-ranges.js';
import { Permit } from './needs.js';

/** Which keys hang on a lease. Replicated state. */
export interface LeasedKeys {
  keysOf(lease: LeaseId): Iterable<Uint8Array>;
}

export class LeasePermit extends Permit {
  readonly #read: KeyRanges;
  readonly #write: KeyRanges;
  readonly #leases: LeasedKeys;

  constructor(read: KeyRanges, write: KeyRanges, leases: LeasedKeys) {
    super();
    this.#read = read;
    this.#write = write;
    this.#leases = leases;
  }

  override read(range: KeyRange): void {
    if (!this.#read.covers(range)) throw new EtcdError('PERMISSION_DENIED');
  }

  override write(range: KeyRange): void {
    if (!this.#write.covers(range)) throw new EtcdError('PERMISSION_DENIED');
  }

  override lease(id: LeaseId): void {
    for (const key of this.#leases.keysOf(id)) this.write({ key, rangeEnd: EMPTY });
  }

  /** Its keys are told. */
  readLease(id: LeaseId): void {
    for (const key of this.#leases.keysOf(id)) this.read({ key, rangeEnd: EMPTY });
  }
}
