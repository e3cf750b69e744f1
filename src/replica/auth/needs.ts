/**
 * Which keys a request reads and writes, whatever branch it takes: both sides of a transaction
 * count, however deep, and so does what only shows in its answer (`prev_kv`, compares). A walk that
 * stops at the first part that is not allowed. What hangs on the leases that its puts name is
 * written as well: {@link leasesOf} says which these are, and their keys are asked of in slices.
 */

import { unreachable } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { LeaseId } from '../../base/ids.js';
import type { PutRequest, RequestOp, TxnRequest } from '../../api/requests.js';
import type { KeyRange } from './key-ranges.js';

/** Who is asked of each part. Throws EtcdError. */
export abstract class Permit {
  abstract read(range: KeyRange): void;
  abstract write(range: KeyRange): void;

  /** Asks of all that the request needs, but not of leases. */
  request(op: RequestOp): void {
    switch (op.kind) {
      case 'range': return this.read(op.request);
      case 'put': return this.#put(op.request);
      case 'delete-range':
        if (op.request.prevKv) this.read(op.request);
        return this.write(op.request);
      case 'txn': return this.#txn(op.request);
      case 'empty': return;
      default: return unreachable(op);
    }
  }

  #put({ key, prevKv }: PutRequest): void {
    const range = { key, rangeEnd: EMPTY };
    this.write(range);
    if (prevKv) this.read(range);
  }

  #txn({ compare, success, failure }: TxnRequest): void {
    for (const range of compare) this.read(range);
    for (const op of success) this.request(op);
    for (const op of failure) this.request(op);
  }
}

const NO_LEASES: ReadonlySet<LeaseId> = new Set();

/** The leases to which the request attaches keys, whatever branch it takes. */
export function leasesOf(op: RequestOp): ReadonlySet<LeaseId> {
  if (op.kind === 'put') return op.request.lease === 0n ? NO_LEASES : new Set([op.request.lease]);
  if (op.kind !== 'txn') return NO_LEASES;
  const leases = new Set<LeaseId>();
  gather(op.request, leases);
  return leases;
}

function gather({ success, failure }: TxnRequest, into: Set<LeaseId>): void {
  for (const op of [...success, ...failure]) {
    if (op.kind === 'put' && op.request.lease !== 0n) into.add(op.request.lease);
    else if (op.kind === 'txn') gather(op.request, into);
  }
}
