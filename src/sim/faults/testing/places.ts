/** Where everything lies, for tests that strike all of it. */

import { slotOffset, SLOT_BYTES, SLOT_PAGES } from '../../../replica/hard-state/slots.js';
import { HEADER_BYTES } from '../../../replica/log/segment-layout.js';
import { blockLayout } from '../../../storage/block/layout.js';
import type { SpecifiedRegion } from '../../../storage/table/table-layout.js';
import { tablePath } from '../../../storage/table/table-meta.js';
import type { SimNode } from '../../cluster/sim-node.js';
import type { Structure } from '../../model/fault.js';
import type { DiskContext } from '../context.js';
import { fileStructure } from '../file-structure.js';
import { readSegments } from '../log-places.js';
import { readCopies } from '../manifest-places.js';
import { placesInTable, tablesOf, type Place } from '../structures.js';

/** Of a block: parity is told from the rest, which has the name of the block's kind. */
export function partOfTable(region: SpecifiedRegion, offset: number): Structure {
  const { parityAt, mirrorAt } = blockLayout(region.spec.payloadBytes, region.spec.scheme);
  const at = offset - region.offset;
  return at >= parityAt && at < mirrorAt ? 'table-parity' : `table-${region.kind}`;
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
