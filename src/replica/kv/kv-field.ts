/**
 * A key and its value as a field of a message (etcd's KeyValue), written from where they lie: the
 * size is known before anything is written, and nothing is allocated.
 *
 *   key 1 | create revision 2 | mod revision 3 | version 4 | value 5 | lease 6; zero and empty
 *   fields are left out, as in proto3
 */

import type { Revision } from '../../base/ids.js';
import { int64FieldSize, putVarint, varintSize } from '../../api/wire/proto-writer.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import type { RecordHead } from './value-record.js';

/** Bytes: up to here a loop copies sooner than a view is made. */
const LOOP_BYTES_MAX = 128;

function lengthFieldSize(bytes: number): number {
  return bytes === 0 ? 0 : 1 + varintSize(bytes) + bytes;
}

/** Of all its fields; the value ends at `valueEnd`. */
export function kvFieldsSize(keyBytes: number, modRevision: Revision, head: RecordHead, valueEnd: number): number {
  return (
    lengthFieldSize(keyBytes) + int64FieldSize(head.createRevision) + int64FieldSize(modRevision) + int64FieldSize(head.version) +
    lengthFieldSize(valueEnd - head.valueAt) + leaseFieldSize(head.leaseLow, head.leaseHigh)
  );
}

/** Tag and length, and up to where the key's bytes go. */
export function putKvHead(out: Uint8Array, from: number, tag: number, size: number, keyBytes: number): number {
  out[from] = tag;
  let at = putVarint(out, from + 1, size);
  if (keyBytes === 0) return at;
  out[at++] = 10;
  return putVarint(out, at, keyBytes);
}

/** From behind the key's bytes on; where it ends. */
export function putKvRest(out: Uint8Array, from: number, slot: VersionSlot, head: RecordHead, valueEnd: number): number {
  let at = putInt64(out, from, 16, head.createRevision);
  at = putInt64(out, at, 24, slot.revision);
  at = putInt64(out, at, 32, head.version);
  const valueBytes = valueEnd - head.valueAt;
  if (valueBytes > 0) {
    out[at++] = 42;
    at = putVarint(out, at, valueBytes);
    copyInto(out, at, slot.valueBytes, head.valueAt, valueEnd);
    at += valueBytes;
  }
  return putLease(out, at, head.leaseLow, head.leaseHigh);
}

export function copyInto(out: Uint8Array, to: number, from: Uint8Array, start: number, end: number): void {
  if (end - start > LOOP_BYTES_MAX) {
    out.set(from.subarray(start, end), to);
    return;
  }
  for (let i = start, at = to; i < end; i++, at++) out[at] = from[i] as number;
}

function putInt64(out: Uint8Array, at: number, tag: number, n: number): number {
  if (n === 0) return at;
  out[at] = tag;
  return putVarint(out, at + 1, n);
}

/** Of 64 bits in two halves; the highest bit makes it ten bytes. */
function leaseFieldSize(low: number, high: number): number {
  if (high === 0) return low === 0 ? 0 : 1 + varintSize(low);
  const bits = 64 - Math.clz32(high);
  return 1 + Math.ceil(bits / 7);
}

function putLease(out: Uint8Array, from: number, low: number, high: number): number {
  if ((low | high) === 0) return from;
  let at = from;
  out[at++] = 48;
  let lo = low >>> 0;
  let hi = high >>> 0;
  while (hi !== 0 || lo >= 0x80) {
    out[at++] = (lo & 0x7f) | 0x80;
    lo = ((lo >>> 7) | (hi << 25)) >>> 0;
    hi >>>= 7;
  }
  out[at++] = lo;
  return at;
}
