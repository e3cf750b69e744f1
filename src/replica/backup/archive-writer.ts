/**
 * Content to the bytes of an archive, in order and as it comes: nothing but the chunk at hand is
 * kept. Who writes says beforehand how much content there is, and writes exactly so much.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter } from '../../base/bytes.js';
import { DIGEST_BYTES, writeDigest } from '../../base/digest.js';
import { Sha256 } from '../../base/sha256.js';
import { archiveSize, CHUNK_BYTES, CHUNK_CONTENT_BYTES, chunkDigest } from './archive-layout.js';

export class ArchiveWriter {
  readonly #contentBytes: number;
  readonly #sha: Sha256;
  #chunk = new Uint8Array(CHUNK_BYTES);
  #filled = 0;
  #number = 0;
  #written = 0;

  private constructor(contentBytes: number, sha: Sha256) {
    this.#contentBytes = contentBytes;
    this.#sha = sha;
  }

  static async create(contentBytes: number): Promise<ArchiveWriter> {
    return new ArchiveWriter(contentBytes, await Sha256.create());
  }

  /** The chunks that are full; they belong to the caller. */
  *push(content: Uint8Array): Generator<Uint8Array, void> {
    this.#written += content.length;
    assert(this.#written <= this.#contentBytes, `a backup of ${this.#contentBytes} bytes has no room for ${this.#written}`);
    for (let at = 0; at < content.length; ) {
      const n = Math.min(CHUNK_CONTENT_BYTES - this.#filled, content.length - at);
      this.#chunk.set(content.subarray(at, at + n), this.#filled);
      this.#filled += n;
      at += n;
      if (this.#filled === CHUNK_CONTENT_BYTES) yield this.#close(CHUNK_BYTES);
    }
  }

  /** The last chunk, if there is one that was begun, and the digest over all. */
  *end(): Generator<Uint8Array, void> {
    assert(this.#written === this.#contentBytes, `S4 a backup ends with all of its ${this.#contentBytes} bytes, not after ${this.#written}`);
    const { chunks, body } = archiveSize(this.#contentBytes);
    if (this.#filled > 0) yield this.#close(body - (chunks - 1) * CHUNK_BYTES);
    assert(this.#number === chunks, `a backup of ${this.#contentBytes} bytes has ${chunks} chunks, not ${this.#number}`);
    yield this.#sha.digest();
  }

  #close(bytes: number): Uint8Array {
    const chunk = this.#chunk.subarray(0, bytes);
    const content = chunk.subarray(0, bytes - DIGEST_BYTES);
    const digest = new ByteWriter(DIGEST_BYTES);
    writeDigest(digest, chunkDigest(this.#number, content));
    chunk.set(digest.view(), content.length);
    this.#sha.update(chunk);
    this.#chunk = new Uint8Array(CHUNK_BYTES);
    this.#filled = 0;
    this.#number++;
    return chunk;
  }
}
