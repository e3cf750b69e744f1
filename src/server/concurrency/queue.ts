/**
 * A queue of keys, as etcd's clients have it: all keys below a name and a slash, in the order of
 * the revisions that created them. The first one's owner holds the lock, or leads. A key is named
 * after the lease that it hangs on, and goes with it.
 */

import { EMPTY, prefixEnd, utf8 } from '../../base/bytes.js';
import type { LeaseId, Revision } from '../../base/ids.js';
import type { KeyValue, RangeRequest, ResponseOp } from '../../api/requests.js';

const ALL: RangeRequest = {
  key: EMPTY, rangeEnd: EMPTY, limit: 0, revision: 0, sortOrder: 'none', sortTarget: 'key', serializable: false, keysOnly: false,
  countOnly: false, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0,
};

export class Queue {
  /** `name/`, and the first key behind all of its keys. */
  readonly prefix: Uint8Array;
  readonly end: Uint8Array;

  constructor(name: Uint8Array) {
    this.prefix = Buffer.concat([name, utf8('/')]);
    this.end = prefixEnd(this.prefix) ?? Uint8Array.of(0);
  }

  keyOf(lease: LeaseId): Uint8Array {
    return Buffer.concat([this.prefix, utf8(lease.toString(16))]);
  }

  /** Whoever holds it, or leads. */
  get first(): RangeRequest {
    return { ...ALL, key: this.prefix, rangeEnd: this.end, sortOrder: 'ascend', sortTarget: 'create', limit: 1 };
  }

  /** Whose turn is just before that of the key which this revision created. */
  before(revision: Revision): RangeRequest {
    return {
      ...ALL, key: this.prefix, rangeEnd: this.end, sortOrder: 'descend', sortTarget: 'create', limit: 1, keysOnly: true,
      maxCreateRevision: revision - 1,
    };
  }
}

export function single(key: Uint8Array, keysOnly = false): RangeRequest {
  return { ...ALL, key, keysOnly };
}

/** The only key of an answer to a range. */
export function keyIn(response: ResponseOp | undefined): KeyValue | undefined {
  return response?.kind === 'range' ? response.response.kvs[0] : undefined;
}
