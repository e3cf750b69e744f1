/**
 * How leases lie in the tree. Each lease is a system key, and so is each key that is attached to
 * one: newest only, sequenced by log index, written by the very entry that changes them. So there
 * is no index of them in memory, a seal is no larger for them, and a restart, a snapshot and a
 * backup have them as of the flushed index, as they have all keys.
 *
 *     lease/ id                 format u8, varint TTL in seconds, varint remaining milliseconds
 *     leased/ id, user key      empty: the newest version of the key says that it has this lease
 *
 * An id is 8 bytes, big endian, so that the keys of a lease are one range, in the order of the
 * keys. Remaining time is 0 as long as the log has not said that less than the TTL is left.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, EMPTY, utf8 } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LeaseId } from '../../base/ids.js';

const LEASES = utf8('lease/');
const ATTACHED = utf8('leased/');
const ID_BYTES = 8;
const FORMAT = 1;

/** What the log says of a lease that exists. */
export interface LeaseRecord {
  /** Seconds, above 0. */
  readonly ttl: number;
  /** Milliseconds at most that were left when a leader last said so; 0: all of the TTL. */
  readonly remainingMs: number;
}

/** [from, to) of the system space. */
interface SystemRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Of all leases. */
export const ALL_LEASES: SystemRange = { from: LEASES, to: after(LEASES) };
/** Of all keys that are attached to any lease: those of one lease after those of another. */
export const ALL_ATTACHED: SystemRange = { from: ATTACHED, to: after(ATTACHED) };

export function leaseKey(id: LeaseId): Uint8Array {
  return keyOf(LEASES, id, EMPTY);
}

export function attachedKey(id: LeaseId, key: Uint8Array): Uint8Array {
  return keyOf(ATTACHED, id, key);
}

/** Of all keys that are attached to a lease. */
export function attachedTo(id: LeaseId): SystemRange {
  const from = keyOf(ATTACHED, id, EMPTY);
  return { from, to: after(from) };
}

/** The id in the key of a lease: int64. */
export function leaseOf(key: Uint8Array): LeaseId {
  assert(key.length === LEASES.length + ID_BYTES, 'S2 the key of a lease holds its id');
  return new DataView(key.buffer, key.byteOffset, key.length).getBigInt64(LEASES.length);
}

/** The lease that an attachment is of: int64. */
export function leaseOfAttached(attached: Uint8Array): LeaseId {
  assert(attached.length >= ATTACHED.length + ID_BYTES, 'S2 an attachment holds the id of its lease');
  return new DataView(attached.buffer, attached.byteOffset, attached.length).getBigInt64(ATTACHED.length);
}

/** The user's key in that of its attachment: a view. */
export function keyIn(attached: Uint8Array): Uint8Array {
  return attached.subarray(ATTACHED.length + ID_BYTES);
}

export function encodeLease({ ttl, remainingMs }: LeaseRecord): Uint8Array {
  assert(ttl > 0 && remainingMs >= 0 && remainingMs <= ttl * 1000, `S2 a lease of ${ttl} s has ${remainingMs} ms left`);
  return new ByteWriter(16).u8(FORMAT).varint(ttl).varint(remainingMs).finish();
}

/** Throws CodecError. */
export function decodeLease(value: Uint8Array): LeaseRecord {
  const input = new ByteReader(value, 'lease');
  const format = input.u8();
  if (format !== FORMAT) throw new CodecError(`lease: format ${format} is not supported`);
  const record = { ttl: input.varint(), remainingMs: input.varint() };
  input.end();
  return record;
}

function keyOf(prefix: Uint8Array, id: LeaseId, key: Uint8Array): Uint8Array {
  const out = new Uint8Array(prefix.length + ID_BYTES + key.length);
  out.set(prefix);
  new DataView(out.buffer).setBigInt64(prefix.length, id);
  out.set(key, prefix.length + ID_BYTES);
  return out;
}

/** The end of all keys that begin so. */
function after(prefix: Uint8Array): Uint8Array {
  const out = prefix.slice();
  for (let at = out.length - 1; at >= 0; at--) {
    const byte = out[at] as number;
    out[at] = (byte + 1) & 0xff;
    if (byte !== 0xff) return out;
  }
  throw new Error('unreachable: a prefix of letters has an end');
}
