/**
 * Reads a manifest back. A record counts if one of its copies verifies and continues the chain; a
 * copy whose frame is bad is found by the header of its block. Where none verifies, the record
 * counts as torn (its write never ended, and nobody was told that it did) only if nothing proves
 * that it was durable. Anything of a second or third copy or of a later record is such a proof, and
 * then the manifest is damaged beyond its redundancy: that is an error, never silently an older
 * manifest. Only where all pages of all copies of the last record have lost frame, header and
 * mirror can nobody tell it from a write that was cut off. The log then goes on from what the older
 * manifest has in tables, or begins after it, and that is noticed.
 *
 * Either file may be missing, or be of no use as a whole: then the other has to do.
 */

import type { Disk, DiskFile } from '../../base/disk.js';
import { assert, must } from '../../base/assert.js';
import { CodecError, DiskError, messageOf } from '../../base/errors.js';
import { digest128InSlices } from '../../base/digest.js';
import { drive } from '../../base/drive.js';
import { EMPTY, equalBytes } from '../../base/bytes.js';
import type { Workers } from '../../base/env.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { StorageError } from '../base/errors.js';
import { applyTreeOp } from './apply-tree-op.js';
import type { Version } from './version.js';
import { claimsFrom, hasBytes, proofIn, recordOf, thirdCopyProof } from './manifest-claims.js';
import { decodeManifestInSlices, manifestPieces } from './manifest-codec.js';
import { THIRD_COPY_AT, thirdCopyPath } from './manifest-files.js';
import {
  CHAIN_START, chainAfter, copyBytes, decodeRecord, PAGE_BYTES, readCopy, readFrame,
  type ManifestName, type ManifestRecord, type RecordPlace,
} from './manifest-record.js';

const WINDOW_BYTES = 64 * 1024;
/**
 * Two copies, parity, and what is appended before the next one: of a version of a GiB and more. No
 * file that is larger could be held in one piece of memory.
 */
const FILE_BYTES_MAX = 2 ** 32 - PAGE_BYTES;

export interface ManifestContents {
  readonly manifest: Version;
  /** Where the next record goes, and what it follows. */
  readonly place: RecordPlace;
  readonly offset: number;
  /** File bytes of its first record, both copies. */
  readonly snapshotBytes: number;
  /**
   * Something was corrected, taken from another copy, torn, or has no third copy: the files should
   * be replaced by new ones.
   */
  readonly damaged: boolean;
}

/**
 * Without a digest in its name any first record will do: for who has lost the hard state. Throws
 * StorageError MANIFEST_UNREADABLE.
 */
export async function readManifestFile(
  disk: Disk, path: string, name: Pick<ManifestName, 'generation'> & Partial<ManifestName>, scheme: EccScheme, workers: Pick<Workers, 'breathe'> = { breathe: () => undefined },
): Promise<ManifestContents> {
  const files = await readFiles(disk, path);
  const { file } = files;
  let place: RecordPlace = { generation: name.generation, record: 0, chain: CHAIN_START };
  let manifest: Version | undefined;
  const snapshot = new Snapshot();
  /** What the last ops led to when they were recorded. */
  let result: string | undefined;
  let offset = 0;
  let snapshotBytes = 0;
  let damaged = files.damaged || file.length % PAGE_BYTES !== 0;
  for (;;) {
    const found = findRecord(files, offset, place, scheme);
    if (found === undefined) {
      const proof = manifest === undefined ? 'hard state names the snapshot that it is of' : proofOf(files, offset, place, scheme);
      if (proof !== undefined) throw unreadable(path, `record ${place.record} is beyond repair: ${proof}`);
      break;
    }
    const chain = await drive(chainAfter(found.payload), workers);
    if (place.record === 0 && name.digest !== undefined && chain !== name.digest) throw unreadable(path, 'its first record is not the one that hard state names');
    const at = place;
    const record = await orUnreadable(path, () => decodeRecord(found.payload, at));
    if (record.kind === 'ops') {
      if (manifest === undefined) throw unreadable(path, 'it does not begin with a snapshot');
      manifest = record.ops.reduce((version, { op, index, term }) => applyTreeOp(version, op, { index, term }).manifest, manifest);
      ({ result } = record);
    } else {
      if (manifest !== undefined) throw unreadable(path, 'a snapshot record in the middle');
      snapshotBytes = found.end;
      manifest = await orUnreadable(path, async () => {
        const bytes = snapshot.take(record);
        return bytes && drive(judged(bytes, record), workers);
      });
    }
    damaged ||= !found.clean;
    assert(found.end > offset, 'records follow each other');
    offset = found.end;
    place = { generation: place.generation, record: place.record + 1, chain };
  }
  // Each version follows from the one before, so the last one stands for all.
  if (result !== undefined && manifest !== undefined && (await drive(digest128InSlices(manifestPieces(manifest)), workers)) !== result) {
    throw unreadable(path, 'its ops lead to another manifest than when they were recorded');
  }
  damaged ||= file.length > offset || files.third.length > offset;
  assert(offset === 0 || offset % PAGE_BYTES === 0, 'records are whole pages');
  return { manifest: must(manifest, 'S4 what is read begins with the record that hard state names'), place, offset, snapshotBytes, damaged };
}

function unreadable(path: string, why: string, cause?: unknown): StorageError {
  return new StorageError('MANIFEST_UNREADABLE', `${path}: ${why}`, { path, why }, cause);
}

interface Files {
  /** The one that holds two copies of each record. */
  readonly file: Uint8Array;
  /** Of the other, from the place on where the third copy of the first record lies. */
  readonly third: Uint8Array;
  /** One of them is not there, or of no use. */
  readonly damaged: boolean;
}

