/**
 * A table's file read by name, window by window, past the caches where that is possible. Scrub and
 * rebuild use this and never a descriptor, which may outlive the name. Bytes that cannot be read
 * are zeros; that is damage, not an error.
 */

import type { Disk, DiskFile } from '../../base/disk.js';
import { assert } from '../../base/assert.js';
import { codeOf } from '../../base/errors.js';
import { decodeBlock, encodeBlock, verifyPayload, type DecodedBlock } from '../block/block-codec.js';
import { formatDigest } from '../block/handle.js';
import { StorageError } from '../base/errors.js';
import type { TableMeta } from './table-meta.js';
import type { RegionKind } from './block-faults.js';
import { decodeFooter, footerRegionBytes, footerSpec } from './footer.js';
import { IndexBlock } from './index-block.js';
import { blockUnreadable, FILE_MISSING, isLoss } from './read-block.js';
import { tableRegions, type SpecifiedRegion } from './table-layout.js';

/** Bytes read at once, unless one region is larger. */
const WINDOW_BYTES = 256 * 1024;
/** After a read error, so that only bad sectors are lost. */
const SECTOR_BYTES = 4096;

/** No byte of the block is there: nothing to decode, and nothing worth trying. */
export const BEYOND_END: DecodedBlock = { kind: 'unreadable', why: 'the file ends before it' };

/** A block as it is asked for elsewhere. */
export interface BlockName {
  readonly region: RegionKind;
  readonly offset: number;
  /** Of the whole region. */
  readonly length: number;
  readonly payloadBytes: number;
  /** Hex: 16 digits, 32 for a footer. */
  readonly digest: string;
}

/** The payload of a block from elsewhere, verified before use; undefined: not to be had. */
export type FetchPayload = (block: BlockName) => Promise<Uint8Array | undefined>;

/**
 * Tells long work whether to wait, and hears how many bytes it has handled since the last call: so
 * it can limit the rate. Workers are one.
 */
export interface Pace {
  breathe(bytes: number): Promise<void> | undefined;
}

interface ImageOptions {
  /** Default true. False: through the page cache. */
  readonly readDirect?: boolean;
  readonly fetch?: FetchPayload | undefined;
}

interface RegionWindow {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Of `bytes`, those that the file has; the rest is zero. */
  readonly present: number;
  readonly regions: readonly SpecifiedRegion[];
}

export function nameOf(region: SpecifiedRegion): BlockName {
  const { kind, offset, length, spec } = region;
  return { region: kind, offset, length, payloadBytes: spec.payloadBytes, digest: formatDigest(spec.digest) };
}

/** The region as it was written, from a payload that was verified. */
export function regenerate(payload: Uint8Array, region: SpecifiedRegion): Uint8Array {
  const { type, codec, scheme, digest } = region.spec;
  const made = encodeBlock(payload, type, codec, scheme);
  assert(made.region.length === region.length, 'S2 a region made anew has the length that it had');
  assert(typeof digest === 'string' || made.digest === digest, 'H3 a region is made anew of the payload that was verified');
  return made.region;
}

export class TableImage {
  readonly #disk: Disk;
  readonly path: string;
  readonly meta: TableMeta;
  readonly #options: ImageOptions;
  readonly #fetched = new Map<number, Uint8Array>();
  #file: DiskFile | undefined;
  #missing = false;
  /** Payloads that were had from elsewhere. */
  fetchedBlocks = 0;
  /** Whether every byte so far came past the caches. */
  pastCache: boolean;

  constructor(disk: Disk, path: string, meta: TableMeta, options: ImageOptions) {
    this.#disk = disk;
    this.path = path;
    this.meta = meta;
    this.#options = options;
    this.pastCache = options.readDirect !== false;
  }

  get missing(): boolean {
    return this.#missing;
  }

  /** Bytes of the file now; 0 if there is none. */
  size(): number {
    return this.#disk.sizeOf(this.path) ?? 0;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #readOnce(offset: number, length: number): Promise<Uint8Array> {
    if (this.#options.readDirect !== false) {
      const { bytes, pastCache } = await this.#disk.readDirect(this.path, offset, length);
      this.pastCache &&= pastCache;
      return bytes;
    }
    this.#file ??= await this.#disk.open(this.path, 'read');
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, await this.#file.read(bytes, offset));
  }

