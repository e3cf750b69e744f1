/**
 * Which keys leases have, as one view shows them: for who decides what may be done to a lease.
 *
 * C1 Somebody may hang a million keys on a lease that others name in each of their puts, and every
 * member looks at it when it applies these. So no walk goes over what is known to be allowed: after
 * a few keys within one range it goes on behind that. It looks at no more than that many keys for
 * each range, and at keys that were deleted and lie there still, which it passes in slices.
 */

import { assert } from '../../base/assert.js';
import { KiB, compareBytes } from '../../base/bytes.js';
import type { LeaseId } from '../../base/ids.js';
import { SYSTEM_SPACE, type ReadView } from '../../storage/base/read-view.js';
import type { KeyRanges } from '../auth/key-ranges.js';
import type { LeasedKeys } from '../auth/lease-permit.js';
import { ALL_ATTACHED, attachedKey, attachedTo, keyIn, leaseOfAttached } from './lease-keys.js';
import { Pace } from './pace.js';

const NEWEST = Number.MAX_SAFE_INTEGER;
/** Keys of one range that are looked at one by one: to look for its end costs as much. */
const STEPS = 16;
/** To look for a key anew is as much work as to read so much. */
const SEEK_BYTES = 32 * KiB;

export class LeasedKeysIn implements LeasedKeys {
  readonly #view: ReadView;
  readonly #pace: Pace;

  /** `pace`: of the whole request. */
  constructor(view: ReadView, pace = new Pace()) {
    this.#view = view;
    this.#pace = pace;
  }

  *areWithin(ranges: KeyRanges, lease: LeaseId | 'all'): Generator<void, boolean> {
    const { from, to } = lease === 'all' ? ALL_ATTACHED : attachedTo(lease);
    for (let at: Uint8Array | undefined = from; at !== undefined;) {
      const next: Uint8Array | boolean = yield* this.#walk(ranges, at, to);
      if (typeof next === 'boolean') return next;
      assert(compareBytes(next, at) > 0, 'C1 a walk over the keys of leases goes on');
      at = next;
      if (this.#pace.step(SEEK_BYTES)) yield;
    }
    return true;
  }

  /** Whether all are within; or from where it is to be seen. */
  *#walk(ranges: KeyRanges, from: Uint8Array, to: Uint8Array): Generator<void, Uint8Array | boolean> {
    let steps = 0;
    for (const { key, tombstone } of this.#view.scan(SYSTEM_SPACE, { from, to, atRevision: NEWEST, tombstones: true })) {
      if (this.#pace.step(key.length)) yield;
      if (tombstone) continue;
      const end = ranges.endAfter(keyIn(key));
      if (end === undefined) return false;
      if (++steps < STEPS) continue;
      const lease = leaseOfAttached(key);
      return end === 'none' ? attachedTo(lease).to : attachedKey(lease, end);
    }
    return true;
  }
}
