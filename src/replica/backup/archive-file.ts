/**
 * An archive that lies on a disk, read. Header and manifest are believed only if the chunks that
 * hold them, and their own digests, verify. Of tables the bytes are given as they lie: each block
 * is judged against the manifest by whoever reads it (S4), and {@link ArchiveFile.damages} judges
 * every byte of the file.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, equalBytes } from '../../base/bytes.js';
import { DIGEST_BYTES, digest128InSlices, readDigest } from '../../base/digest.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { drive } from '../../base/drive.js';
import { CodecError, messageOf } from '../../base/errors.js';
import type { Workers } from '../../base/env.js';
import type { TableId } from '../../base/ids.js';
import { Sha256, SHA256_BYTES } from '../../base/sha256.js';
import { decodeManifestInSlices } from '../../storage/version/manifest-codec.js';
import type { Version } from '../../storage/version/version.js';
import {
  archiveSize, CHUNK_BYTES, CHUNK_CONTENT_BYTES, chunkDigest, decodeHeader, HEADER_PREFIX_BYTES, headerLength, includedBytes,
  isIncluded, refuseForeign, type ArchiveHeader,
} from './archive-layout.js';
import { BackupError, type BackupDamage } from './errors.js';

const WHOLE_DIGEST = 'the digest over the whole file is another';

export class ArchiveFile {
  readonly path: string;
  readonly header: ArchiveHeader;
  readonly version: Version;
  readonly #file: DiskFile;
  readonly #workers: Pick<Workers, 'breathe'>;
  readonly #contentBytes: number;
  /** Where the content of each table begins. */
  readonly #offsets: ReadonlyMap<TableId, number>;

  private constructor(file: DiskFile, workers: Pick<Workers, 'breathe'>, header: ArchiveHeader, version: Version, headerBytes: number) {
    this.path = file.path;
    this.header = header;
    this.version = version;
    this.#file = file;
    this.#workers = workers;
    const offsets = new Map<TableId, number>();
    let at = headerBytes + header.manifestBytes;
    for (const [i, table] of version.list().entries()) {
      if (!isIncluded(header.included, i)) continue;
      offsets.set(table.id, at);
      at += table.bytes;
    }
    this.#offsets = offsets;
    this.#contentBytes = at;
    assert(at === headerBytes + header.manifestBytes + includedBytes(header.included, version.list()), 'S4 tables follow each other in a backup');
  }

  /** Rejects with BackupError, DiskError; nothing is open then. */
  static async open(disk: Disk, path: string, workers: Pick<Workers, 'breathe'>): Promise<ArchiveFile> {
    const file = await disk.open(path, 'read');
    try {
      const archive = await ArchiveFile.#read(file, workers);
      const { file: expected } = archiveSize(archive.#contentBytes);
      const present = file.size();
      if (present !== expected) throw damaged(present, Math.abs(expected - present), `the file has ${present} bytes, and should have ${expected}`);
      return archive;
    } catch (error) {
      file.close();
      if (error instanceof CodecError) throw new BackupError('DAMAGED', messageOf(error), {}, error);
      throw error;
    }
  }

  static async #read(file: DiskFile, workers: Pick<Workers, 'breathe'>): Promise<ArchiveFile> {
    const size = file.size();
    const content = new VerifiedContent(file, size);
    refuseForeign(rawContent(file, 0, HEADER_PREFIX_BYTES));
    const headerBytes = headerLength(content.read(0, HEADER_PREFIX_BYTES));
    if (size < headerBytes + SHA256_BYTES) throw damaged(size, 0, 'the file ends within its header');
    const header = decodeHeader(content.read(0, headerBytes));
    if (header.manifestBytes > size) throw damaged(size, 0, 'the file ends within its manifest');
    const bytes = content.read(headerBytes, header.manifestBytes);
    if ((await drive(digest128InSlices([bytes]), workers)) !== header.manifestDigest) throw damaged(headerBytes, bytes.length, 'the manifest is another');
    const version = await drive(decodeManifestInSlices(bytes), workers);
    const { included } = header;
    if (included !== 'all' && included.length !== version.list().length) throw new CodecError(`a backup of ${included.length} tables, its manifest has others`);
    return new ArchiveFile(file, workers, header, version, headerBytes);
  }

  close(): void {
    this.#file.close();
  }

  get bytes(): number {
    return this.#file.size();
  }

  /** The SHA-256 at its end, as it lies there. */
  digest(): Uint8Array {
    const into = new Uint8Array(SHA256_BYTES);
    this.#file.readSync(into, this.bytes - SHA256_BYTES);
    return into;
  }

  /** The table is in this file. */
  holds(table: TableId): boolean {
    return this.#offsets.has(table);
  }

  /** Bytes of a table as they lie: not verified. Only of one that this file {@link holds}. */
  readTable(table: TableId, into: Uint8Array, offset: number): void {
    const begins = this.#offsets.get(table);
    assert(begins !== undefined, `table ${table} is in the backup`);
    readRaw(this.#file, into, begins + offset);
  }

  /** Every byte of the file, chunk by chunk, and the digest over all: what is not as it was. */
  async damages(onProgress?: (bytes: number) => void): Promise<BackupDamage[]> {
    const damages: BackupDamage[] = [];
    const { chunks, body } = archiveSize(this.#contentBytes);
    const sha = await Sha256.create();
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let number = 0; number < chunks; number++) {
      const at = number * CHUNK_BYTES;
      const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, body - at));
      if (this.#file.readSync(chunk, at) < chunk.length) throw damaged(at, chunk.length, 'the file became shorter while it was read');
      sha.update(chunk);
      const why = chunkProblem(number, chunk, this.#contentBytes);
      if (why !== undefined) damages.push({ file: '', offset: at, length: chunk.length, why });
      onProgress?.(chunk.length);
      await this.#workers.breathe();
    }
    const stored = this.digest();
    if (!equalBytes(stored, sha.digest())) damages.push({ file: '', offset: body, length: SHA256_BYTES, why: WHOLE_DIGEST });
    return damages;
  }
}

