/** etcd's leases as a store answers them: ids are int64, times are seconds. */

import type { LeaseId, Revision } from '../../base/ids.js';
import type { Caller } from '../caller.js';

export interface LeaseGranted {
  readonly revision: Revision;
  readonly id: LeaseId;
  readonly ttl: number;
}

export interface LeaseTimeToLive {
  readonly revision: Revision;
  /** Seconds that are left; -1: there is no such lease. */
  readonly ttl: number;
  readonly grantedTtl: number;
  readonly keys: readonly Uint8Array[];
}

/**
 * What answers the service, to a caller who may; without one it is the application that the store
 * is part of. Refusals are EtcdErrors.
 */
export interface LeaseApi {
  /** `id` 0: one is picked. EtcdError LEASE_EXISTS, LEASE_TTL_TOO_LARGE, NO_SPACE. */
  grant(request: { readonly id: LeaseId; readonly ttl: number }, caller?: Caller): Promise<LeaseGranted>;
  /** Its keys are deleted. EtcdError LEASE_NOT_FOUND. */
  revoke(id: LeaseId, caller?: Caller): Promise<{ readonly revision: Revision }>;
  /** Its TTL begins anew; 0: there is no such lease. */
  keepAlive(id: LeaseId, caller?: Caller): Promise<{ readonly revision: Revision; readonly ttl: number }>;
  timeToLive(id: LeaseId, keys: boolean, caller?: Caller): Promise<LeaseTimeToLive>;
  /** By id. */
  list(caller?: Caller): Promise<{ readonly revision: Revision; readonly ids: readonly LeaseId[] }>;
}
