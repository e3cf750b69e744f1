/**
 * Reads one table. Nothing is believed that does not verify against its referrer: the footer
 * against the meta, the parts against the footer, a data block against the index (S4). A footer is
 * taken from either end of the file; a filter that is beyond repair means "maybe" and fails no
 * read.
 */

import type { Disk, DiskFile } from '../../base/disk.js';
import { CodecError, codeOf } from '../../base/errors.js';
import { assert, must } from '../../base/assert.js';
import { compareBytes } from '../../base/bytes.js';
import { verifyPayload } from '../block/block-codec.js';
import type { BlockHandle, BlockSpec } from '../block/handle.js';
import type { CachedFile } from '../cache/block-cache.js';
import { StorageError } from '../base/errors.js';
import { BloomFilter } from '../filter/bloom.js';
import { sameBirth, type TableMeta } from './table-meta.js';
import type { Region, RegionKind } from './block-faults.js';
import type { TableCursor } from '../base/table-entry.js';
import { decodeFooter, footerRegionBytes, footerSpec, type Footer } from './footer.js';
import { IndexBlock } from './index-block.js';
import type { Closable, OpenTables } from './open-tables.js';
import { decodeProperties, type TableProperties } from './properties.js';
import { blockUnreadable, isLoss, patched, readBlock, readStored, type BlockRead, type BlockScratch, type ReadContext } from './read-block.js';
import { BlockWalker } from './table-cursor.js';
import { tableRegions } from './table-layout.js';

/** What the readers of one store share. */
export interface ReaderContext extends ReadContext {
  readonly disk: Disk;
  readonly open: OpenTables;
}

/** What an open table keeps in memory. */
interface Parts {
  readonly file: DiskFile | undefined;
  readonly footer: Footer;
  readonly index: IndexBlock;
}

function regionOf(kind: RegionKind, handle: BlockHandle): Region {
  return { kind, offset: handle.offset, length: handle.length };
}

/**
 * Got from TableStore.reader(meta). Opens its file at first use; valid as long as the table's file
 * is there.
 */
export class TableReader implements Closable {
  readonly meta: TableMeta;
  readonly path: string;
  readonly #context: ReaderContext;
  readonly #cached: CachedFile;
  #parts: Parts | undefined;
  #filter: BloomFilter | undefined;
  #filterLost = false;
  #regions: readonly Region[] | undefined;
  /** Used since the store last looked for one to close. */
  recent = false;

  constructor(context: ReaderContext, path: string, meta: TableMeta, cached: CachedFile) {
    assert(cached.digest === meta.fileDigest, 'S4 blocks are cached by the bytes of their file');
    this.#context = context;
    this.path = path;
    this.meta = meta;
    this.#cached = cached;
  }

  get cachedFile(): CachedFile {
    return this.#cached;
  }

  /** Lets the descriptor and all that was loaded go; the next use opens the table again. */
  close(): void {
    this.#parts?.file?.close();
    this.#parts = undefined;
    this.#filter = undefined;
    this.#filterLost = false;
    this.#regions = undefined;
  }

