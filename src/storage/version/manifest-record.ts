/**
 * A record of a manifest file, and how it lies on disk: in two copies, each beginning on a page,
 * each an ECC-protected block behind a small frame. The second copy is written after the first was
 * synced, so that it is both a spare and the proof that the record was durable. Each record names
 * the digest of the one before it.
 *
 * A file begins with a snapshot: one record, or where one block cannot hold it (C1: a version is as
 * large as what its tables are bounded by) several, each with the next part of its bytes.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, equalBytes } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { digest128InSlices, readDigest, writeDigest } from '../../base/digest.js';
import { atOnce, copyInSlices } from '../../base/drive.js';
import { CodecError } from '../../base/errors.js';
import type { Digest128, Digest64 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { decodeBlock, encodeBlockInSlices } from '../block/block-codec.js';
import { MAX_PAYLOAD_BYTES } from '../block/handle.js';
import { regionBytes } from '../block/layout.js';
import type { LogPosition } from './version.js';
import { decodeTreeOp, encodeTreeOp } from './manifest-codec.js';
import type { TreeOp } from './tree-op.js';

/** What hard state names: which manifest file counts, and what its first record is. */
export interface ManifestName {
  readonly generation: number;
  readonly digest: Digest128;
}

export interface PositionedOp extends LogPosition {
  readonly op: TreeOp;
}

export type ManifestRecord =
  /** `bytes`: an encoded manifest. */
  | { readonly kind: 'snapshot'; readonly bytes: Uint8Array }
  /** A part of an encoded manifest of `total` bytes with this `digest`: those from `at` on. */
  | { readonly kind: 'part'; readonly total: number; readonly digest: Digest128; readonly at: number; readonly bytes: Uint8Array }
  /** `result`: digest of the encoded manifest that the ops lead to. */
  | { readonly kind: 'ops'; readonly ops: readonly PositionedOp[]; readonly result: Digest128 };

/**
 * Where a record stands. The chain is the digest of the payload before it; all zeros for the first.
 */
export interface RecordPlace {
  readonly generation: number;
  readonly record: number;
  readonly chain: Digest128;
}

export const CHAIN_START: Digest128 = '0'.repeat(32);
/** Copies begin at multiples of it: damage of one page hits one copy. */
export const PAGE_BYTES = 4096;
export const FRAME_BYTES = 64;
const MAGIC = 0x464d_534b;
const FRAME_VERSION = 1;
const COPY_AT = 5;
const CRC_AT = 52;

/** Kinds of records. Parts are written only of what nothing could write before there were parts. */
const SNAPSHOT = 0;
const OPS = 1;
const PART = 2;

/** Of a record, what is neither ops nor bytes of a snapshot, at most. */
const HEAD_BYTES = 64;
/** Of its place: generation, record, chain. */
const PLACE_BYTES = 8 + 4 + 16;
/** An encoded manifest that is larger goes into parts. */
export const SNAPSHOT_BYTES_MAX = MAX_PAYLOAD_BYTES - HEAD_BYTES;

/** The payload, in slices. */
export function* encodeRecord(place: RecordPlace, record: ManifestRecord): Generator<void, Uint8Array> {
  const begins = record.kind === 'snapshot' || (record.kind === 'part' && record.at === 0);
  assert(begins === (place.record === 0), 'S4 a file begins with a snapshot and goes on with ops');
  assert((place.chain === CHAIN_START) === (place.record === 0), 'S4 every record but the first names the one before it');
  const out = new ByteWriter(record.kind === 'ops' ? 4096 : HEAD_BYTES);
  out.u53(place.generation).u32(place.record);
  writeDigest(out, place.chain);
  switch (record.kind) {
    case 'snapshot':
      return yield* append(out.u8(SNAPSHOT).view(), record.bytes);
    case 'part':
      writeDigest(out.u8(PART).u53(record.total).u53(record.at), record.digest);
      return yield* append(out.view(), record.bytes);
    case 'ops':
      writeDigest(out.u8(OPS), record.result);
      assert(record.ops.every((op, i) => op.index > (record.ops[i - 1]?.index ?? 0)), 'S1 ops are recorded in log order');
      out.varint(record.ops.length);
      for (const { index, term, op } of record.ops) out.varint(index).varint(term).bytes(encodeTreeOp(op));
      return out.view();
  }
}

function* append(head: Uint8Array, bytes: Uint8Array): Generator<void, Uint8Array> {
  assert(head.length <= HEAD_BYTES, 'C1 a record has room for its head and the largest snapshot');
  const payload = new Uint8Array(head.length + bytes.length);
  payload.set(head);
  yield* copyInSlices(payload, head.length, bytes);
  return payload;
}

/** Where the record says that it stands; undefined if it is too short to say it. */
export function placeOf(payload: Uint8Array): RecordPlace | undefined {
  if (payload.length < PLACE_BYTES) return undefined;
  const input = new ByteReader(payload, 'manifest record');
  return { generation: input.u53(), record: input.u32(), chain: readDigest(input) };
}

export function isAt(payload: Uint8Array, { generation, record, chain }: RecordPlace): boolean {
  const said = placeOf(payload);
  return said?.generation === generation && said.record === record && said.chain === chain;
}

