/**
 * Makes the bytes of a table. They are a pure function of format, birth and entries: no clock, no
 * name of the node, no accident of order, padding zero; so equal inputs give equal files on every
 * replica (S2).
 *
 *   footer | data block ... | filter | properties | index | footer        regions without gaps
 *
 * Usage: add() in key order, and settle() what that left unsettled; write takeChunks() now and
 * then, one after the other from offset 0; finish(); write the rest of takeChunks(), then
 * headFooter() over the zeros at the file's beginning; sync.
 */

import { assert, must } from '../../base/assert.js';
import { compareBytes, EMPTY } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import { atOnce } from '../../base/drive.js';
import { encodeBlock, encodeBlockInSlices, encodeBlockInto } from '../block/block-codec.js';
import type { BlockHandle, BlockType } from '../block/handle.js';
import { regionBytes } from '../block/layout.js';
import { BloomBuilder } from '../filter/bloom.js';
import type { TableFormat } from '../base/settings.js';
import { sameBirth, type Birth, type ProducedTable } from './table-meta.js';
import { DataBlockBuilder } from './data-block.js';
import type { EntrySlot } from '../base/entry-slot.js';
import { SEQUENCE_BYTES } from '../base/table-entry.js';
import { FileDigest } from './file-digest.js';
import { decodeFooter, encodeFooter, footerRegionBytes } from './footer.js';
import { IndexBlockBuilder } from './index-block.js';
import { encodeProperties } from './properties.js';

/** Of a chunk of finished regions. */
const MIN_CHUNK_BYTES = 16 * 1024;
const MAX_CHUNK_BYTES = 256 * 1024;
/** A block that is larger is made in slices. */
const LARGE_BLOCK_BYTES = 512 * 1024;

/** Counts and bounds, of a block or of the table. */
class Sums {
  entries = 0;
  tombstones = 0;
  liveDelta = 0;
  minRevision = 0;
  maxRevision = 0;

  add(entry: EntrySlot): void {
    this.entries++;
    if (entry.tombstone) this.tombstones++;
    if (!entry.userSpace) return;
    this.liveDelta += entry.liveDelta;
    if (this.minRevision === 0 || entry.revision < this.minRevision) this.minRevision = entry.revision;
    if (entry.revision > this.maxRevision) this.maxRevision = entry.revision;
  }

  reset(): void {
    this.entries = this.tombstones = this.liveDelta = this.minRevision = this.maxRevision = 0;
  }
}

export class TableWriter {
  readonly #format: TableFormat;
  readonly #birth: Birth;
  readonly #block = new DataBlockBuilder();
  readonly #blockSums = new Sums();
  readonly #tableSums = new Sums();
  readonly #index = new IndexBlockBuilder();
  readonly #filter: BloomBuilder;
  readonly #digest = new FileDigest();
  #ready: Uint8Array[] = [];
  #chunk: Uint8Array = EMPTY;
  #chunkUsed = 0;
  /** Where the next region goes. */
  #offset = 0;
  #blocks = 0;
  #rawBytes = 0;
  #smallest: Uint8Array | undefined;
  #firstOfBlock: Uint8Array = EMPTY;
  #lastKey = new Uint8Array(256);
  #lastKeyBytes = 0;
  #headFooter: Uint8Array | undefined;
  #unsettled = false;

  constructor(format: TableFormat, birth: Birth) {
    this.#format = format;
    this.#birth = birth;
    this.#filter = new BloomBuilder(format.filterBitsPerKey);
    this.#room(footerRegionBytes(format.scheme));
  }

  get entries(): number {
    return this.#tableSums.entries;
  }

  /**
   * Bytes of the file if it were finished now, roughly: compare with format.tableBytes to end a
   * table.
   */
  get estimatedBytes(): number {
    const pending = this.#block.bytes + this.#index.bytes + this.#filter.bytes + 512;
    return this.#offset + regionBytes(pending, this.#format.scheme) + footerRegionBytes(this.#format.scheme);
  }

  /** A large block is full and not made: {@link settle}, or what comes next makes it at once. */
  get unsettled(): boolean {
    return this.#unsettled;
  }

  /** Of the entry that was added last. Valid until the next one. */
  get lastKey(): Uint8Array {
    return this.#lastKey.subarray(0, this.#lastKeyBytes);
  }

