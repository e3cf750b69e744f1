/**
 * Put and delete on an overlay. `liveDelta` of every change is exact (+1 created, 0 overwrote, -1
 * deleted): counts of whole ranges are sums of it.
 */

import { compareBytes } from '../../base/bytes.js';
import type { LeaseId } from '../../base/ids.js';
import { USER_SPACE, type VersionedEntry } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { EtcdError } from '../../api/etcd-error.js';
import { KeyRun } from './key-run.js';
import { LeaseChanges } from './lease-changes.js';
import type { Overlay } from './overlay.js';
import type { Pace } from './pace.js';
import { rangeTo, toKeyValue } from './range.js';
import type { ResponseBudget } from './response-budget.js';
import { RecordHead, decodeKeyValue, encodeRecord, isLeased, readHeadWithin, readRecordHead } from './value-record.js';
import type { DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse } from '../../api/requests.js';

/** Which leases there are. */
export type LeaseSet = Pick<ReadonlySet<LeaseId>, 'has'>;

/** What a write needs to know of the rest of the replicated state. */
export interface WriteRules {
  /** Those that exist. Replicated state. */
  readonly leases: LeaseSet;
}

const head = new RecordHead();
/** The version before a put: one put at a time. */
const slot = new VersionSlot();

/** A live version of `key` as a client sees it. */
export function keyValueOf(key: Uint8Array, { revision, valueBytes, valueAt, valueEnd }: VersionSlot): KeyValue {
  return decodeKeyValue(key, revision, valueBytes.subarray(valueAt, valueEnd));
}

export function leaseCheck(request: PutRequest, rules: WriteRules): void {
  if (request.lease !== 0n && !rules.leases.has(request.lease)) throw new EtcdError('LEASE_NOT_FOUND');
}

/** The record that `request` leaves behind at `revision`. `prev` is the live version before it. */
export function recordOfPut(request: PutRequest, prev: VersionSlot | undefined, revision: number): Uint8Array {
  if (prev === undefined) {
    if (request.ignoreValue || request.ignoreLease) throw new EtcdError('KEY_NOT_FOUND');
    return encodeRecord(revision, revision, 1, request.lease, request.value);
  }
  readHeadWithin(prev.valueBytes, prev.valueAt, prev.valueEnd, prev.revision, head);
  const value = request.ignoreValue ? prev.valueBytes.subarray(head.valueAt, prev.valueEnd) : request.value;
  const lease = request.ignoreLease ? head.lease : request.lease;
  return encodeRecord(head.createRevision, revision, head.version + 1, lease, value);
}

/** The lease of the version before the put whose record was made last; 0: none. */
function leaseBefore(prev: VersionSlot | undefined): LeaseId {
  return prev === undefined ? 0n : head.lease;
}

/** Of the put whose record was made last; undefined: its key keeps its lease, or has none. */
export function leaseChangesOfPut({ key, lease, ignoreLease }: PutRequest, prev: VersionSlot | undefined): LeaseChanges | undefined {
  const before = leaseBefore(prev);
  if (ignoreLease || before === lease) return undefined;
  const changes = new LeaseChanges();
  changes.move(key, before, lease);
  return changes;
}

export function put(
  overlay: Overlay,
  request: PutRequest,
  rules: WriteRules,
  budget: ResponseBudget,
): PutResponse | undefined {
  leaseCheck(request, rules);
  overlay.ops.puts++;
  const prev = overlay.find(USER_SPACE, request.key, overlay.revision, slot) && !slot.tombstone ? slot : undefined;
  const record = recordOfPut(request, prev, overlay.revision);
  const before = leaseBefore(prev);
  overlay.leases.move(request.key, before, request.ignoreLease ? before : request.lease);
  overlay.put(request.key, record, prev === undefined ? 1 : 0);
  if (!budget.wanted) return undefined;
  const prevKv = request.prevKv && prev !== undefined ? keyValueOf(request.key, prev) : undefined;
  if (prevKv !== undefined) budget.take(prevKv);
  return budget.wanted ? { revision: overlay.revision, prevKv } : undefined;
}

/** The overlay changes once, when all keys are known. */
export function* deleteRange(
  overlay: Overlay,
  request: DeleteRangeRequest,
  budget: ResponseBudget,
  pace: Pace,
): Generator<void, DeleteRangeResponse | undefined> {
  if (request.rangeEnd.length === 0) return deleteOne(overlay, request, budget);
  overlay.ops.deletes++;
  const range = { from: request.key, to: rangeTo(request.rangeEnd) };
  const keys = new KeyRun();
  const prevKvs: KeyValue[] = [];
  if (range.to === undefined || compareBytes(range.from, range.to) < 0) {
    // Tombstones are looked at too: a long stretch of them is work like any other.
    for (const entry of overlay.scan(USER_SPACE, { ...range, atRevision: overlay.revision, tombstones: true })) {
      if (!entry.tombstone) {
        keys.add(entry.key);
        detach(overlay, entry);
        if (request.prevKv) keepPrev(prevKvs, entry, budget);
      }
      if (pace.step(entry.value.length)) yield;
    }
    overlay.deleteRange(range, keys);
  }
  return deleted(overlay, keys.size, prevKvs, budget);
}

/** The delete of one key, at once. */
export function deleteOne(overlay: Overlay, request: DeleteRangeRequest, budget: ResponseBudget): DeleteRangeResponse | undefined {
  overlay.ops.deletes++;
  const prevKvs: KeyValue[] = [];
  const entry = overlay.get(USER_SPACE, request.key, overlay.revision);
  const live = entry !== undefined && !entry.tombstone;
  if (live) {
    overlay.deleteKey(request.key);
    detach(overlay, entry);
    if (request.prevKv) keepPrev(prevKvs, entry, budget);
  }
  return deleted(overlay, live ? 1 : 0, prevKvs, budget);
}

/** A live version that is deleted. */
function detach({ leases }: Overlay, { key, value, revision }: VersionedEntry): void {
  if (!isLeased(value)) return;
  readRecordHead(value, revision, head);
  if (head.lease !== 0n) leases.detach(head.lease, key);
}

function keepPrev(prevKvs: KeyValue[], entry: VersionedEntry, budget: ResponseBudget): void {
  if (!budget.wanted) return;
  const kv = toKeyValue(entry);
  budget.take(kv);
  if (budget.wanted) prevKvs.push(kv);
  else prevKvs.length = 0;
}

function deleted(overlay: Overlay, count: number, prevKvs: readonly KeyValue[], budget: ResponseBudget): DeleteRangeResponse | undefined {
  if (!budget.wanted) return undefined;
  return { revision: overlay.changed ? overlay.revision : overlay.revision - 1, deleted: count, prevKvs };
}
