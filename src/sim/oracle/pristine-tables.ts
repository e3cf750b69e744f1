/**
 * The measure of the census: the bytes that each table had when it was born, by the digest that the
 * cluster confirmed (S6). Always true: bytes are taken in only if they have that digest, from
 * whatever medium first has them whole, and are kept for the run.
 */

import type { Digest128 } from '../../base/ids.js';
import { decodeBlock } from '../../storage/block/block-codec.js';
import { decodeFooter, footerRegionBytes, footerSpec } from '../../storage/table/footer.js';
import { FileDigest } from '../../storage/table/file-digest.js';
import { IndexBlock } from '../../storage/table/index-block.js';
import { tableRegions, type SpecifiedRegion } from '../../storage/table/table-layout.js';
import type { TableMeta } from '../../storage/table/table-meta.js';

/**
 * How one block of one copy is: as it was born, restorable by parity, or not restorable from this
 * copy.
 */
export type CopyState = 'intact' | 'within-parity' | 'beyond';

export class PristineTable {
  readonly meta: TableMeta;
  readonly bytes: Uint8Array;
  #regions: readonly SpecifiedRegion[] | undefined;

  constructor(meta: TableMeta, bytes: Uint8Array) {
    this.meta = meta;
    this.bytes = bytes;
  }

  get regions(): readonly SpecifiedRegion[] {
    return (this.#regions ??= findRegions(this.meta, this.bytes));
  }

  /** The blocks that a stretch of the file touches. */
  touched(offset: number, length: number): SpecifiedRegion[] {
    return this.regions.filter((region) => region.offset < offset + length && offset < region.offset + region.length);
  }

  /** How the block is in a copy of the file; a footer can be read at either end of the file. */
  stateOf(copy: Uint8Array, region: SpecifiedRegion): CopyState {
    const state = this.#stateAt(copy, region);
    if (state !== 'beyond' || region.kind !== 'footer') return state;
    const other = this.regions.find((candidate) => candidate.kind === 'footer' && candidate.offset !== region.offset);
    return other !== undefined && this.#stateAt(copy, other) !== 'beyond' ? 'within-parity' : 'beyond';
  }

  #stateAt(copy: Uint8Array, { offset, length, spec }: SpecifiedRegion): CopyState {
    if (copy.length <= offset) return 'beyond';
    const stored = copy.subarray(offset, offset + length);
    if (sameBytes(stored, this.bytes.subarray(offset, offset + length))) return 'intact';
    return decodeBlock(stored, spec).kind === 'unreadable' ? 'beyond' : 'within-parity';
  }
}

function findRegions(meta: TableMeta, bytes: Uint8Array): SpecifiedRegion[] {
  const whole = (at: number, length: number, spec: Parameters<typeof decodeBlock>[1]): Uint8Array => {
    const decoded = decodeBlock(bytes.subarray(at, at + length), spec);
    if (decoded.kind !== 'clean') throw new Error(`table ${meta.id}: bytes of the right digest do not verify`);
    return decoded.payload;
  };
  const footer = decodeFooter(whole(0, footerRegionBytes(meta.scheme), footerSpec(meta)));
  const { index, format } = footer;
  return tableRegions(meta, footer, new IndexBlock(whole(index.offset, index.length, index), format.codec, format.scheme));
}

/** As equalBytes, by words where both lie on one: whole files are compared, often. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  let from = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = length >>> 2;
    const x = new Int32Array(a.buffer, a.byteOffset, words);
    const y = new Int32Array(b.buffer, b.byteOffset, words);
    for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
    from = words << 2;
  }
  for (let i = from; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function fileDigest(bytes: Uint8Array): Digest128 {
  return new FileDigest().update(bytes).digest();
}

export class PristineTables {
  readonly #known = new Map<Digest128, PristineTable>();

  get(digest: Digest128): PristineTable | undefined {
    return this.#known.get(digest);
  }

  /** Takes `bytes` in if they are that table's. */
  learn(meta: TableMeta, bytes: Uint8Array | undefined): boolean {
    if (this.#known.has(meta.fileDigest)) return true;
    if (bytes?.length !== meta.bytes || fileDigest(bytes) !== meta.fileDigest) return false;
    this.#known.set(meta.fileDigest, new PristineTable(meta, bytes.slice()));
    return true;
  }
}
