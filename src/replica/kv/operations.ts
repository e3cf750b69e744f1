/**
 * Put and delete on an overlay. `liveDelta` of every change is exact (+1 created, 0 overwrote, -1
 * deleted): counts of whole ranges are sums of it.
 */

import { compareBytes } from '../../base/bytes.js';
import type { LeaseId } from '../../base/ids.js';
import { USER_SPACE, type TreeWrite, type VersionedEntry } from '../../storage/base/read-view.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { Overlay } from './overlay.js';
import type { Pace } from './pace.js';
import { rangeTo, toKeyValue } from './range.js';
import { RecordHead, encodeRecord, readRecordHead } from './value-record.js';
import type { DeleteRangeRequest, DeleteRangeResponse, KeyValue, PutRequest, PutResponse } from '../../api/requests.js';

/** Which leases there are. */
export type LeaseSet = Pick<ReadonlySet<LeaseId>, 'has'>;

/** What a write needs to know of the rest of the replicated state. */
export interface WriteRules {
  /** Those that exist. Replicated state. */
  readonly leases: LeaseSet;
}

const head = new RecordHead();

export function leaseCheck(request: PutRequest, rules: WriteRules): void {
  if (request.lease !== 0n && !rules.leases.has(request.lease)) throw new EtcdError('LEASE_NOT_FOUND');
}

/** The record that `request` leaves behind at `revision`. `prev` is the live version before it. */
export function recordOfPut(request: PutRequest, prev: VersionedEntry | undefined, revision: number): Uint8Array {
  if (prev === undefined) {
    if (request.ignoreValue || request.ignoreLease) throw new EtcdError('KEY_NOT_FOUND');
    return encodeRecord(revision, revision, 1, request.lease, request.value);
  }
  readRecordHead(prev.value, prev.revision, head);
  const value = request.ignoreValue ? prev.value.subarray(head.valueAt) : request.value;
  const lease = request.ignoreLease ? head.lease : request.lease;
  return encodeRecord(head.createRevision, revision, head.version + 1, lease, value);
}

export function put(
  overlay: Overlay,
  request: PutRequest,
  rules: WriteRules,
  wantResponse: boolean,
): PutResponse | undefined {
  leaseCheck(request, rules);
  const found = overlay.get(USER_SPACE, request.key, overlay.revision);
  const prev = found === undefined || found.tombstone ? undefined : found;
  overlay.put(request.key, recordOfPut(request, prev, overlay.revision), prev === undefined ? 1 : 0);
  if (!wantResponse) return undefined;
  return { revision: overlay.revision, prevKv: request.prevKv && prev !== undefined ? toKeyValue(prev) : undefined };
}

/** The overlay changes once, when all keys are known. */
export function* deleteRange(
  overlay: Overlay,
  request: DeleteRangeRequest,
  wantResponse: boolean,
  pace: Pace,
): Generator<void, DeleteRangeResponse | undefined> {
  const run: TreeWrite[] = [];
  const prevKvs: KeyValue[] = [];
  const wantPrev = wantResponse && request.prevKv;
  if (request.rangeEnd.length === 0) {
    const entry = overlay.get(USER_SPACE, request.key, overlay.revision);
    if (entry !== undefined && !entry.tombstone) {
      run.push(overlay.tombstone(request.key, 0));
      if (wantPrev) prevKvs.push(toKeyValue(entry));
    }
  } else {
    const to = rangeTo(request.rangeEnd);
    if (to === undefined || compareBytes(request.key, to) < 0) {
      for (const entry of overlay.scan(USER_SPACE, { from: request.key, to, atRevision: overlay.revision })) {
        run.push(overlay.tombstone(entry.key, run.length));
        if (wantPrev) prevKvs.push(toKeyValue(entry));
        if (pace.step()) yield;
      }
    }
  }
  overlay.deleteRun(run);
  if (!wantResponse) return undefined;
  return { revision: overlay.changed ? overlay.revision : overlay.revision - 1, deleted: run.length, prevKvs };
}
