/**
 * Range reads over a view, in slices. What is read does not depend on how it is sliced: the view is
 * pinned. A range in key order reads no more keys than its limit needs; counting the rest is a sum
 * of live deltas at the newest revision and a walk at an older one.
 *
 * As in every version of etcd, a limit without a sort order cuts in key order first, even if a sort
 * target other than the key is named: `limit 2, target version, order none` sorts the first three
 * keys.
 */

import { assert } from '../../base/assert.js';
import { EMPTY, compareBytes } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { USER_SPACE, type ReadView, type VersionedEntry } from '../../storage/base/read-view.js';
import { EtcdError } from '../../api/etcd-error.js';
import { Pace } from './pace.js';
import { sortSliced } from './sort.js';
import { decodeKeyValue } from './value-record.js';
import type { KeyValue, RangeRequest, RangeResponse, SortTarget } from '../../api/requests.js';

/** The state that a view belongs to. */
export interface StoreState {
  readonly revision: Revision;
  /** 0 before the first compaction. */
  readonly compactRevision: Revision;
}

const NO_KVS: readonly KeyValue[] = [];

/** "\0" alone means: to the end of the space. */
export function rangeTo(rangeEnd: Uint8Array): Uint8Array | undefined {
  return rangeEnd.length === 1 && rangeEnd[0] === 0 ? undefined : rangeEnd;
}

/** The revision to read at. Throws EtcdError FUTURE_REVISION, COMPACTED. */
export function readRevision(requested: Revision, state: StoreState): Revision {
  assert(state.compactRevision <= state.revision, 'S2 nothing is compacted that is yet to come');
  if (requested <= 0) return state.revision;
  if (requested > state.revision) throw new EtcdError('FUTURE_REVISION');
  if (requested < state.compactRevision) throw new EtcdError('COMPACTED');
  return requested;
}

export function toKeyValue(entry: VersionedEntry, withValue = true): KeyValue {
  return decodeKeyValue(entry.key, entry.revision, entry.value, withValue);
}

function passes(request: RangeRequest, kv: KeyValue): boolean {
  if (request.maxModRevision !== 0 && kv.modRevision > request.maxModRevision) return false;
  if (request.minModRevision !== 0 && kv.modRevision < request.minModRevision) return false;
  if (request.maxCreateRevision !== 0 && kv.createRevision > request.maxCreateRevision) return false;
  return request.minCreateRevision === 0 || kv.createRevision >= request.minCreateRevision;
}

/** A single key, at once. The hot path of reads. */
export function rangeOne(view: ReadView, request: RangeRequest, state: StoreState): RangeResponse {
  const entry = view.get(USER_SPACE, request.key, readRevision(request.revision, state));
  const revision = state.revision;
  if (entry === undefined || entry.tombstone) return { revision, kvs: NO_KVS, more: false, count: 0 };
  if (request.countOnly) return { revision, kvs: NO_KVS, more: false, count: 1 };
  const kv = toKeyValue(entry, !request.keysOnly);
  return { revision, kvs: passes(request, kv) ? [kv] : NO_KVS, more: false, count: 1 };
}

/**
 * Any range. Throws EtcdError FUTURE_REVISION, COMPACTED, and what the view throws (StorageError).
 */
export function* range(
  view: ReadView,
  request: RangeRequest,
  state: StoreState,
  pace: Pace = new Pace(),
): Generator<void, RangeResponse> {
  if (request.rangeEnd.length === 0) return rangeOne(view, request, state);
  const at = readRevision(request.revision, state);
  const revision = state.revision;
  const from = request.key;
  const to = rangeTo(request.rangeEnd);
  if (to !== undefined && compareBytes(to, from) <= 0) return { revision, kvs: NO_KVS, more: false, count: 0 };
  if (request.countOnly) {
    const count = at === revision ? view.countLive(from, to) : yield* walkCount(view, from, to, at, pace);
    return { revision, kvs: NO_KVS, more: false, count };
  }
  const plan = planOf(request);
  const options = { from, to, atRevision: at, reverse: plan.reverse };
  const withValue = !request.keysOnly || plan.sortBy === 'value';
  let kvs: KeyValue[] = [];
  let walked = 0;
  let exhausted = true;
  for (const entry of view.scan(USER_SPACE, options)) {
    if (kvs.length >= plan.wanted && at === revision) {
      exhausted = false;
      break;
    }
    walked += 1;
    if (kvs.length < plan.wanted) {
      const kv = toKeyValue(entry, withValue);
      if (passes(request, kv)) kvs.push(kv);
    }
    if (pace.step()) yield;
  }
  assert(kvs.length <= walked && kvs.length <= plan.wanted, 'no key is given that was not looked at');
  const count = exhausted ? walked : view.countLive(from, to);
  if (plan.sortBy !== undefined) kvs = yield* sortSliced(kvs, comparator(plan.sortBy, plan.descending), pace);
  const more = request.limit > 0 && kvs.length > request.limit;
  if (more) kvs.length = request.limit;
  if (request.keysOnly && withValue) kvs = kvs.map((kv) => ({ ...kv, value: EMPTY }));
  return { revision, kvs, more, count };
}

interface RangePlan {
  readonly reverse: boolean;
  /** Matching keys after which nothing more is read: one more than the limit, for `more`. */
  readonly wanted: number;
  /** Undefined: the scan's order is the order asked for. */
  readonly sortBy: SortTarget | undefined;
  readonly descending: boolean;
}

function planOf(request: RangeRequest): RangePlan {
  const limited = request.limit > 0 ? request.limit + 1 : Infinity;
  const descending = request.sortOrder === 'descend';
  if (request.sortTarget === 'key') return { reverse: descending, wanted: limited, sortBy: undefined, descending };
  const filtered =
    request.minModRevision !== 0 || request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 || request.maxCreateRevision !== 0;
  const wanted = request.sortOrder === 'none' && !filtered ? limited : Infinity;
  return { reverse: false, wanted, sortBy: request.sortTarget, descending };
}

/** Keys that tie stay in key order, whichever way the rest is sorted. */
function comparator(by: SortTarget, descending: boolean): (a: KeyValue, b: KeyValue) => number {
  const sign = descending ? -1 : 1;
  switch (by) {
    case 'version': return (a, b) => sign * (a.version - b.version);
    case 'create': return (a, b) => sign * (a.createRevision - b.createRevision);
    case 'mod': return (a, b) => sign * (a.modRevision - b.modRevision);
    case 'value': return (a, b) => sign * compareBytes(a.value, b.value);
    case 'key':
    default: return (a, b) => sign * compareBytes(a.key, b.key);
  }
}

function* walkCount(
  view: ReadView,
  from: Uint8Array,
  to: Uint8Array | undefined,
  at: Revision,
  pace: Pace,
): Generator<void, number> {
  let count = 0;
  for (const _entry of view.scan(USER_SPACE, { from, to, atRevision: at })) {
    count += 1;
    if (pace.step()) yield;
  }
  return count;
}