  /** All `length` bytes; `present` says how many of them the file has. */
  async read(offset: number, length: number): Promise<{ readonly bytes: Uint8Array; readonly present: number }> {
    assert(offset >= 0 && length >= 0, 'a stretch of a file');
    const into = new Uint8Array(length);
    try {
      const bytes = await this.#readOnce(offset, length);
      into.set(bytes.subarray(0, length));
      return { bytes: into, present: Math.min(bytes.length, length) };
    } catch (error) {
      if (!isLoss(error)) throw error;
      if (codeOf(error) === 'NOT_FOUND') {
        this.#missing = true;
        return { bytes: into, present: 0 };
      }
    }
    for (let at = 0; at < length; ) {
      const n = Math.min(SECTOR_BYTES - ((offset + at) % SECTOR_BYTES), length - at);
      try {
        into.set((await this.#readOnce(offset + at, n)).subarray(0, n), at);
      } catch (error) {
        if (!isLoss(error)) throw error;
      }
      at += n;
    }
    return { bytes: into, present: Math.max(0, Math.min(length, this.size() - offset)) };
  }

  /** From elsewhere, verified; undefined if it is not to be had. */
  async fetch(region: SpecifiedRegion): Promise<Uint8Array | undefined> {
    const known = this.#fetched.get(region.offset);
    if (known) return known;
    const payload = await this.#options.fetch?.(nameOf(region));
    if (payload?.length !== region.spec.payloadBytes || !verifyPayload(payload, region.spec.digest)) return undefined;
    this.fetchedBlocks++;
    // The footers and the index are asked for twice: to find the regions, and as regions.
    if (region.kind === 'footer' || region.kind === 'index') this.#fetched.set(region.offset, payload);
    return payload;
  }

  async #readRegion(region: SpecifiedRegion): Promise<DecodedBlock> {
    const { bytes, present } = await this.read(region.offset, region.length);
    return present === 0 ? BEYOND_END : decodeBlock(bytes, region.spec);
  }

  async #payload(region: SpecifiedRegion): Promise<Uint8Array> {
    const decoded = await this.#readRegion(region);
    if (decoded.kind !== 'unreadable') return decoded.payload;
    const fetched = await this.fetch(region);
    if (fetched) return fetched;
    throw blockUnreadable(this.meta, region, region.spec, this.#missing ? FILE_MISSING : decoded.why);
  }

  /** Of both footers; the one at the head is the one to ask peers for. */
  footerRegions(): readonly [head: SpecifiedRegion, tail: SpecifiedRegion] {
    const spec = footerSpec(this.meta);
    const length = footerRegionBytes(this.meta.scheme);
    return [
      { kind: 'footer', offset: 0, length, spec },
      { kind: 'footer', offset: this.meta.bytes - length, length, spec },
    ];
  }

  /**
   * Throws StorageError TABLE_UNREADABLE (footers) or BLOCK_UNREADABLE (index) if they cannot be
   * found.
   */
  async regions(): Promise<readonly SpecifiedRegion[]> {
    const [head, tail] = this.footerRegions();
    const last = await this.#readRegion(tail);
    let payload: Uint8Array;
    try {
      payload = last.kind === 'unreadable' ? await this.#payload(head) : last.payload;
    } catch (error) {
      if (codeOf(error) !== 'BLOCK_UNREADABLE') throw error;
      const { data } = error as StorageError;
      throw new StorageError('TABLE_UNREADABLE', `table ${this.meta.id}: footers: ${String(data['why'])}`, { ...data }, error);
    }
    this.#fetched.set(head.offset, payload).set(tail.offset, payload);
    const footer = decodeFooter(payload);
    const { index, format } = footer;
    const block = await this.#payload({ kind: 'index', offset: index.offset, length: index.length, spec: index });
    return tableRegions(this.meta, footer, new IndexBlock(block, format.codec, format.scheme));
  }

  /** The regions with their bytes, some at a time. */
  async *windows(regions: readonly SpecifiedRegion[]): AsyncGenerator<RegionWindow> {
    for (let first = 0; first < regions.length; ) {
      let length = 0;
      let next = first;
      while (next < regions.length && (next === first || length < WINDOW_BYTES)) length += (regions[next++] as SpecifiedRegion).length;
      const { offset } = regions[first] as SpecifiedRegion;
      const { bytes, present } = await this.read(offset, length);
      assert(bytes.length === length && present <= length, 'a window is read whole, zeros where nothing could be had');
      yield { offset, bytes, present, regions: regions.slice(first, next) };
      first = next;
    }
  }
}
