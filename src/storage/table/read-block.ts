/**
 * One block of a table from its file: verified, or corrected and then verified, or patched and then
 * verified, or a typed error. A file that is missing, too short or gives read errors is damage like
 * any other: what could not be read counts as zeros, and parity and peers make up for it.
 */

import type { DiskFile } from '../../base/disk.js';
import { assert } from '../../base/assert.js';
import { codeOf } from '../../base/errors.js';
import { verifyPayload } from '../block/block-codec.js';
import { formatDigest, type BlockSpec } from '../block/handle.js';
import { headerBytesOf } from '../block/layout.js';
import { parityCodec } from '../../ecc/codec.js';
import { StorageError } from '../base/errors.js';
import { formatBirth, type TableMeta } from './table-meta.js';
import type { BeyondParity } from './beyond-parity.js';
import type { BlockFaults, Region } from './block-faults.js';

/** Why no block of a table can be read whose file is gone. */
export const FILE_MISSING = 'the file is missing';

/**
 * After a read error the region is read in pieces of this size, so that only bad sectors are lost.
 */
const SECTOR_BYTES = 4096;

/** What all reads of one store share. */
export interface ReadContext {
  readonly faults: BlockFaults;
  readonly beyondParity: BeyondParity;
}

export interface BlockRead {
  readonly payload: Uint8Array;
  /** Its bytes on disk are bad, now or at the first look. */
  readonly corrected: boolean;
}

/**
 * The disk says that bytes cannot be had: damage, and not a failure of the caller or of the
 * process.
 */
export function isLoss(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'READ_FAILED' || code === 'NOT_FOUND';
}

/** Reads what can be read; the rest of `into` is zeroed. */
function readRegion(file: DiskFile, into: Uint8Array, offset: number): void {
  try {
    const n = file.readSync(into, offset);
    into.fill(0, n);
    return;
  } catch (error) {
    if (!isLoss(error)) throw error;
  }
  into.fill(0);
  for (let at = 0; at < into.length; ) {
    const n = Math.min(SECTOR_BYTES - ((offset + at) % SECTOR_BYTES), into.length - at);
    const piece = into.subarray(at, at + n);
    try {
      file.readSync(piece, offset + at);
    } catch (error) {
      if (!isLoss(error)) throw error;
      piece.fill(0);
    }
    at += n;
  }
}

/** Where one block after another is read to, by who needs each only until the next. */
export class BlockScratch {
  #bytes = new Uint8Array(0);

  /** So many bytes; what they held before is of no use any more. */
  take(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    return this.#bytes.subarray(0, length);
  }
}

/** The payload as it lies on disk, if it verifies: the way nearly all reads take. */
function readClean(file: DiskFile, region: Region, spec: BlockSpec, scratch?: BlockScratch): Uint8Array | undefined {
  const { dataShards, parityShards } = parityCodec(spec.scheme);
  const payload = scratch?.take(spec.payloadBytes) ?? new Uint8Array(spec.payloadBytes);
  try {
    const n = file.readSync(payload, region.offset + headerBytesOf(dataShards + parityShards));
    return n === payload.length && verifyPayload(payload, spec.digest) ? payload : undefined;
  } catch (error) {
    if (isLoss(error)) return undefined;
    throw error;
  }
}

/** From the file and parity alone; a string says why not. `file` undefined: there is none. */
export function readStored(
  file: DiskFile | undefined,
  meta: TableMeta,
  region: Region,
  spec: BlockSpec,
  { faults, beyondParity }: ReadContext,
  scratch?: BlockScratch,
): BlockRead | string {
  if (file === undefined) return FILE_MISSING;
  const clean = readClean(file, region, spec, scratch);
  if (clean) return { payload: clean, corrected: false };
  const bytes = new Uint8Array(region.length);
  readRegion(file, bytes, region.offset);
  assert(bytes.length === region.length, 'a region is read whole');
  const decoded = beyondParity.decode(meta, region.offset, bytes, spec);
  if (decoded.kind === 'unreadable') return decoded.why;
  faults.corrected(meta, region, decoded.kind === 'corrected' ? decoded.how : 'right at the second read');
  return { payload: decoded.payload.slice(), corrected: true };
}

/** What a peer gave for this block, if it is the right one. */
export function patched(meta: TableMeta, region: Region, spec: BlockSpec, faults: BlockFaults): Uint8Array | undefined {
  const payload = faults.patch(meta, region.offset);
  return payload?.length === spec.payloadBytes && verifyPayload(payload, spec.digest) ? payload : undefined;
}

/**
 * With `scratch` the payload may lie there. Throws StorageError BLOCK_UNREADABLE when neither
 * parity nor a patch gives the block (S4).
 */
export function readBlock(
  file: DiskFile | undefined,
  meta: TableMeta,
  region: Region,
  spec: BlockSpec,
  context: ReadContext,
  scratch?: BlockScratch,
): BlockRead {
  const { faults } = context;
  const stored = readStored(file, meta, region, spec, context, scratch);
  if (typeof stored !== 'string') {
    assert(stored.payload.length === spec.payloadBytes, 'S4 a block that verified has the size that its referrer says');
    return stored;
  }
  const patch = patched(meta, region, spec, faults);
  if (patch) return { payload: patch, corrected: true };
  faults.unreadable(meta, region, stored);
  throw blockUnreadable(meta, region, spec, stored);
}

export function blockUnreadable(meta: TableMeta, region: Region, spec: BlockSpec, why: string): StorageError {
  return new StorageError('BLOCK_UNREADABLE', `${region.kind} block at ${region.offset} of table ${meta.id}: ${why}`, {
    tableId: meta.id,
    offset: region.offset,
    length: region.length,
    digest: formatDigest(spec.digest),
    birth: formatBirth(meta.birth),
    why,
  });
}
