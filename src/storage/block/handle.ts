/**
 * A handle is all that a read of a block depends on, and it lies with the referrer: the block's own
 * header is never asked. So a misdirected, stale or swapped block fails the handle's digest,
 * however well-formed (S4).
 */

import { assert } from '../../base/assert.js';
import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { Digest128, Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import type { BlockCodec } from '../base/settings.js';

/** In the order of their numbers on disk, which never change. */
export const BLOCK_TYPES = ['data', 'index', 'filter', 'properties', 'footer', 'manifest'] as const;
export type BlockType = (typeof BLOCK_TYPES)[number];

/** In the order of their numbers on disk, which never change. */
export const BLOCK_CODECS = ['none'] as const satisfies readonly BlockCodec[];

/** What is needed to lay out, correct and judge a block, wherever it lies. */
export interface BlockSpec {
  readonly type: BlockType;
  readonly codec: BlockCodec;
  readonly scheme: EccScheme;
  /** Bytes of the payload as stored. */
  readonly payloadBytes: number;
  /** Of the payload as stored: XXH64, or XXH128 for a block that a manifest refers to. */
  readonly digest: Digest64 | Digest128;
}

export interface BlockHandle extends BlockSpec {
  readonly offset: number;
  /** Of the whole region: header, payload, padding, parity, mirror. */
  readonly length: number;
  readonly digest: Digest64;
}

/**
 * No payload is larger: refused before anything is allocated. Room for the value of the largest
 * request (64 MiB), its key, and what was in the block before it.
 */
export const MAX_PAYLOAD_BYTES = 66 * 1024 * 1024;

/** Writes what a handle does not share with its table: 21 bytes. */
export function writeHandle(out: ByteWriter, handle: BlockHandle): void {
  assert(handle.payloadBytes <= MAX_PAYLOAD_BYTES, 'a reader refuses a larger payload');
  out.u8(BLOCK_TYPES.indexOf(handle.type)).u53(handle.offset).u32(handle.payloadBytes).u64(handle.digest);
}

export function readBlockType(input: ByteReader): BlockType {
  const number = input.u8();
  const type = BLOCK_TYPES[number];
  if (type === undefined) throw new CodecError(`block type ${number} is not known`);
  return type;
}

/** A digest as errors, events and peers name it. */
export function formatDigest(digest: Digest64 | Digest128): string {
  return typeof digest === 'string' ? digest : digest.toString(16).padStart(16, '0');
}