async function readFiles(disk: Disk, path: string): Promise<Files> {
  const file = await orError(readFrom(disk, path, 0));
  const third = await orError(readFrom(disk, thirdCopyPath(path), THIRD_COPY_AT));
  if (!(file instanceof Error)) return { file, third: third instanceof Error ? EMPTY : third, damaged: third instanceof Error };
  if (third instanceof Error || third.length === 0) throw file;
  return { file: EMPTY, third, damaged: true };
}

/** Why there is no such file, or none that can be opened. */
async function orError(read: Promise<Uint8Array>): Promise<Uint8Array | StorageError | DiskError> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof StorageError || (error instanceof DiskError && error.code === 'READ_FAILED')) return error;
    throw error;
  }
}

/** Stretches that cannot be read are zeros: the copies may make up for them. */
async function readFrom(disk: Disk, path: string, from: number): Promise<Uint8Array> {
  const size = disk.sizeOf(path);
  if (size === undefined) throw unreadable(path, 'there is no such file');
  if (size > from + FILE_BYTES_MAX) throw unreadable(path, `${size} bytes are more than a manifest has`);
  const bytes = new Uint8Array(Math.max(0, size - from));
  const file = await disk.open(path, 'read');
  try {
    for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
      const window = bytes.subarray(at, at + WINDOW_BYTES);
      await file.read(window, from + at).catch(() => readPages(file, window, from + at));
    }
  } finally {
    file.close();
  }
  return bytes;
}

/**
 * A bad sector costs the page that it is in, never the window: the other copy lies a page further.
 */
async function readPages(file: DiskFile, window: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < window.length; at += PAGE_BYTES) {
    const page = window.subarray(at, Math.min(window.length, at + PAGE_BYTES));
    await file.read(page, offset + at).catch(() => page.fill(0));
  }
}

interface FoundRecord {
  readonly payload: Uint8Array;
  /** After both copies. */
  readonly end: number;
  readonly clean: boolean;
}

function findRecord(files: Files, offset: number, place: RecordPlace, scheme: EccScheme): FoundRecord | undefined {
  const { file, third } = files;
  const first = readCopy(file, offset, place, scheme);
  if (first !== undefined) {
    const length = copyBytes(first.payload.length, scheme);
    const second = readCopy(file, offset + length, place, scheme);
    const isWhole = equalBytes(third.subarray(offset, offset + length), file.subarray(offset, offset + length));
    return { payload: first.payload, end: offset + 2 * length, clean: first.clean && second?.clean === true && isWhole };
  }
  for (let at = offset + PAGE_BYTES; at < file.length; at += PAGE_BYTES) {
    const frame = readFrame(file, at);
    if (frame === undefined || frame.copy !== 1) continue;
    const second = readCopy(file, at, place, scheme);
    if (second !== undefined) return { payload: second.payload, end: at + copyBytes(second.payload.length, scheme), clean: false };
  }
  const other = readCopy(third, offset, place, scheme);
  if (other !== undefined) return { payload: other.payload, end: offset + 2 * copyBytes(other.payload.length, scheme), clean: false };
  for (const bytes of [file, third]) {
    const claimed = recordOf(bytes, offset, place, claimsFrom(bytes, offset, scheme), scheme);
    if (claimed !== undefined) return { ...claimed, clean: false };
  }
  return undefined;
}

/** What shows that the record at `place` was once durable. */
function proofOf({ file, third }: Files, offset: number, place: RecordPlace, scheme: EccScheme): string | undefined {
  for (let at = offset; at < file.length; at += PAGE_BYTES) {
    const frame = readFrame(file, at);
    if (frame === undefined || frame.generation !== place.generation) continue;
    if (frame.record === place.record && frame.copy === 1) return 'its second copy was begun';
    if (frame.record > place.record) return `record ${frame.record} follows it`;
    const second = at === offset && frame.record === place.record ? offset + copyBytes(frame.payloadBytes, scheme) : Infinity;
    if (hasBytes(file, second)) return 'something was written behind its first copy';
  }
  return proofIn(file, offset, place, claimsFrom(file, offset, scheme), scheme)
    ?? thirdCopyProof(third, offset, place, claimsFrom(third, offset, scheme), scheme);
}

async function orUnreadable<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CodecError) throw unreadable(path, messageOf(error), error);
    throw error;
  }
}

type SnapshotRecord = Exclude<ManifestRecord, { kind: 'ops' }>;

/** A snapshot in the making: one record, or parts in order. */
class Snapshot {
  #bytes = EMPTY;
  #length = 0;

  /**
   * All of it, once the last part is here. Throws CodecError for a part that is not the next one.
   */
  take(record: SnapshotRecord): Uint8Array | undefined {
    if (record.kind === 'snapshot') {
      if (this.#length > 0) throw new CodecError('a snapshot in one record after a part of another');
      return record.bytes;
    }
    const { total, at, bytes } = record;
    if (at === 0 && total <= FILE_BYTES_MAX) this.#bytes = new Uint8Array(total);
    if (at !== this.#length || total !== this.#bytes.length || bytes.length === 0 || at + bytes.length > total) {
      throw new CodecError(`a part at ${at} of ${total} bytes does not follow ${this.#length} of ${this.#bytes.length}`);
    }
    this.#bytes.set(bytes, at);
    this.#length += bytes.length;
    return this.#length === total ? this.#bytes : undefined;
  }
}

/** What is put together of parts is what was cut. */
function* judged(bytes: Uint8Array, record: SnapshotRecord): Generator<void, Version> {
  if (record.kind === 'part' && (yield* digest128InSlices([bytes])) !== record.digest) {
    throw new CodecError('S4 the parts of a snapshot are not of one');
  }
  return yield* decodeManifestInSlices(bytes);
}
