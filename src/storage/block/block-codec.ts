/**
 * From payload to region and back. A region is a pure function of payload, type, codec and scheme,
 * so that it can be made anew from a verified payload and compared with what is stored, byte by
 * byte. Nothing leaves decodeBlock whose digest does not hold (S4), and parity is never made from
 * bytes that were not verified.
 */

import { assert } from '../../base/assert.js';
import { digest128, digest64, digest64InSlices } from '../../base/digest.js';
import { atOnce, copyInSlices, SLICE_BYTES } from '../../base/drive.js';
import type { Digest128, Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import type { BlockCodec } from '../base/settings.js';
import { correctBlock } from './correct-block.js';
import { MAX_PAYLOAD_BYTES, type BlockSpec, type BlockType } from './handle.js';
import { writeHeaders } from './header.js';
import { blockLayout, type BlockLayout } from './layout.js';

interface EncodedBlock {
  /** The whole region. */
  readonly region: Uint8Array;
  /** XXH64 of the payload. */
  readonly digest: Digest64;
}

export type DecodedBlock =
  /** The payload verified as it was read: a view into the region. */
  | { readonly kind: 'clean'; readonly payload: Uint8Array }
  /** Parity restored it, and then it verified. `how` is for people. */
  | { readonly kind: 'corrected'; readonly payload: Uint8Array; readonly how: string }
  | { readonly kind: 'unreadable'; readonly why: string };

export function encodeBlock(payload: Uint8Array, type: BlockType, codec: BlockCodec, scheme: EccScheme): EncodedBlock {
  const region = new Uint8Array(blockLayout(payload.length, scheme).length);
  return { region, digest: encodeBlockInto(region, 0, payload, type, codec, scheme) };
}

/**
 * Writes the region of `payload` at `at` of `out`, which must be zero there, `at` a multiple of 8.
 */
export function encodeBlockInto(
  out: Uint8Array,
  at: number,
  payload: Uint8Array,
  type: BlockType,
  codec: BlockCodec,
  scheme: EccScheme,
): Digest64 {
  const { layout, region } = place(out, at, payload, scheme);
  const digest = digest64(payload);
  region.set(payload, layout.headerBytes);
  layout.codec.encode(region.subarray(layout.headerBytes, layout.mirrorAt), layout.shardBytes);
  atOnce(writeHeaders(region, layout, { type, codec, scheme, payloadBytes: payload.length, digest }));
  return digest;
}

/**
 * The same, in slices: a block holds up to MAX_PAYLOAD_BYTES. `payload` stays as it is meanwhile.
 */
export function* encodeBlockInSlices(
  out: Uint8Array,
  at: number,
  payload: Uint8Array,
  type: BlockType,
  codec: BlockCodec,
  scheme: EccScheme,
): Generator<void, Digest64> {
  const { layout, region } = place(out, at, payload, scheme);
  const digest = yield* digest64InSlices(payload);
  yield* copyInSlices(region, layout.headerBytes, payload);
  const shards = region.subarray(layout.headerBytes, layout.mirrorAt);
  const columns = Math.ceil(SLICE_BYTES / layout.shards / 16) * 16;
  for (let from = 0; from < layout.shardBytes; from += columns) {
    layout.codec.encode(shards, layout.shardBytes, from, Math.min(layout.shardBytes, from + columns));
    yield;
  }
  yield* writeHeaders(region, layout, { type, codec, scheme, payloadBytes: payload.length, digest });
  return digest;
}

interface Place {
  readonly layout: BlockLayout;
  readonly region: Uint8Array;
}

function place(out: Uint8Array, at: number, payload: Uint8Array, scheme: EccScheme): Place {
  assert(payload.length <= MAX_PAYLOAD_BYTES, `a block holds at most ${MAX_PAYLOAD_BYTES} bytes, got ${payload.length}`);
  const layout = blockLayout(payload.length, scheme);
  const region = out.subarray(at, at + layout.length);
  assert(region.length === layout.length && region.byteOffset % 8 === 0, 'a region lies inside its buffer, aligned');
  return { layout, region };
}

/** Whether `payload` is what `digest` was made of. */
export function verifyPayload(payload: Uint8Array, digest: Digest64 | Digest128): boolean {
  return typeof digest === 'string' ? digest128(payload) === digest : digest64(payload) === digest;
}

/**
 * Verifies; if that fails corrects and verifies again. `region` may be short and of any content; it
 * is not changed, and damage never throws.
 */
export function decodeBlock(region: Uint8Array, spec: BlockSpec): DecodedBlock {
  const layout = blockLayout(spec.payloadBytes, spec.scheme);
  const end = layout.headerBytes + spec.payloadBytes;
  if (region.length >= end || spec.payloadBytes === 0) {
    const payload = region.subarray(layout.headerBytes, end);
    if (verifyPayload(payload, spec.digest)) return { kind: 'clean', payload };
  }
  return correctBlock(region, layout, spec, (payload) => verifyPayload(payload, spec.digest));
}