  /** Makes a large block that is full, in slices. Nothing is added meanwhile. */
  *settle(): Generator<void, void> {
    if (this.#unsettled) this.#closed(yield* this.#appendInSlices('data', this.#block.finish()));
    this.#unsettled = false;
  }

  /** Keys must ascend strictly. What the slot names is copied. */
  add(entry: EntrySlot): void {
    if (this.#unsettled) atOnce(this.settle());
    const { key, keyEnd, liveDelta, userSpace } = entry;
    const common = this.#commonWithLast(key, keyEnd);
    const first = this.entries === 0;
    assert(this.#headFooter === undefined, 'nothing is added to a finished table');
    assert(first || this.#ascends(key, keyEnd, common), 'keys of a table ascend strictly');
    assert(liveDelta >= -1 && liveDelta <= 1, 'a live delta is -1, 0 or +1');
    assert(userSpace || liveDelta === 0, 'only user keys are counted');
    assert(keyEnd >= SEQUENCE_BYTES, 'an internal key ends with its sequence');
    const prefixBytes = keyEnd - SEQUENCE_BYTES;
    if (first || keyEnd !== this.#lastKeyBytes || common < prefixBytes) this.#filter.add(key, prefixBytes);
    if (first) this.#smallest = key.slice(0, keyEnd);
    if (this.#block.entries === 0) this.#firstOfBlock = key.slice(0, keyEnd);
    this.#block.add(entry, common);
    this.#blockSums.add(entry);
    this.#tableSums.add(entry);
    this.#rawBytes += keyEnd + entry.valueEnd - entry.valueAt;
    this.#remember(key, keyEnd, common);
    if (this.#block.bytes < this.#format.blockBytes) return;
    if (this.#block.bytes > LARGE_BLOCK_BYTES) this.#unsettled = true;
    else this.#closed(this.#append('data', this.#block.finish()));
  }

  #commonWithLast(key: Uint8Array, keyEnd: number): number {
    const last = this.#lastKey;
    const n = keyEnd < this.#lastKeyBytes ? keyEnd : this.#lastKeyBytes;
    let i = 0;
    while (i < n && last[i] === key[i]) i++;
    return i;
  }

  /** Is the key above the last one, with which it has `common` bytes in common? */
  #ascends(key: Uint8Array, keyEnd: number, common: number): boolean {
    if (common === keyEnd) return false;
    return common === this.#lastKeyBytes || (this.#lastKey[common] as number) < (key[common] as number);
  }

  /** As the last key; of that the first `common` bytes are the same. */
  #remember(key: Uint8Array, keyEnd: number, common: number): void {
    if (keyEnd > this.#lastKey.length) {
      const grown = new Uint8Array(2 * keyEnd);
      grown.set(this.#lastKey.subarray(0, common));
      this.#lastKey = grown;
    }
    const last = this.#lastKey;
    for (let i = common; i < keyEnd; i++) last[i] = key[i] as number;
    this.#lastKeyBytes = keyEnd;
  }

  /** The block that was begun lies at `handle`. */
  #closed(handle: BlockHandle): void {
    const sums = this.#blockSums;
    assert(sums.entries > 0 && this.#block.entries === 0, 'a block that is made has entries that are counted for it');
    this.#index.add({
      offset: handle.offset,
      payloadBytes: handle.payloadBytes,
      digest: handle.digest,
      entries: sums.entries,
      liveDelta: sums.liveDelta,
      minRevision: sums.minRevision,
      maxRevision: sums.maxRevision,
      firstKey: this.#firstOfBlock,
      lastKey: this.#lastKey.subarray(0, this.#lastKeyBytes),
    });
    sums.reset();
    this.#blocks++;
  }

  /** Room for a region, zero, in the current chunk; `at` within #chunk. */
  #room(length: number): number {
    if (this.#chunkUsed + length > this.#chunk.length) {
      if (this.#chunkUsed > 0) this.#ready.push(this.#chunk.subarray(0, this.#chunkUsed));
      const bytes = Math.min(MAX_CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, this.#format.tableBytes));
      this.#chunk = new Uint8Array(Math.max(bytes, length));
      this.#chunkUsed = 0;
      if (this.#offset === 0) this.#digest.update(this.#chunk.subarray(0, length));
    }
    const at = this.#chunkUsed;
    this.#chunkUsed += length;
    this.#offset += length;
    return at;
  }

  #append(type: BlockType, payload: Uint8Array): BlockHandle {
    const { codec, scheme } = this.#format;
    const length = regionBytes(payload.length, scheme);
    const offset = this.#offset;
    const at = this.#room(length);
    assert(at + length <= this.#chunk.length && this.#offset === offset + length, 'S2 regions follow each other without gaps');
    const digest = encodeBlockInto(this.#chunk, at, payload, type, codec, scheme);
    this.#digest.update(this.#chunk.subarray(at, at + length));
    return { type, codec, scheme, offset, length, payloadBytes: payload.length, digest };
  }

  *#appendInSlices(type: BlockType, payload: Uint8Array): Generator<void, BlockHandle> {
    const { codec, scheme } = this.#format;
    const length = regionBytes(payload.length, scheme);
    const offset = this.#offset;
    const at = this.#room(length);
    const digest = yield* encodeBlockInSlices(this.#chunk, at, payload, type, codec, scheme);
    yield* this.#digest.updateInSlices(this.#chunk.subarray(at, at + length));
    assert(this.#offset === offset + length && this.#chunkUsed === at + length, 'S2 nothing is added while a block is made');
    return { type, codec, scheme, offset, length, payloadBytes: payload.length, digest };
  }

  get hasChunks(): boolean {
    return this.#ready.length > 0;
  }

  /** Bytes that are ready, in file order; given out once, the caller owns them. */
  takeChunks(): Uint8Array[] {
    const chunks = this.#ready;
    this.#ready = [];
    return chunks;
  }

  get birth(): Birth {
    return this.#birth;
  }

  /**
   * Does what of {@link finish} grows with the number of keys, in slices. Nothing may be added
   * afterwards.
   */
  *prepare(): Generator<void, void> {
    yield* this.settle();
    yield* this.#filter.prepare();
  }

  /** At least one entry must have been added. Nothing may be added afterwards. */
  finish(): ProducedTable {
    assert(this.entries > 0 && this.#headFooter === undefined, 'a table is finished once and is not empty');
    if (this.#unsettled) atOnce(this.settle());
    if (this.#block.entries > 0) this.#closed(this.#append('data', this.#block.finish()));
    const { entries, tombstones, minRevision, maxRevision, liveDelta } = this.#tableSums;
    const birth = this.#birth;
    assert(this.#blocks > 0 && tombstones <= entries && minRevision <= maxRevision, 'counts of a table fit together');
    const smallest = must(this.#smallest, 'a table that is not empty has a smallest key');
    const largest = this.#lastKey.slice(0, this.#lastKeyBytes);
    assert(compareBytes(smallest, largest) <= 0, 'S3 a table ends where it begins or later');
    const sums = { birth, smallest, largest, entries, tombstones, minRevision, maxRevision, liveDelta };
    const filter = this.#append('filter', this.#filter.finish());
    const properties = this.#append('properties', encodeProperties({ ...sums, dataBlocks: this.#blocks, rawBytes: this.#rawBytes }));
    const index = this.#append('index', this.#index.finish());
    const { scheme } = this.#format;
    const bytes = this.#offset + footerRegionBytes(scheme);
    const footer = encodeFooter({ birth, format: this.#format, fileBytes: bytes, filter, properties, index });
    const read = decodeFooter(footer);
    assert(sameBirth(read.birth, birth) && read.fileBytes === bytes && read.index.offset === index.offset, 'S4 the footer reads back as it was written');
    const { region } = encodeBlock(footer, 'footer', 'none', scheme);
    const at = this.#room(region.length);
    this.#chunk.set(region, at);
    this.#digest.update(region).patchHead(region);
    this.#ready.push(this.#chunk.subarray(0, this.#chunkUsed));
    this.#headFooter = region;
    assert(this.#offset === bytes && this.#digest.length === bytes, 'the file has the size that its footer says');
    return { ...sums, bytes, rootDigest: digest128(footer), fileDigest: this.#digest.digest(), scheme };
  }

  /**
   * After finish(): what replaces the zeros that the first chunk has in this place. Write it last.
   */
  headFooter(): { readonly offset: 0; readonly bytes: Uint8Array } {
    return { offset: 0, bytes: must(this.#headFooter, 'the head footer is known once the table is finished') };
  }
}
