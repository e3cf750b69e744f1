/**
 * Four copies of the hard state, each in a page of its own and in one sector of it, so that a crash
 * leaves each copy old or new. The pages stand at growing distances: neither one burst nor damage
 * at a regular stride meets three. A copy's checksum covers the slot's number: a copy in the wrong
 * place is a bad one.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { readDigest, writeDigest } from '../../base/digest.js';
import { CodecError } from '../../base/errors.js';
import type { Digest128, NodeId, Term } from '../../base/ids.js';

export const SLOT_PAGES: readonly number[] = [0, 5, 11, 18];
export const SLOT_BYTES = 4096;
export const FILE_BYTES = 19 * SLOT_BYTES;
const MAGIC = 0x5348_534b; // 'KSHS'
const FORMAT_VERSION = 1;
const USED = 84;

export interface HardStateRecord {
  /** Raised with every update. */
  readonly sequence: number;
  readonly term: Term;
  /** Whom this node voted for in `term`; 0: nobody. */
  readonly vote: NodeId;
  /** 64 bits. */
  readonly clusterId: bigint;
  readonly memberId: NodeId;
  /** Raised at each start; part of every proposal's id. */
  readonly incarnation: number;
  /** 0: there is no manifest yet. */
  readonly manifestGeneration: number;
  /** Of the manifest's first record. */
  readonly manifestDigest: Digest128;
}

export function slotOffset(slot: number): number {
  return (SLOT_PAGES[slot] as number) * SLOT_BYTES;
}

export function encodeSlot(record: HardStateRecord, slot: number): Uint8Array {
  assert(record.sequence > 0 && slot < SLOT_PAGES.length, `R5 record ${record.sequence} is written to slot ${slot} of ${SLOT_PAGES.length}`);
  const out = new ByteWriter(SLOT_BYTES).u32(MAGIC).u32(0).u32(FORMAT_VERSION).u53(record.sequence);
  out.u53(record.term).u53(record.vote).u64(record.clusterId).u53(record.memberId);
  out.u53(record.incarnation).u53(record.manifestGeneration);
  writeDigest(out, record.manifestDigest);
  out.patchU32(4, crc32c(out.view(), slot, 8));
  return out.zeros(SLOT_BYTES - out.length).finish();
}

/**
 * Undefined if damaged. Throws CodecError for a sound copy of a version that this program does not
 * know.
 */
export function decodeSlot(bytes: Uint8Array, slot: number): HardStateRecord | undefined {
  if (bytes.length < USED) return undefined;
  const input = new ByteReader(bytes.subarray(0, USED), 'hard state');
  if (input.u32() !== MAGIC || input.u32() !== crc32c(bytes, slot, 8, USED)) return undefined;
  const version = input.u32();
  if (version !== FORMAT_VERSION) throw new CodecError(`hard state of format ${version} is not supported`, { version });
  return {
    sequence: input.u53(),
    term: input.u53(),
    vote: input.u53(),
    clusterId: input.u64(),
    memberId: input.u53(),
    incarnation: input.u53(),
    manifestGeneration: input.u53(),
    manifestDigest: readDigest(input),
  };
}