/** What is wrong with a chunk of so much content; undefined: nothing. */
function chunkProblem(number: number, chunk: Uint8Array, contentBytes: number): string | undefined {
  const end = chunk.length - DIGEST_BYTES;
  const stored = readDigest(new ByteReader(chunk, 'digest of a chunk', end));
  if (stored !== chunkDigest(number, chunk.subarray(0, end))) return `chunk ${number} is not what its digest says`;
  const rest = Math.max(0, contentBytes - number * CHUNK_CONTENT_BYTES);
  for (let i = rest; i < end; i++) if (chunk[i] !== 0) return `chunk ${number} has bytes after the end of the backup`;
  return undefined;
}

/** Content whose chunks verify. */
class VerifiedContent {
  readonly #file: DiskFile;
  readonly #body: number;
  readonly #verified = new Set<number>();

  constructor(file: DiskFile, size: number) {
    this.#file = file;
    this.#body = size - SHA256_BYTES;
  }

  read(offset: number, length: number): Uint8Array {
    const end = offset + length;
    for (let number = Math.floor(offset / CHUNK_CONTENT_BYTES); number * CHUNK_CONTENT_BYTES < end; number++) this.#verify(number);
    return rawContent(this.#file, offset, length);
  }

  #verify(number: number): void {
    if (this.#verified.has(number)) return;
    const at = number * CHUNK_BYTES;
    const chunk = new Uint8Array(Math.max(0, Math.min(CHUNK_BYTES, this.#body - at)));
    const whole = chunk.length > DIGEST_BYTES && this.#file.readSync(chunk, at) === chunk.length;
    const why = whole ? chunkProblem(number, chunk, Infinity) : `the file ends within chunk ${number}`;
    if (why !== undefined) throw damaged(at, chunk.length, why);
    this.#verified.add(number);
  }
}

function damaged(offset: number, length: number, why: string): BackupError {
  const damage: BackupDamage = { file: '', offset, length, why };
  return new BackupError('DAMAGED', `the backup is damaged: bytes ${offset} to ${offset + length}: ${why}`, { damages: [damage] });
}

function rawContent(file: DiskFile, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  readRaw(file, bytes, offset);
  return bytes;
}

/** Zeros where the file has ended. */
function readRaw(file: DiskFile, into: Uint8Array, offset: number): void {
  for (let done = 0; done < into.length; ) {
    const at = offset + done;
    const within = at % CHUNK_CONTENT_BYTES;
    const piece = into.subarray(done, done + Math.min(CHUNK_CONTENT_BYTES - within, into.length - done));
    file.readSync(piece, Math.floor(at / CHUNK_CONTENT_BYTES) * CHUNK_BYTES + within);
    done += piece.length;
  }
}