  #open(): Parts {
    this.recent = true;
    return this.#parts ?? this.#load();
  }

  #load(): Parts {
    assert(this.#filter === undefined && this.#regions === undefined, 'a table that is closed keeps nothing');
    this.#context.open.opening(this);
    const file = this.#openFile();
    try {
      const footer = decodeFooter(this.#loadFooter(file));
      if (footer.fileBytes !== this.meta.bytes || !sameBirth(footer.birth, this.meta.birth)) {
        throw new CodecError(`footer of table ${this.meta.id} is of another table`);
      }
      const { index: handle, format } = footer;
      const { payload } = readBlock(file, this.meta, regionOf('index', handle), handle, this.#context);
      this.#parts = { file, footer, index: new IndexBlock(payload, format.codec, format.scheme) };
      return this.#parts;
    } catch (error) {
      file?.close();
      throw error;
    }
  }

  /** Undefined: the disk has none to give. */
  #openFile(): DiskFile | undefined {
    try {
      return this.#context.disk.openSync(this.path, 'read');
    } catch (error) {
      if (!isLoss(error)) throw error;
      return undefined;
    }
  }

  #loadFooter(file: DiskFile | undefined): Uint8Array {
    const { meta } = this;
    const { faults } = this.#context;
    const spec = footerSpec(meta);
    const length = footerRegionBytes(meta.scheme);
    const head: Region = { kind: 'footer', offset: 0, length };
    const tail: Region = { kind: 'footer', offset: meta.bytes - length, length };
    const first = readStored(file, meta, head, spec, this.#context);
    if (typeof first !== 'string') return first.payload;
    const second = readStored(file, meta, tail, spec, this.#context);
    if (typeof second !== 'string') {
      faults.corrected(meta, head, `${first}; the footer at the other end is good`);
      return second.payload;
    }
    const patch = patched(meta, head, spec, faults);
    if (patch) return patch;
    faults.unreadable(meta, head, first);
    const data = { ...blockUnreadable(meta, head, spec, first).data };
    throw new StorageError('TABLE_UNREADABLE', `table ${meta.id}: footers: ${first}; ${second}`, data);
  }

  /** A cursor, not yet positioned. Keep it for further seeks: making one costs more than a seek. */
  cursor(): TableCursor {
    return new BlockWalker(this);
  }

  get index(): IndexBlock {
    return this.#open().index;
  }

  /** The verified payload of a data block. */
  block(ordinal: number): Uint8Array {
    const cached = this.#cached.get(ordinal);
    if (cached) return cached;
    const { payload, corrected } = this.#readData(ordinal);
    this.#cached.put(ordinal, payload, corrected);
    return payload;
  }

  /**
   * As {@link block}, for who reads all of a table once: it finds no place in the cache.
   * With `scratch` it lies there, perhaps, and is good until the next one is read into it.
   */
  blockOnce(ordinal: number, scratch?: BlockScratch): Uint8Array {
    return this.#cached.peek(ordinal) ?? this.#readData(ordinal, scratch).payload;
  }

  #readData(ordinal: number, scratch?: BlockScratch): BlockRead {
    const { file, index } = this.#open();
    const handle = index.handle(ordinal);
    return readBlock(file, this.meta, regionOf('data', handle), handle, this.#context, scratch);
  }

  /**
   * False: no version of this key is here. `keyPrefix` is the internal key without its last
   * SEQUENCE_BYTES.
   */
  mayContain(keyPrefix: Uint8Array): boolean {
    const filter = this.#filter ?? this.#loadFilter();
    return filter === undefined || filter.mayContain(keyPrefix);
  }

  #loadFilter(): BloomFilter | undefined {
    const { file, footer } = this.#open();
    const region = regionOf('filter', footer.filter);
    if (this.#filterLost) {
      const patch = patched(this.meta, region, footer.filter, this.#context.faults);
      return patch && (this.#filter = new BloomFilter(patch));
    }
    try {
      const { payload } = readBlock(file, this.meta, region, footer.filter, this.#context);
      this.#filter = new BloomFilter(payload);
    } catch (error) {
      if (codeOf(error) !== 'BLOCK_UNREADABLE') throw error;
      this.#filterLost = true;
    }
    return this.#filter;
  }

  /** What the table says of itself; for tools. */
  properties(): TableProperties {
    const { file, footer } = this.#open();
    const handle = footer.properties;
    return decodeProperties(readBlock(file, this.meta, regionOf('properties', handle), handle, this.#context).payload);
  }

  /** Number of data blocks. */
  get blocks(): number {
    return this.#open().index.count;
  }

  /** Bounds of the user space's revisions in a data block, 0 and 0 if it has none. */
  blockRevisions(ordinal: number): { readonly min: number; readonly max: number } {
    const { index } = this.#open();
    return { min: index.minRevision(ordinal), max: index.maxRevision(ordinal) };
  }

  /**
   * Sum of the live deltas of entries with from <= key < to; undefined: to the end. Walks the
   * border blocks only.
   */
  liveDeltaSum(from: Uint8Array, to: Uint8Array | undefined): number {
    if (to !== undefined && compareBytes(from, to) >= 0) return 0;
    const { index } = this.#open();
    const first = index.find(from);
    const last = to === undefined ? index.count : index.find(to);
    let whole = first;
    let sum = 0;
    const cursor = new BlockWalker(this);
    if (first < index.count && (compareBytes(index.firstKey(first), from) < 0 || first === last)) {
      sum += cursor.sumWithin(first, from, first === last ? to : undefined);
      whole++;
    }
    if (whole < last) sum += index.liveDelta(whole, last);
    if (to !== undefined && last > first && last < index.count) sum += cursor.sumWithin(last, undefined, to);
    return sum;
  }

  /** All regions in file order: head footer, data, filter, properties, index, tail footer. */
  regions(): readonly Region[] {
    const { footer, index } = this.#open();
    this.#regions ??= tableRegions(this.meta, footer, index).map(({ kind, offset, length }) => ({ kind, offset, length }));
    return this.#regions;
  }

  /** The handle of the block whose region begins at `offset`; undefined if none does. */
  specAt(offset: number): (Region & { readonly spec: BlockSpec }) | undefined {
    const { footer, index } = this.#open();
    return tableRegions(this.meta, footer, index).find((region) => region.offset === offset);
  }

  /**
   * The verified payload of the region that begins at `offset`, from wherever it can be had. A
   * footer can be had without the index.
   */
  readPayload(offset: number): Uint8Array {
    try {
      this.#open();
    } catch (error) {
      if (codeOf(error) !== 'BLOCK_UNREADABLE' || !this.isFooter(offset)) throw error;
      return this.#footerAlone();
    }
    const region = must(this.specAt(offset), `table ${this.meta.id} has a region at ${offset}`);
    const { file } = this.#open();
    // Both ends hold the same footer: whichever is asked for, either will do.
    if (region.kind === 'footer') return this.#loadFooter(file);
    return readBlock(file, this.meta, region, region.spec, this.#context).payload;
  }

  isFooter(offset: number): boolean {
    return offset === 0 || offset === this.meta.bytes - footerRegionBytes(this.meta.scheme);
  }

  /**
   * Not by way of the index, which may be bad here: a peer with a good index may lack just the
   * footer.
   */
  #footerAlone(): Uint8Array {
    const file = this.#openFile();
    try {
      return this.#loadFooter(file);
    } finally {
      file?.close();
    }
  }

  /** Whether these bytes are the payload of the block at `offset`. */
  accepts(offset: number, payload: Uint8Array): boolean {
    const spec = offset === 0 ? footerSpec(this.meta) : this.specAt(offset)?.spec;
    return spec?.payloadBytes === payload.length && verifyPayload(payload, spec.digest);
  }
}
