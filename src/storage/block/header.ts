/**
 * The header of a block, written at both ends of its region. It helps to find bad shards and to
 * salvage without a referrer; a read never believes it: what a read depends on is in the handle.
 */

import { assert } from '../../base/assert.js';
import { crc32c, crc32cInSlices, crc32cOfPieces } from '../../base/crc32c.js';
import { SLICE_BYTES } from '../../base/drive.js';
import type { Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { blockLayout, HEADER_FIXED_BYTES, headerBytesOf, type BlockLayout } from './layout.js';
import { BLOCK_CODECS, BLOCK_TYPES, MAX_PAYLOAD_BYTES, type BlockSpec, type BlockType } from './handle.js';
import type { BlockCodec } from '../base/settings.js';

/** "KBLK", little-endian. */
export const BLOCK_MAGIC = 0x4b4c424b;

const SCHEME_KINDS = ['none', 'secded', 'xor', 'rs'] as const satisfies readonly EccScheme['kind'][];

export interface Header {
  readonly type: BlockType;
  readonly codec: BlockCodec;
  readonly scheme: EccScheme;
  readonly payloadBytes: number;
  readonly digest: Digest64;
  /** CRC-32C of each shard, data then parity. */
  readonly shardCrcs: readonly number[];
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes header and mirror around the shards that lie in `region` already, in slices. */
export function* writeHeaders(
  region: Uint8Array, layout: BlockLayout, spec: BlockSpec & { readonly digest: Digest64 },
): Generator<void, void> {
  assert(region.length === layout.length && layout.mirrorAt + layout.headerBytes === layout.length, 'the mirror ends a region');
  const view = viewOf(region);
  const { scheme } = spec;
  view.setUint32(0, BLOCK_MAGIC, true);
  region[4] = BLOCK_TYPES.indexOf(spec.type);
  region[5] = BLOCK_CODECS.indexOf(spec.codec);
  region[6] = SCHEME_KINDS.indexOf(scheme.kind);
  region[7] = scheme.kind === 'xor' || scheme.kind === 'rs' ? scheme.k : 0;
  region[8] = scheme.kind === 'rs' ? scheme.m : 0;
  region.fill(0, 9, 12);
  view.setUint32(12, spec.payloadBytes, true);
  view.setBigUint64(16, spec.digest, true);
  let at = HEADER_FIXED_BYTES;
  if (layout.shardBytes > SLICE_BYTES / 8) {
    for (let shard = 0; shard < layout.shards; shard++, at += 4) {
      const start = layout.headerBytes + shard * layout.shardBytes;
      view.setUint32(at, yield* crc32cInSlices(region, 0, start, start + layout.shardBytes), true);
      yield;
    }
  } else {
    const crcs = crc32cOfPieces(region, layout.headerBytes, layout.shardBytes, layout.shards);
    for (let shard = 0; shard < layout.shards; shard++, at += 4) view.setUint32(at, crcs[shard] as number, true);
  }
  assert(at + 4 <= layout.headerBytes, 'the header has room for all checksums');
  view.setUint32(at, crc32c(region, 0, 0, at), true);
  region.fill(0, at + 4, layout.headerBytes);
  region.copyWithin(layout.mirrorAt, 0, layout.headerBytes);
}

function schemeOf(kind: number, k: number, m: number): EccScheme | undefined {
  const name = SCHEME_KINDS[kind];
  if (name === 'xor') return k >= 2 && k <= 32 ? { kind: 'xor', k } : undefined;
  if (name === 'rs') return k >= 2 && k <= 32 && m >= 2 && m <= 4 ? { kind: 'rs', k, m } : undefined;
  return name === undefined ? undefined : { kind: name };
}

/** The header or mirror at `at`; undefined unless it is whole and its checksum holds. */
export function readHeader(bytes: Uint8Array, at: number): Header | undefined {
  if (at < 0 || at + HEADER_FIXED_BYTES > bytes.length) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(at, true) !== BLOCK_MAGIC) return undefined;
  const type = BLOCK_TYPES[bytes[at + 4] as number];
  const codec = BLOCK_CODECS[bytes[at + 5] as number];
  const scheme = schemeOf(bytes[at + 6] as number, bytes[at + 7] as number, bytes[at + 8] as number);
  const payloadBytes = view.getUint32(at + 12, true);
  if (type === undefined || codec === undefined || scheme === undefined || payloadBytes > MAX_PAYLOAD_BYTES) return undefined;
  const { shards } = blockLayout(0, scheme);
  if (at + headerBytesOf(shards) > bytes.length) return undefined;
  const crcAt = at + HEADER_FIXED_BYTES + 4 * shards;
  if (view.getUint32(crcAt, true) !== crc32c(bytes, 0, at, crcAt)) return undefined;
  const digest = view.getBigUint64(at + 16, true);
  return { type, codec, scheme, payloadBytes, digest, shardCrcs: readShardCrcs(bytes, at, shards) };
}

/**
 * The checksums of the shards in the header or mirror at `at`, whether or not the header is whole.
 */
export function readShardCrcs(bytes: Uint8Array, at: number, shards: number): number[] {
  const view = viewOf(bytes);
  return Array.from({ length: shards }, (_, shard) => view.getUint32(at + HEADER_FIXED_BYTES + 4 * shard, true));
}

/** A block that describes itself. Its digest is a claim. */
interface LocatedBlock extends BlockSpec {
  readonly digest: Digest64;
  readonly offset: number;
  readonly length: number;
}

/**
 * For files of blocks that no referrer describes (the manifest): what the header of the block that
 * begins at `at` claims, or its mirror if the header is bad. Looks for a mirror in `bytes` only.
 * The claims must be judged by something else, such as a hash chain, before the block is believed.
 */
export function locateBlock(bytes: Uint8Array, at: number): LocatedBlock | undefined {
  const front = readHeader(bytes, at);
  if (front) return located(front, at);
  for (let mirror = at; mirror + HEADER_FIXED_BYTES <= bytes.length; mirror += 8) {
    if (bytes[mirror] !== (BLOCK_MAGIC & 0xff) || bytes[mirror + 1] !== ((BLOCK_MAGIC >>> 8) & 0xff)) continue;
    const header = readHeader(bytes, mirror);
    if (header && at + blockLayout(header.payloadBytes, header.scheme).mirrorAt === mirror) return located(header, at);
  }
  return undefined;
}

function located(header: Header, offset: number): LocatedBlock {
  const { type, codec, scheme, payloadBytes, digest } = header;
  return { type, codec, scheme, payloadBytes, digest, offset, length: blockLayout(payloadBytes, scheme).length };
}
