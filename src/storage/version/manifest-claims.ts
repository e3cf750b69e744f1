/**
 * Copies of manifest records whose frames are bad, found by the headers of their blocks, which lie
 * at both ends of a copy and say how large its payload is and what digest it has. What they say is
 * a claim: it is believed once the payload has that digest and says itself which record it is, and
 * which it follows.
 */

import type { Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { decodeBlock } from '../block/block-codec.js';
import { BLOCK_MAGIC, readHeader } from '../block/header.js';
import { blockLayout } from '../block/layout.js';
import { copyBytes, FRAME_BYTES, isAt, PAGE_BYTES, placeOf, readFrame, type RecordPlace } from './manifest-record.js';

export interface Claim {
  /** Where the copy begins. */
  readonly at: number;
  /** Of the copy. */
  readonly length: number;
  readonly payloadBytes: number;
  readonly digest: Digest64;
}

/** Of all copies that begin at `from` or later and left a sound header or mirror, in order. */
export function claimsFrom(file: Uint8Array, from: number, scheme: EccScheme): Claim[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const claims = new Map<number, Claim>();
  for (let pos = from + FRAME_BYTES; pos + 8 <= file.length; pos += 8) {
    if (view.getUint32(pos, true) !== BLOCK_MAGIC) continue;
    const header = readHeader(file, pos);
    if (header?.type !== 'manifest') continue;
    const { payloadBytes, digest } = header;
    const { mirrorAt } = blockLayout(payloadBytes, scheme);
    for (const at of [pos - FRAME_BYTES, pos - FRAME_BYTES - mirrorAt]) {
      if (at < from || (at - from) % PAGE_BYTES !== 0) continue;
      claims.set(at, { at, length: copyBytes(payloadBytes, scheme), payloadBytes, digest });
    }
  }
  return [...claims.values()].sort((a, b) => a.at - b.at);
}

/** The payload of a copy, if it is what its header claims. */
function payloadOf(file: Uint8Array, { at, length, payloadBytes, digest }: Claim, scheme: EccScheme): Uint8Array | undefined {
  const region = file.subarray(at + FRAME_BYTES, at + length);
  const decoded = decodeBlock(region, { type: 'manifest', codec: 'none', scheme, payloadBytes, digest });
  return decoded.kind === 'unreadable' ? undefined : decoded.payload;
}

/** The record at `place`, which begins at `offset`, from the first or the second copy. */
export function recordOf(
  file: Uint8Array, offset: number, place: RecordPlace, claims: readonly Claim[], scheme: EccScheme,
): { readonly payload: Uint8Array; readonly end: number } | undefined {
  for (const claim of claims) {
    const second = claim.at === offset + claim.length;
    if (claim.at !== offset && !second) continue;
    const payload = payloadOf(file, claim, scheme);
    if (payload !== undefined && isAt(payload, place)) return { payload, end: offset + 2 * claim.length };
  }
  return undefined;
}

/**
 * Why the record at `place` was once durable, although neither of its copies, from `offset` on, can
 * be read: something was written behind its first copy.
 */
export function proofIn(
  file: Uint8Array, offset: number, place: RecordPlace, claims: readonly Claim[], scheme: EccScheme,
): string | undefined {
  for (const claim of claims) {
    if (claim.at === offset && hasBytes(file, offset + claim.length)) return 'something was written behind its first copy';
    if (claim.at === offset + claim.length) return 'its second copy was begun';
    const payload = payloadOf(file, claim, scheme);
    const other = payload && placeOf(payload);
    if (other?.generation === place.generation && other.record > place.record) return `record ${other.record} follows it`;
  }
  return undefined;
}

/**
 * The same, by what is left of third copies, of which each begins where the first copy of its
 * record does: none is begun before that one is durable. What says itself that it is of an earlier
 * record, or of another generation, was put there by the disk.
 */
export function thirdCopyProof(
  third: Uint8Array, offset: number, place: RecordPlace, claims: readonly Claim[], scheme: EccScheme,
): string | undefined {
  const isOfIt = ({ generation, record }: Pick<RecordPlace, 'generation' | 'record'>): boolean =>
    generation === place.generation && record >= place.record;
  for (let at = offset; at < third.length; at += PAGE_BYTES) {
    const frame = readFrame(third, at);
    if (frame !== undefined && isOfIt(frame)) return `the third copy of record ${frame.record} was begun`;
  }
  for (const claim of claims) {
    const payload = payloadOf(third, claim, scheme);
    const said = payload && placeOf(payload);
    if (said === undefined || isOfIt(said)) return 'a third copy was begun';
  }
  return undefined;
}

export function hasBytes(file: Uint8Array, from: number): boolean {
  for (let at = from; at < file.length; at++) if (file[at] !== 0) return true;
  return false;
}
