/**
 * What lies where. By path and offset alone where that is enough (log and hard state have fixed
 * areas); with the layouts that the product wrote where it is not (tables by their index, log and
 * manifest by what their records say).
 */

import { HEADER_BYTES } from '../../replica/log/segment-layout.js';
import { blockLayout } from '../../storage/block/layout.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { SimNode } from '../cluster/sim-node.js';
import { readSegments } from './log-places.js';
import { readCopies } from './manifest-places.js';
import type { Structure } from '../model/fault.js';
import { fileStructure } from './file-structure.js';
import { slotOffset, SLOT_BYTES, SLOT_PAGES } from '../../replica/hard-state/slots.js';
import type { DiskContext } from './context.js';

export interface Place {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/** Of a block: parity is told from the rest, which has the name of the block's kind. */
export function partOfTable(region: SpecifiedRegion, offset: number): Structure {
  const { parityAt, mirrorAt } = blockLayout(region.spec.payloadBytes, region.spec.scheme);
  const at = offset - region.offset;
  return at >= parityAt && at < mirrorAt ? 'table-parity' : `table-${region.kind}`;
}

/** Where in a block the structure lies; undefined if it has none of it. */
export function placeInBlock(region: SpecifiedRegion, structure: Structure): Omit<Place, 'path'> | undefined {
  const { offset, length, spec, kind } = region;
  if (structure !== 'table-parity') return structure === `table-${kind}` ? { offset, length } : undefined;
  const { parityAt, mirrorAt } = blockLayout(spec.payloadBytes, spec.scheme);
  return mirrorAt > parityAt ? { offset: offset + parityAt, length: mirrorAt - parityAt } : undefined;
}

export interface TablePlace extends Place {
  readonly meta: TableMeta;
  readonly region: SpecifiedRegion;
}

/** Tables of the durable version whose bytes are known and whose file is there. */
export function tablesOf({ oracle }: DiskContext, node: SimNode): TableMeta[] {
  const { census } = oracle;
  const isThere = (meta: TableMeta): boolean => node.disk.sizeOf(tablePath(meta.id)) !== undefined;
  return census.durableTablesOf(node.id).filter((meta) => isThere(meta) && census.pristine(meta.fileDigest) !== undefined);
}

export function placesInTable({ oracle }: DiskContext, meta: TableMeta, structure: Structure): TablePlace[] {
  const path = tablePath(meta.id);
  return (oracle.census.pristine(meta.fileDigest)?.regions ?? []).flatMap((region) => {
    const place = placeInBlock(region, structure);
    return place === undefined ? [] : [{ path, ...place, meta, region }];
  });
}

/** All places of a structure in the files of a node, in a fixed order. */
export function placesOf(context: DiskContext, node: SimNode, structure: Structure): Place[] {
  const { disk } = node;
  const whole = (test: (path: string) => boolean): Place[] =>
    disk.list().filter(({ path }) => test(path)).map(({ path, bytes }) => ({ path, offset: 0, length: bytes }));
  switch (structure) {
    case 'table-data': case 'table-parity': case 'table-index': case 'table-filter': case 'table-properties': case 'table-footer':
      return tablesOf(context, node).flatMap((meta) => placesInTable(context, meta, structure));
    case 'table-file':
      return tablesOf(context, node).map((meta) => ({ path: tablePath(meta.id), offset: 0, length: meta.bytes }));
    case 'log-record':
      return readSegments(disk, context.settings.logSegmentBytes).flatMap(({ path, batches }) =>
        batches.map(({ offset, length }) => ({ path, offset, length })));
    case 'log-identity':
      return readSegments(disk, context.settings.logSegmentBytes).flatMap(({ path, batches }) =>
        batches.map(({ identityAt, identityLength }) => ({ path, offset: identityAt, length: identityLength })));
    case 'log-header':
      return readSegments(disk, context.settings.logSegmentBytes).flatMap(({ path, headerAt }) =>
        headerAt.map((offset) => ({ path, offset, length: HEADER_BYTES })));
    case 'manifest-record':
      return readCopies(disk).map(({ path, offset, length }) => ({ path, offset, length }));
    case 'hardstate-slot':
      return disk.sizeOf('hardstate') === undefined ? []
        : SLOT_PAGES.map((_, slot) => ({ path: 'hardstate', offset: slotOffset(slot), length: SLOT_BYTES }));
    default:
      return whole((path) => fileStructure(path) === structure && !path.endsWith('.tmp'));
  }
}
