/**
 * Verified payloads in memory, bounded by bytes, shared by all tables. Blocks belong to the bytes
 * of a file, not to its name: a table that is linked under a new id keeps its cached blocks. Blocks
 * that parity had to correct are marked, so that they can be dropped and looked at again: a lost
 * hint cannot hide behind the cache.
 *
 * Eviction is SIEVE: a hit sets a bit and moves nothing; a hand walks from the oldest block to the
 * newest, spares those with the bit, and evicts the first without.
 */

import { assert } from '../../base/assert.js';
import type { Digest128 } from '../../base/ids.js';

/** What a block costs besides its payload, roughly. */
const OVERHEAD_BYTES = 128;

class CachedBlock {
  readonly file: CachedFile;
  readonly ordinal: number;
  readonly payload: Uint8Array;
  readonly corrected: boolean;
  visited = false;
  newer: CachedBlock | undefined;
  older: CachedBlock | undefined;

  constructor(file: CachedFile, ordinal: number, payload: Uint8Array, corrected: boolean) {
    this.file = file;
    this.ordinal = ordinal;
    this.payload = payload;
    this.corrected = corrected;
  }

  get bytes(): number {
    return this.payload.length + OVERHEAD_BYTES;
  }
}

/** The cached blocks of one file content. */
export class CachedFile {
  readonly digest: Digest128;
  readonly #cache: BlockCache;
  /** By ordinal of the data block. */
  readonly blocks = new Map<number, CachedBlock>();
  /** Readers that hold this. */
  references = 0;

  constructor(cache: BlockCache, digest: Digest128) {
    this.#cache = cache;
    this.digest = digest;
  }

  get(ordinal: number): Uint8Array | undefined {
    const block = this.blocks.get(ordinal);
    if (block === undefined) {
      this.#cache.misses++;
      return undefined;
    }
    this.#cache.hits++;
    block.visited = true;
    return block.payload;
  }

  /** As {@link get}, and leaves no trace. */
  peek(ordinal: number): Uint8Array | undefined {
    return this.blocks.get(ordinal)?.payload;
  }

  put(ordinal: number, payload: Uint8Array, corrected: boolean): void {
    this.#cache.insert(new CachedBlock(this, ordinal, payload, corrected));
  }
}

export class BlockCache {
  readonly capacityBytes: number;
  readonly #files = new Map<Digest128, CachedFile>();
  #newest: CachedBlock | undefined;
  #oldest: CachedBlock | undefined;
  #hand: CachedBlock | undefined;
  #bytes = 0;
  #blocks = 0;
  hits = 0;
  misses = 0;

  /** 0 keeps nothing. */
  constructor(capacityBytes: number) {
    assert(capacityBytes >= 0, 'a bound of bytes');
    this.capacityBytes = capacityBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get blocks(): number {
    return this.#blocks;
  }

  /** The blocks of the file with this digest; held until {@link release}. */
  hold(digest: Digest128): CachedFile {
    let file = this.#files.get(digest);
    if (file === undefined) this.#files.set(digest, (file = new CachedFile(this, digest)));
    file.references++;
    return file;
  }

  /** Its blocks stay until they are evicted: the same bytes may come back under another name. */
  release(file: CachedFile): void {
    assert(file.references > 0, 'a cached file is released as often as it is held');
    file.references--;
    this.#forgetIfUnused(file);
  }

  insert(block: CachedBlock): void {
    const present = block.file.blocks.get(block.ordinal);
    if (present) this.#remove(present);
    if (block.bytes > this.capacityBytes) return;
    while (this.#bytes + block.bytes > this.capacityBytes) this.#evict();
    block.file.blocks.set(block.ordinal, block);
    block.older = this.#newest;
    if (this.#newest) this.#newest.newer = block;
    this.#newest = block;
    this.#oldest ??= block;
    this.#bytes += block.bytes;
    this.#blocks++;
    assert(this.#bytes <= this.capacityBytes, 'the cache stays within its bound');
  }

  /**
   * Drops all blocks that were corrected when they were read, so that the next read looks at the
   * disk again.
   */
  dropCorrected(): number {
    let dropped = 0;
    let next: CachedBlock | undefined;
    for (let block = this.#oldest; block !== undefined; block = next) {
      next = block.newer;
      if (!block.corrected) continue;
      this.#remove(block);
      dropped++;
    }
    return dropped;
  }

  /** Drops all blocks of the file with this digest. */
  drop(digest: Digest128): void {
    const file = this.#files.get(digest);
    if (file) for (const block of [...file.blocks.values()]) this.#remove(block);
  }

  #evict(): void {
    let block = this.#hand ?? this.#oldest;
    while (block?.visited) {
      block.visited = false;
      block = block.newer ?? this.#oldest;
    }
    assert(block, 'a cache that is full has a block to evict');
    this.#hand = block.newer;
    this.#remove(block);
  }

  #remove(block: CachedBlock): void {
    assert(block.file.blocks.get(block.ordinal) === block, 'a cached block is under its ordinal');
    if (this.#hand === block) this.#hand = block.newer;
    if (block.newer) block.newer.older = block.older;
    else this.#newest = block.older;
    if (block.older) block.older.newer = block.newer;
    else this.#oldest = block.newer;
    block.newer = block.older = undefined;
    block.file.blocks.delete(block.ordinal);
    this.#bytes -= block.bytes;
    this.#blocks--;
    assert(this.#bytes >= 0 && this.#blocks >= 0, 'what is dropped was counted');
    this.#forgetIfUnused(block.file);
  }

  #forgetIfUnused(file: CachedFile): void {
    if (file.references === 0 && file.blocks.size === 0) this.#files.delete(file.digest);
  }
}
