/**
 * The regions of a table in file order, with what each is judged by. They cover the file without
 * gaps.
 */

import { CodecError } from '../../base/errors.js';
import type { BlockSpec } from '../block/handle.js';
import type { TableMeta } from './table-meta.js';
import type { Region, RegionKind } from './block-faults.js';
import { footerRegionBytes, footerSpec, type Footer } from './footer.js';
import type { IndexBlock } from './index-block.js';

export interface SpecifiedRegion extends Region {
  readonly spec: BlockSpec;
}

/** Throws CodecError if they would not cover the file exactly. */
export function tableRegions(meta: TableMeta, footer: Footer, index: IndexBlock): SpecifiedRegion[] {
  const footerLength = footerRegionBytes(meta.scheme);
  const regions: SpecifiedRegion[] = [];
  let end = 0;
  const add = (kind: RegionKind, offset: number, length: number, spec: BlockSpec): void => {
    if (offset !== end) throw new CodecError(`table ${meta.id}: ${kind} block at ${offset}, expected at ${end}`);
    regions.push({ kind, offset, length, spec });
    end += length;
  };
  add('footer', 0, footerLength, footerSpec(meta));
  for (let i = 0; i < index.count; i++) {
    const handle = index.handle(i);
    add('data', handle.offset, handle.length, handle);
  }
  add('filter', footer.filter.offset, footer.filter.length, footer.filter);
  add('properties', footer.properties.offset, footer.properties.length, footer.properties);
  add('index', footer.index.offset, footer.index.length, footer.index);
  add('footer', meta.bytes - footerLength, footerLength, footerSpec(meta));
  return regions;
}
