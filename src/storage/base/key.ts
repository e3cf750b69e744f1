/**
 * Internal keys: `[space][user key, 0x00 as 0x00 0xff][0x00 0x01][~revision, 8 bytes][~sub, 4
 * bytes]`, big endian.
 *
 * Plain unsigned byte order is therefore (space, key ascending, revision descending, sub
 * descending), and no key's prefix (everything before the revision) is a prefix of another key's:
 * tables, filters and merges treat keys as opaque bytes. The prefix names the key; it is what
 * filters hold and what tables never split.
 */

import { assert } from '../../base/assert.js';
import { CodecError } from '../../base/errors.js';
import type { Space } from './read-view.js';
import { SEQUENCE_BYTES } from './table-entry.js';

/** Bytes after the prefix: revision and sub-revision. */
const KEY_SUFFIX_BYTES = SEQUENCE_BYTES;
/** Space byte, terminator and suffix. */
const MIN_INTERNAL_KEY_BYTES = 1 + 2 + KEY_SUFFIX_BYTES;
export const MAX_SUB = 0xffff_ffff;

const TWO_32 = 0x1_0000_0000;
const TERMINATOR = 0x01;
const ESCAPED_ZERO = 0xff;

function zerosIn(key: Uint8Array): number {
  let zeros = 0;
  for (let i = 0; i < key.length; i++) if (key[i] === 0) zeros++;
  return zeros;
}

/** Writes the prefix at the start of `into` and returns its length. */
function writePrefix(into: Uint8Array, space: Space, key: Uint8Array, zeros: number): number {
  into[0] = space;
  let at = 1;
  if (zeros === 0) {
    if (key.length > 32) {
      into.set(key, at);
      at += key.length;
    } else {
      for (let i = 0; i < key.length; i++) into[at++] = key[i] as number;
    }
  } else {
    for (let i = 0; i < key.length; i++) {
      const byte = key[i] as number;
      into[at++] = byte;
      if (byte === 0) into[at++] = ESCAPED_ZERO;
    }
  }
  into[at++] = 0;
  into[at++] = TERMINATOR;
  return at;
}

/** What follows the prefix, at `at` of `into`. */
export function writeSuffix(into: Uint8Array, at: number, revision: number, sub: number): void {
  const high = ~Math.floor(revision / TWO_32);
  const low = ~(revision >>> 0);
  const s = ~sub;
  into[at] = high >>> 24;
  into[at + 1] = high >>> 16;
  into[at + 2] = high >>> 8;
  into[at + 3] = high;
  into[at + 4] = low >>> 24;
  into[at + 5] = low >>> 16;
  into[at + 6] = low >>> 8;
  into[at + 7] = low;
  into[at + 8] = s >>> 24;
  into[at + 9] = s >>> 16;
  into[at + 10] = s >>> 8;
  into[at + 11] = s;
}

/** What names a key in filters and memtables, and bounds all its versions from below. */
export function encodePrefix(space: Space, key: Uint8Array): Uint8Array {
  const zeros = zerosIn(key);
  const out = new Uint8Array(1 + key.length + zeros + 2);
  writePrefix(out, space, key, zeros);
  return out;
}

/** Room for the prefix of `key`, whatever its bytes are. */
export function prefixBytesMax(key: Uint8Array): number {
  return 1 + 2 * key.length + 2;
}

/** As {@link encodePrefix}, into a buffer of {@link prefixBytesMax}; gives the length. */
export function writePrefixOf(into: Uint8Array, space: Space, key: Uint8Array): number {
  return writePrefix(into, space, key, zerosIn(key));
}

export function encodeInternalKey(space: Space, key: Uint8Array, revision: number, sub: number): Uint8Array {
  assert(Number.isSafeInteger(revision) && revision >= 0, `revision of an internal key: ${revision}`);
  const zeros = zerosIn(key);
  const out = new Uint8Array(1 + key.length + zeros + 2 + KEY_SUFFIX_BYTES);
  writeSuffix(out, writePrefix(out, space, key, zeros), revision, sub);
  return out;
}

/** The first internal key, in order, of the versions of `key` at or below `revision`. */
export function encodeSeekKey(space: Space, key: Uint8Array, revision: number): Uint8Array {
  return encodeInternalKey(space, key, revision, MAX_SUB);
}

/** A key to seek, with its prefix. */
export interface SeekKey {
  readonly key: Uint8Array;
  readonly prefix: Uint8Array;
}

const REUSED_BYTES_MAX = 256;
const reused: (SeekKey | undefined)[] = [];

/**
 * As {@link encodeSeekKey}, without allocating, for who keeps nothing of it: the next call may
 * overwrite it. A read is synchronous, and none begins within another.
 */
export function borrowSeekKey(space: Space, key: Uint8Array, revision: number): SeekKey {
  const zeros = zerosIn(key);
  const prefixBytes = 1 + key.length + zeros + 2;
  let borrowed = reused[prefixBytes];
  if (borrowed === undefined) {
    const bytes = new Uint8Array(prefixBytes + KEY_SUFFIX_BYTES);
    borrowed = { key: bytes, prefix: bytes.subarray(0, prefixBytes) };
    if (prefixBytes <= REUSED_BYTES_MAX) reused[prefixBytes] = borrowed;
  }
  writeSuffix(borrowed.key, writePrefix(borrowed.key, space, key, zeros), revision, MAX_SUB);
  return borrowed;
}

/** A prefix with a revision behind it. */
export function withRevision(prefix: Uint8Array, revision: number, sub: number): Uint8Array {
  const out = new Uint8Array(prefix.length + KEY_SUFFIX_BYTES);
  out.set(prefix);
  writeSuffix(out, prefix.length, revision, sub);
  return out;
}

