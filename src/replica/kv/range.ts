/**
 * Range reads over a view, in slices. What is read does not depend on how it is sliced: the view is
 * pinned. A range in key order reads no more keys than its limit needs; counting the rest is a sum
 * of live deltas, at an older revision too. Nothing is made for a key: what is asked for is packed
 * from where it lies into the answer's bytes. Only a sort by something else than the key keeps a
 * row for each key.
 *
 * As in every version of etcd, a limit without a sort order cuts in key order first, even if a sort
 * target other than the key is named: `limit 2, target version, order none` sorts the first three
 * keys.
 */

import { assert } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { USER_SPACE, type ReadView, type VersionedEntry } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { EtcdError } from '../../api/etcd-error.js';
import { PackedRange } from '../../api/wire/packed-range.js';
import { Pace } from './pace.js';
import { RangePacker, packOne } from './range-packer.js';
import { rowBytes, rowOf, rowOrder, type Row } from './range-rows.js';
import { ResponseBudget, tooLarge } from './response-budget.js';
import { sortSliced } from './sort.js';
import { RecordHead, decodeKeyValue, readHeadWithin } from './value-record.js';
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

export function toKeyValue(entry: VersionedEntry): KeyValue {
  return decodeKeyValue(entry.key, entry.revision, entry.value);
}

/** Does any of the bounds of revisions leave keys out? */
function isFiltered(request: RangeRequest): boolean {
  return (
    request.minModRevision !== 0 || request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 || request.maxCreateRevision !== 0
  );
}

function passes(request: RangeRequest, modRevision: Revision, createRevision: Revision): boolean {
  if (request.maxModRevision !== 0 && modRevision > request.maxModRevision) return false;
  if (request.minModRevision !== 0 && modRevision < request.minModRevision) return false;
  if (request.maxCreateRevision !== 0 && createRevision > request.maxCreateRevision) return false;
  return request.minCreateRevision === 0 || createRevision >= request.minCreateRevision;
}

function readHead(slot: VersionSlot, into: RecordHead): void {
  readHeadWithin(slot.valueBytes, slot.valueAt, slot.valueEnd, slot.revision, into);
}

/** What a range looks at, one key at a time: no two of them meet between two yields. */
const head = new RecordHead();
const found = new VersionSlot();

/** A single key, at once. The hot path of reads. */
export function rangeOne(view: ReadView, request: RangeRequest, state: StoreState): RangeResponse {
  const { revision } = state;
  const live = view.find(USER_SPACE, request.key, readRevision(request.revision, state), found) && !found.tombstone;
  if (!live) return { revision, kvs: NO_KVS, more: false, count: 0 };
  if (request.countOnly) return { revision, kvs: NO_KVS, more: false, count: 1 };
  readHead(found, head);
  if (!passes(request, found.revision, head.createRevision)) return { revision, kvs: NO_KVS, more: false, count: 1 };
  return packOne(request.key, found, head, !request.keysOnly, revision);
}

/**
 * Any range by itself. Throws EtcdError RESPONSE_TOO_LARGE, FUTURE_REVISION, COMPACTED, and what
 * the view throws (StorageError).
 */
export function* readRange(
  view: ReadView,
  request: RangeRequest,
  state: StoreState,
  budget = new ResponseBudget(true),
): Generator<void, RangeResponse> {
  const response = yield* range(view, request, state, new Pace(), budget);
  if (budget.exceeded) throw tooLarge(false);
  return response;
}

/**
 * Any range. What it gives means nothing once the budget is exceeded, and it reads no further then.
 * Throws EtcdError FUTURE_REVISION, COMPACTED, and what the view throws (StorageError).
 */
