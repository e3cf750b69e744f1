/**
 * A hash of all that can be read at some revision and since the compact one: equal on every member
 * that has the same of it, whatever each has collected, flushed or merged meanwhile. What lies in
 * it: the keys as of the compact revision, and each change after that up to the revision.
 *
 * The changes are met in no order (`storage/tree/history.ts`), so it is the sum of the checksums of
 * all versions, modulo 2^32: one that is missing, doubled or another changes it. etcd's HashKV has
 * other bytes under it; its hashes are compared with each other only, as ours are.
 */

import { crc32c } from '../../base/crc32c.js';
import { EMPTY } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { HistorySink } from '../../storage/base/history-sink.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import type { TreeView } from '../../storage/tree/tree-view.js';
import { Pace } from './pace.js';
import type { StoreState } from './range.js';

export interface KvHash {
  /** Unsigned, 32 bits. */
  readonly hash: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

/** Sums up versions in [min, max]. */
class VersionSum implements HistorySink {
  readonly min: Revision;
  readonly max: Revision;
  readonly #head = new Float64Array(4);
  readonly #headBytes = new Uint8Array(this.#head.buffer);
  #sum = 0;

  constructor(min: Revision, max: Revision) {
    this.min = min;
    this.max = max;
  }

  get value(): number {
    return this.#sum;
  }

  add(slot: VersionSlot): void {
    this.#head[0] = slot.revision;
    this.#head[1] = slot.sub;
    this.#head[2] = slot.tombstone ? 1 : 0;
    this.#head[3] = slot.keyEnd;
    const crc = crc32c(slot.valueBytes, crc32c(slot.keyBytes, crc32c(this.#headBytes), 0, slot.keyEnd), slot.valueAt, slot.valueEnd);
    this.#sum = (this.#sum + crc) >>> 0;
  }
}

/**
 * `revision` 0 or less: the newest. `state` is the view's. Throws EtcdError COMPACTED,
 * FUTURE_REVISION, and what the view throws.
 */
export function* hashKv(view: TreeView, state: StoreState, revision: Revision): Generator<void, KvHash> {
  const { revision: newest, compactRevision } = state;
  const upTo = revision > 0 ? revision : newest;
  if (upTo < compactRevision) throw new EtcdError('COMPACTED');
  if (upTo > newest) throw new EtcdError('FUTURE_REVISION');
  const pace = new Pace();
  const sum = new VersionSum(compactRevision + 1, upTo);
  if (compactRevision > 0) {
    const walk = view.walk(USER_SPACE, { from: EMPTY, to: undefined, atRevision: compactRevision });
    while (walk.next()) {
      if (walk.visible) sum.add(walk.slot);
      if (pace.step(walk.slot.valueEnd - walk.slot.valueAt)) yield;
    }
  }
  if (compactRevision < upTo) yield* view.history(EMPTY, undefined, sum);
  return { hash: sum.value, revision: upTo, compactRevision };
}