/** Above every internal key of the space. */
export function spaceEnd(space: Space): Uint8Array {
  return Uint8Array.of(space + 1);
}

/** A view of the prefix of an internal key. */
export function prefixOf(internalKey: Uint8Array): Uint8Array {
  return internalKey.subarray(0, internalKey.length - KEY_SUFFIX_BYTES);
}

export function revisionOf(internalKey: Uint8Array): number {
  return revisionIn(internalKey, internalKey.length);
}

/** Of the internal key that ends at `end` of `bytes`. */
export function revisionIn(bytes: Uint8Array, end: number): number {
  const at = end - KEY_SUFFIX_BYTES;
  const high = ~(
    ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
  );
  const low = ~(
    ((bytes[at + 4] as number) << 24) | ((bytes[at + 5] as number) << 16) |
    ((bytes[at + 6] as number) << 8) | (bytes[at + 7] as number)
  );
  return (high >>> 0) * TWO_32 + (low >>> 0);
}

export function subOf(internalKey: Uint8Array): number {
  return subIn(internalKey, internalKey.length);
}

/** Of the internal key that ends at `end` of `bytes`. */
export function subIn(bytes: Uint8Array, end: number): number {
  const at = end - 4;
  return ~(
    ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
  ) >>> 0;
}

export function spaceOf(internalKey: Uint8Array): number {
  return internalKey[0] as number;
}

/** The user key of a prefix: a view where nothing was escaped, a copy otherwise. */
export function userKeyOfPrefix(prefix: Uint8Array): Uint8Array {
  const end = prefix.length - 2;
  let zeros = 0;
  for (let i = 1; i < end; i++) if (prefix[i] === 0) zeros++;
  if (zeros === 0) return prefix.subarray(1, end);
  const out = new Uint8Array(end - 1 - zeros);
  let at = 0;
  for (let i = 1; i < end; i++) {
    const byte = prefix[i] as number;
    out[at++] = byte;
    if (byte === 0) i++;
  }
  return out;
}

/** Bytes of the user key of a prefix of so many, if none of them is zero; else it has fewer. */
export function plainKeyLength(prefixBytes: number): number {
  return prefixBytes - 3;
}

/** Writes the user key whose prefix is [0, end) of `bytes` to `out` from `to` on; where it ends. */
export function writeUserKey(out: Uint8Array, to: number, bytes: Uint8Array, end: number): number {
  let at = to;
  for (let i = 1; i < end - 2; i++) {
    const byte = bytes[i] as number;
    out[at++] = byte;
    if (byte === 0) i++;
  }
  return at;
}

interface InternalKey {
  readonly space: number;
  readonly key: Uint8Array;
  readonly revision: number;
  readonly sub: number;
}

/** Is this shaped like an internal key? For keys that come from an entry of the log. */
export function isInternalKey(bytes: Uint8Array): boolean {
  if (bytes.length < MIN_INTERNAL_KEY_BYTES || (bytes[0] as number) > 1) return false;
  const end = bytes.length - KEY_SUFFIX_BYTES - 2;
  if (bytes[end] !== 0 || bytes[end + 1] !== TERMINATOR) return false;
  for (let i = 1; i < end; i++) {
    if (bytes[i] === 0 && bytes[++i] !== ESCAPED_ZERO) return false;
    if (i >= end) return false;
  }
  return revisionOf(bytes) <= Number.MAX_SAFE_INTEGER;
}

/** Throws CodecError for anything that {@link encodeInternalKey} does not give. */
export function decodeInternalKey(bytes: Uint8Array): InternalKey {
  if (!isInternalKey(bytes)) throw new CodecError(`not an internal key (${bytes.length} bytes)`);
  return { space: spaceOf(bytes), key: userKeyOfPrefix(prefixOf(bytes)), revision: revisionOf(bytes), sub: subOf(bytes) };
}

/** Order of the prefixes of two internal keys: zero if both are versions of one key. */
export function comparePrefixes(a: Uint8Array, b: Uint8Array): number {
  const aEnd = a.length - KEY_SUFFIX_BYTES;
  const bEnd = b.length - KEY_SUFFIX_BYTES;
  const n = aEnd < bEnd ? aEnd : bEnd;
  for (let i = 0; i < n; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return aEnd - bEnd;
}

/** Are the internal keys [0, aEnd) of `a` and [0, bEnd) of `b` versions of one key? */
export function sameKey(a: Uint8Array, aEnd: number, b: Uint8Array, bEnd: number): boolean {
  if (aEnd !== bEnd) return false;
  // Neighbours in key order differ near their ends.
  for (let i = aEnd - KEY_SUFFIX_BYTES - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}

/** Order of a bare prefix against the prefix of an internal key. */
export function comparePrefixToKey(prefix: Uint8Array, internalKey: Uint8Array): number {
  const end = internalKey.length - KEY_SUFFIX_BYTES;
  const n = prefix.length < end ? prefix.length : end;
  for (let i = 0; i < n; i++) {
    const d = (prefix[i] as number) - (internalKey[i] as number);
    if (d !== 0) return d;
  }
  return prefix.length - end;
}

/** Above every version of the key with this prefix, and below every other key that is above it. */
export function afterKey(prefix: Uint8Array): Uint8Array {
  const out = new Uint8Array(prefix.length + KEY_SUFFIX_BYTES + 1);
  out.set(prefix);
  out.fill(0xff, prefix.length);
  return out;
}