export function* range(
  view: ReadView,
  request: RangeRequest,
  state: StoreState,
  pace: Pace = new Pace(),
  budget = new ResponseBudget(true),
): Generator<void, RangeResponse> {
  if (request.rangeEnd.length === 0) {
    const one = rangeOne(view, request, state);
    if (one instanceof PackedRange) budget.takeBytes(one.bodyBytes);
    return one;
  }
  const at = readRevision(request.revision, state);
  const { revision } = state;
  const from = request.key;
  const to = rangeTo(request.rangeEnd);
  if (to !== undefined && compareBytes(to, from) <= 0) return { revision, kvs: NO_KVS, more: false, count: 0 };
  const counted = { view, from, to, at, newest: at === revision };
  if (request.countOnly) return { revision, kvs: NO_KVS, more: false, count: yield* countOf(counted) };
  const plan = planOf(request);
  const filtered = isFiltered(request);
  const limit = request.limit > 0 ? request.limit : Infinity;
  const keysOnly = request.keysOnly && plan.sortBy !== 'value';
  const walk = view.walk(USER_SPACE, { from, to, atRevision: at, reverse: plan.reverse, keysOnly });
  const { slot } = walk;
  const packer = new RangePacker();
  const rows: Row[] | undefined = plan.sortBy === undefined ? undefined : [];
  let walked = 0;
  let matched = 0;
  while (matched < plan.wanted && walk.next()) {
    if (pace.step(walk.visible ? slot.valueEnd - slot.valueAt : 0)) yield;
    if (!walk.visible) continue;
    walked += 1;
    const wanted = matched < limit;
    if (filtered || wanted || rows !== undefined) readHead(slot, head);
    if (filtered && !passes(request, slot.revision, head.createRevision)) continue;
    matched += 1;
    if (rows !== undefined) {
      const row = rowOf(slot, head, plan.sortBy, keysOnly);
      rows.push(row);
      budget.takeBytes(rowBytes(row));
    } else if (wanted) budget.takeBytes(packer.add(slot, head, !request.keysOnly));
    if (budget.exceeded) return { revision, kvs: NO_KVS, more: false, count: 0 };
  }
  assert(matched <= walked && matched <= plan.wanted, 'no key is given that was not looked at');
  const isWhole = matched < plan.wanted || request.uncounted === true;
  const count = isWhole ? walked : yield* countOf(counted);
  if (rows !== undefined) yield* packSorted(rows, plan, limit, !request.keysOnly, packer, pace);
  return yield* packer.finish(revision, matched > limit, count);
}

interface Counted {
  readonly view: ReadView;
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
  readonly at: Revision;
  readonly newest: boolean;
}

/** All live keys of the range, whatever limit and filters say: what etcd's `count` means. */
function* countOf({ view, from, to, at, newest }: Counted): Generator<void, number> {
  if (newest) return view.countLive(from, to);
  let count = 0;
  for (const part of view.countLiveAt(from, to, at)) {
    count += part;
    yield;
  }
  assert(count >= 0, `live keys of a range: ${count}`);
  return count;
}

interface RangePlan {
  readonly reverse: boolean;
  /** Matching keys after which nothing more is read: one more than the limit, for `more`. */
  readonly wanted: number;
  /** Undefined: the walk's order is the order asked for. */
  readonly sortBy: SortTarget | undefined;
  readonly descending: boolean;
}

function planOf(request: RangeRequest): RangePlan {
  const limited = request.limit > 0 ? request.limit + 1 : Infinity;
  const descending = request.sortOrder === 'descend';
  if (request.sortTarget === 'key') return { reverse: descending, wanted: limited, sortBy: undefined, descending };
  const wanted = request.sortOrder === 'none' && !isFiltered(request) ? limited : Infinity;
  return { reverse: false, wanted, sortBy: request.sortTarget, descending };
}

function* packSorted(
  rows: Row[], plan: RangePlan, limit: number, withValue: boolean, packer: RangePacker, pace: Pace,
): Generator<void, void> {
  const sorted = yield* sortSliced(rows, rowOrder(plan), pace);
  const end = Math.min(limit, sorted.length);
  for (let i = 0; i < end; i++) {
    const { slot } = sorted[i] as Row;
    readHead(slot, head);
    packer.add(slot, head, withValue);
    if (pace.step(slot.valueEnd - slot.valueAt)) yield;
  }
}
