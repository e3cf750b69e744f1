/**
 * Which keys a request reads and writes, whatever branch it takes: both sides of a transaction
 * count, however deep, and so does what only shows in its answer (`prev_kv`, compares). A walk that
 * stops at the first part that is not allowed.
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
  /** Whatever hangs on the lease goes with it: all its keys are written. */
  abstract lease(id: LeaseId): void;

  /** Asks of all that the request needs. */
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

  #put({ key, lease, prevKv }: PutRequest): void {
    const range = { key, rangeEnd: EMPTY };
    this.write(range);
    if (lease !== 0n) this.lease(lease);
    if (prevKv) this.read(range);
  }

  #txn({ compare, success, failure }: TxnRequest): void {
    for (const range of compare) this.read(range);
    for (const op of success) this.request(op);
    for (const op of failure) this.request(op);
  }
}
