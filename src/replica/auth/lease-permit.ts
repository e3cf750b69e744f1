/** What one user may do, by the ranges of their roles. A lease is as much as all of its keys. */

import type { LeaseId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { KeyRange, KeyRanges } from './key-ranges.js';
import { Permit } from './needs.js';

/** Which keys hang on leases, as of one moment. Replicated state. */
export interface LeasedKeys {
  /**
   * Whether all keys of the lease, or of all leases, are in the set: in slices, because a lease may
   * have any number of them (C1). Throws StorageError.
   */
  areWithin(ranges: KeyRanges, lease: LeaseId | 'all'): Generator<void, boolean>;
}

export class LeasePermit extends Permit {
  readonly #read: KeyRanges;
  readonly #write: KeyRanges;

  constructor(read: KeyRanges, write: KeyRanges) {
    super();
    this.#read = read;
    this.#write = write;
  }

  override read(range: KeyRange): void {
    if (!this.#read.covers(range)) throw new EtcdError('PERMISSION_DENIED');
  }

  override write(range: KeyRange): void {
    if (!this.#write.covers(range)) throw new EtcdError('PERMISSION_DENIED');
  }

  /** Whatever hangs on them goes with them: all their keys are written. Throws StorageError. */
  *leases(ids: Iterable<LeaseId>, leased: LeasedKeys): Generator<void, void> {
    for (const id of ids) if (!(yield* leased.areWithin(this.#write, id))) throw new EtcdError('PERMISSION_DENIED');
  }

  /** Their keys are told. Throws StorageError. */
  *readLeases(which: LeaseId | 'all', leased: LeasedKeys): Generator<void, void> {
    if (!(yield* leased.areWithin(this.#read, which))) throw new EtcdError('PERMISSION_DENIED');
  }
}
