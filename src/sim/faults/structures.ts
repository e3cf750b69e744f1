/**
 * What lies where. By path and offset alone where that is enough (log and hard state have fixed
 * areas); with the layouts that the product wrote where it is not (tables by their index, log and
 * manifest by what their records say).
 */

import { blockLayout } from '../../storage/block/layout.js';
import type { SpecifiedRegion } from '../../storage/table/table-layout.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Structure } from '../model/fault.js';
import type { DiskContext } from './context.js';

export interface Place {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
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
