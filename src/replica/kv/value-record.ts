/**
 * The value of a key in the tree: etcd's create revision, version and lease in front of the user's
 * bytes. The encoding is canonical (equal fields give equal bytes, S2) and decoding gives views,
 * never copies.
 *
 *     flags u8 (high nibble: format, bit 0: a lease follows) | varint mod - create |
 *     varint version | lease i64? | value
 *
 * The mod revision is not stored: it is the revision of the internal key. A new key costs three
 * bytes.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LeaseId, Revision } from '../../base/ids.js';
import type { KeyValue } from '../../api/requests.js';

const FORMAT = 1;
const HAS_LEASE = 1;

function varintLength(n: number): number {
  let length = 1;
  for (let rest = n; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}

function putVarint(out: Uint8Array, at: number, n: number): number {
  let rest = n;
  let to = at;
  while (rest >= 0x80) {
    out[to++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  out[to++] = rest;
  return to;
}

export function encodeRecord(
  createRevision: Revision,
  modRevision: Revision,
  version: number,
  lease: LeaseId,
  value: Uint8Array,
): Uint8Array {
  assert(createRevision <= modRevision && version > 0, 'a live key has 0 < version, create <= mod');
  const age = modRevision - createRevision;
  const leased = lease !== 0n;
  const head = 1 + varintLength(age) + varintLength(version) + (leased ? 8 : 0);
  const out = new Uint8Array(head + value.length);
  out[0] = (FORMAT << 4) | (leased ? HAS_LEASE : 0);
  const at = putVarint(out, putVarint(out, 1, age), version);
  if (leased) new DataView(out.buffer).setBigInt64(at, lease, true);
  out.set(value, head);
  return out;
}

/**
 * Where a decoded head is put: one per reader, so that looking at a previous version allocates
 * nothing.
 */
export class RecordHead {
  createRevision: Revision = 0;
  version = 0;
  /** The lease, as two halves of 32 bits: most keys have none, and a BigInt is an object. */
  leaseLow = 0;
  leaseHigh = 0;
  /** Where the user's bytes begin, in the bytes that hold the record. */
  valueAt = 0;

  get lease(): LeaseId {
    if ((this.leaseLow | this.leaseHigh) === 0) return 0n;
    return (BigInt(this.leaseHigh | 0) << 32n) | BigInt(this.leaseLow >>> 0);
  }
}

function readVarint(bytes: Uint8Array, end: number, head: RecordHead): number {
  let result = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    if (head.valueAt >= end) throw new CodecError('value record ends early');
    const byte = bytes[head.valueAt++] as number;
    result += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (result > Number.MAX_SAFE_INTEGER) break;
      return result;
    }
    scale *= 0x80;
  }
  throw new CodecError('value record: number above 2^53');
}

/** Reads everything but the user's bytes into `head`. Throws CodecError. */
export function readRecordHead(record: Uint8Array, modRevision: Revision, head: RecordHead): void {
  readHeadWithin(record, 0, record.length, modRevision, head);
}

/** Of the record [at, end) of `bytes`. Throws CodecError. */
export function readHeadWithin(bytes: Uint8Array, at: number, end: number, modRevision: Revision, head: RecordHead): void {
  if (at >= end) throw new CodecError('value record is empty');
  const flags = bytes[at] as number;
  if (flags >> 4 !== FORMAT || (flags & 0x0e) !== 0) throw new CodecError(`value record has unknown flags ${flags}`);
  head.valueAt = at + 1;
  const age = readVarint(bytes, end, head);
  if (age >= modRevision) throw new CodecError('value record was created before the first revision');
  head.createRevision = modRevision - age;
  head.version = readVarint(bytes, end, head);
  if (head.version === 0) throw new CodecError('value record of a live key has version 0');
  head.leaseLow = 0;
  head.leaseHigh = 0;
  if ((flags & HAS_LEASE) === 0) return;
  const leaseAt = head.valueAt;
  if (leaseAt + 8 > end) throw new CodecError('value record ends early');
  head.leaseLow = read32(bytes, leaseAt);
  head.leaseHigh = read32(bytes, leaseAt + 4);
  head.valueAt = leaseAt + 8;
}

function read32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** Whether a record names a lease: cheap, and no more than that is known of it. */
export function isLeased(bytes: Uint8Array, at = 0): boolean {
  return at < bytes.length && ((bytes[at] as number) & HAS_LEASE) !== 0;
}

const scratch = new RecordHead();

/** A live version as a client sees it; `withValue` false leaves the value empty (keys_only). */
export function decodeKeyValue(key: Uint8Array, modRevision: Revision, record: Uint8Array, withValue = true): KeyValue {
  readRecordHead(record, modRevision, scratch);
  return {
    key,
    createRevision: scratch.createRevision,
    modRevision,
    version: scratch.version,
    value: withValue ? record.subarray(scratch.valueAt) : EMPTY,
    lease: scratch.lease,
  };
}
