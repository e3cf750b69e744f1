/**
 * How a backup lies in a file, and how it goes over the wire:
 *
 *     chunk 0 | chunk 1 | ... | SHA-256 over all before
 *
 *     chunk    content, 65,520 bytes at most | XXH128 over its number and that content
 *     content  header | manifest | the tables that are in it, verbatim, in the manifest's order
 *
 * Every chunk but the last is 64 KiB, so that damage is located, and a stretch of the content can
 * be had without all that comes before. The last one is filled up with zeros to whole sectors of
 * 512 bytes: a size of 32 modulo 512 and a SHA-256 at the end are what clients of etcd take for a
 * whole snapshot. A version's manifest says what each table's bytes must be (S4), the header what
 * the manifest's, and the chunks are for what neither can say: where. The first chunk is one in
 * every format.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, equalBytes, utf8 } from '../../base/bytes.js';
import { DIGEST_BYTES, digest128, readDigest, writeDigest } from '../../base/digest.js';
import type { ClusterVersion, Digest128, LogIndex, NodeId, Revision, Term } from '../../base/ids.js';
import { SHA256_BYTES } from '../../base/sha256.js';
import { formatBirth, type TableMeta, type TableName } from '../../storage/table/table-meta.js';
import type { Version } from '../../storage/version/version.js';
import { BackupError } from './errors.js';

export const CHUNK_BYTES = 64 * 1024;
export const CHUNK_CONTENT_BYTES = CHUNK_BYTES - DIGEST_BYTES;
const SECTOR_BYTES = 512;
const MAGIC = utf8('KINTSUGI BACKUP\n');
const FORMAT = 1;
/** Magic, format, length of the header. */
export const HEADER_PREFIX_BYTES = MAGIC.length + 8;
/** A version has fewer tables than eight in each of these bytes. */
const HEADER_BYTES_MAX = 64 * 1024 * 1024;

/** Which of a version's tables are in the file; the others are beside it. */
export type Included = 'all' | readonly boolean[];

export interface ArchiveHeader {
  /** Of the cluster that it was taken of. */
  readonly clusterId: bigint;
  /** The member that was asked. */
  readonly memberId: NodeId;
  /** All that was applied up to this entry is in it, and nothing later. */
  readonly index: LogIndex;
  readonly term: Term;
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** That exist at the revision. */
  readonly keys: number;
  readonly clusterVersion: ClusterVersion;
  readonly manifestBytes: number;
  readonly manifestDigest: Digest128;
  readonly included: Included;
}

/** Chunks, their bytes, and those of the whole file for so many bytes of content. */
export function archiveSize(contentBytes: number): { readonly chunks: number; readonly body: number; readonly file: number } {
  assert(contentBytes > 0, 'a backup has a header');
  const chunks = Math.ceil(contentBytes / CHUNK_CONTENT_BYTES);
  const last = contentBytes - (chunks - 1) * CHUNK_CONTENT_BYTES + DIGEST_BYTES;
  const body = (chunks - 1) * CHUNK_BYTES + Math.ceil(last / SECTOR_BYTES) * SECTOR_BYTES;
  assert(body % SECTOR_BYTES === 0 && body <= chunks * CHUNK_BYTES, 'a backup is whole sectors before its digest');
  return { chunks, body, file: body + SHA256_BYTES };
}

const chunkNumber = new ByteWriter(8);

export function chunkDigest(number: number, content: Uint8Array): Digest128 {
  return digest128(chunkNumber.reset().u53(number).view(), content);
}

export function isIncluded(included: Included, position: number): boolean {
  return included === 'all' || included[position] === true;
}

/** Bytes of the tables that are in the file. */
export function includedBytes(included: Included, tables: readonly TableMeta[]): number {
  return tables.reduce((sum, table, i) => sum + (isIncluded(included, i) ? table.bytes : 0), 0);
}

/** By its content alone: what names its file beside backups, and what a backup may leave out. */
export function contentName(table: TableName): string {
  return `${table.fileDigest}-${formatBirth(table.birth)}`;
}

export function encodeHeader(header: ArchiveHeader): Uint8Array {
  const out = new ByteWriter(256).raw(MAGIC).u32(FORMAT).u32(0);
  out.u64(header.clusterId).u53(header.memberId).u53(header.index).u53(header.term);
  out.u53(header.revision).u53(header.compactRevision).u53(header.keys).u32(header.clusterVersion);
  writeDigest(out.u53(header.manifestBytes), header.manifestDigest);
  const { included } = header;
  if (included === 'all') out.u8(0);
  else writeBits(out.u8(1), included);
  out.patchU32(MAGIC.length + 4, out.length + DIGEST_BYTES);
  writeDigest(out, digest128(out.view()));
  return out.finish();
}

function writeBits(out: ByteWriter, bits: readonly boolean[]): void {
  out.varint(bits.length);
  for (let at = 0; at < bits.length; at += 8) {
    let byte = 0;
    for (let i = 0; i < 8; i++) if (bits[at + i] === true) byte |= 1 << i;
    out.u8(byte);
  }
}

function readBits(input: ByteReader): boolean[] {
  const count = input.varint();
  const bytes = input.raw(Math.ceil(count / 8));
  return Array.from({ length: count }, (_, i) => (((bytes[i >> 3] as number) >> (i & 7)) & 1) === 1);
}

/** Of its first HEADER_PREFIX_BYTES. Throws BackupError NOT_A_BACKUP. */
export function refuseForeign(prefix: Uint8Array): void {
  if (equalBytes(prefix.subarray(0, MAGIC.length), MAGIC)) return;
  throw new BackupError('NOT_A_BACKUP', 'the file does not begin as a backup of Kintsugi does (backups of etcd are not read)');
}

/** Of its first HEADER_PREFIX_BYTES, in a chunk that verifies. Throws BackupError FORMAT_NEWER. */
export function headerLength(prefix: Uint8Array): number {
  const input = new ByteReader(prefix, 'header of a backup', MAGIC.length);
  const format = input.u32();
  if (format !== FORMAT) throw new BackupError('FORMAT_NEWER', `the backup has format ${format}, and this program reads ${FORMAT}: use a newer program`);
  const bytes = input.u32();
  if (bytes < HEADER_PREFIX_BYTES + DIGEST_BYTES || bytes > HEADER_BYTES_MAX) throw new BackupError('DAMAGED', `a header of ${bytes} bytes`);
  return bytes;
}

/** Of exactly {@link headerLength} bytes. Throws BackupError DAMAGED, CodecError. */
export function decodeHeader(bytes: Uint8Array): ArchiveHeader {
  const end = bytes.length - DIGEST_BYTES;
  if (readDigest(new ByteReader(bytes, 'digest of a header', end)) !== digest128(bytes.subarray(0, end))) {
    throw new BackupError('DAMAGED', 'the header of the backup is not what its digest says');
  }
  const input = new ByteReader(bytes.subarray(0, end), 'header of a backup', HEADER_PREFIX_BYTES);
  const header = {
    clusterId: input.u64(), memberId: input.u53(), index: input.u53(), term: input.u53(),
    revision: input.u53(), compactRevision: input.u53(), keys: input.u53(), clusterVersion: input.u32(),
    manifestBytes: input.u53(), manifestDigest: readDigest(input),
    included: input.u8() === 0 ? ('all' as const) : readBits(input),
  };
  input.end();
  return header;
}

/** Keys that exist: what was created and not deleted, over all tables. */
export function liveKeys(version: Version): number {
  return version.list().reduce((sum, table) => sum + table.liveDelta, 0);
}