/** Throws CodecError for damage, and for a record of another place. */
export function decodeRecord(payload: Uint8Array, place: RecordPlace): ManifestRecord {
  if (!isAt(payload, place)) throw new CodecError('manifest record of another place');
  const input = new ByteReader(payload.subarray(PLACE_BYTES), 'manifest record');
  const kind = input.u8();
  if (kind === SNAPSHOT) return { kind: 'snapshot', bytes: input.raw(input.remaining) };
  if (kind === PART) {
    const [total, at, digest] = [input.u53(), input.u53(), readDigest(input)];
    return { kind: 'part', total, at, digest, bytes: input.raw(input.remaining) };
  }
  if (kind !== OPS) throw new CodecError(`manifest record of kind ${kind}`);
  const result = readDigest(input);
  const n = input.count(3);
  const ops: PositionedOp[] = [];
  for (let i = 0; i < n; i++) ops.push({ index: input.varint(), term: input.varint(), op: decodeTreeOp(input.bytes()) });
  input.end();
  return { kind: 'ops', ops, result };
}

/** The chain after a record. */
export function* chainAfter(payload: Uint8Array): Generator<void, Digest128> {
  return yield* digest128InSlices([payload]);
}

/** Bytes of one copy on disk. */
export function copyBytes(payloadBytes: number, scheme: EccScheme): number {
  return Math.ceil((FRAME_BYTES + regionBytes(payloadBytes, scheme)) / PAGE_BYTES) * PAGE_BYTES;
}

/** One copy of a record, whole pages, in slices. */
export function* encodeCopy(place: RecordPlace, copy: 0 | 1, payload: Uint8Array, scheme: EccScheme): Generator<void, Uint8Array> {
  const out = new Uint8Array(copyBytes(payload.length, scheme));
  const digest = yield* encodeBlockInSlices(out, FRAME_BYTES, payload, 'manifest', 'none', scheme);
  writeFrame(out, place, copy, payload.length, digest);
  return out;
}

/** The second copy of a record: the first one's bytes, and a frame that says so. */
export function* secondCopy(first: Uint8Array): Generator<void, Uint8Array> {
  const out = new Uint8Array(first.length);
  yield* copyInSlices(out, 0, first);
  assert(out[COPY_AT] === 0, 'the second copy is made of the first');
  out[COPY_AT] = 1;
  new DataView(out.buffer).setUint32(CRC_AT, crc32c(out, 0, 0, CRC_AT), true);
  return out;
}

function writeFrame(out: Uint8Array, place: RecordPlace, copy: 0 | 1, payloadBytes: number, digest: Digest64): void {
  const frame = new ByteWriter(FRAME_BYTES);
  frame.u32(MAGIC).u8(FRAME_VERSION).u8(copy).u16(0).u53(place.generation).u32(place.record).u32(payloadBytes).u64(digest);
  writeDigest(frame, place.chain);
  frame.zeros(CRC_AT - frame.length);
  frame.u32(crc32c(frame.view()));
  assert(frame.length === CRC_AT + 4 && frame.length <= FRAME_BYTES, 'the fields of a frame lie where they are looked for');
  out.set(frame.view());
}

export interface Frame {
  readonly copy: number;
  readonly generation: number;
  readonly record: number;
  readonly payloadBytes: number;
  readonly digest: Digest64;
  readonly chain: Digest128;
}

/** The frame at `at`, if there is an undamaged one. */
export function readFrame(file: Uint8Array, at: number): Frame | undefined {
  if (at + FRAME_BYTES > file.length) return undefined;
  const bytes = file.subarray(at, at + FRAME_BYTES);
  const input = new ByteReader(bytes, 'manifest frame');
  if (input.u32() !== MAGIC || input.u8() !== FRAME_VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(CRC_AT, true) !== crc32c(bytes, 0, 0, CRC_AT)) return undefined;
  const copy = input.u8();
  input.u16();
  const generation = input.u53();
  const record = input.u32();
  const payloadBytes = input.u32();
  const digest = input.u64();
  const chain = readDigest(input);
  return copy > 1 || payloadBytes > MAX_PAYLOAD_BYTES ? undefined : { copy, generation, record, payloadBytes, digest, chain };
}

/** The verified payload of the copy at `at`, and whether every byte of it is as it was written. */
export function readCopy(
  file: Uint8Array, at: number, place: RecordPlace, scheme: EccScheme,
): { readonly payload: Uint8Array; readonly clean: boolean } | undefined {
  const frame = readFrame(file, at);
  if (frame === undefined || frame.record !== place.record || frame.generation !== place.generation || frame.chain !== place.chain) {
    return undefined;
  }
  const length = copyBytes(frame.payloadBytes, scheme);
  const region = file.subarray(at + FRAME_BYTES, at + length);
  const { payloadBytes, digest } = frame;
  const decoded = decodeBlock(region, { type: 'manifest', codec: 'none', scheme, payloadBytes, digest });
  if (decoded.kind === 'unreadable') return undefined;
  const copy: 0 | 1 = frame.copy === 0 ? 0 : 1;
  const clean = equalBytes(atOnce(encodeCopy(place, copy, decoded.payload, scheme)), file.subarray(at, at + length));
  return { payload: decoded.payload, clean };
}
