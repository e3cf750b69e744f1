/** Tables on the disks of fake nodes: given whole, then rotten where a test wants it. */

import assert from 'node:assert/strict';
import { tablePath } from '../../../storage/table/table-meta.js';
import type { MadeTable } from '../../../storage/table/testing/sample-tables.js';
import type { FakeNode, Watch } from './fake-node.js';

/** Level 0 of `node` holds these tables, and it has just started with them. */
export function give({ oracle }: Watch, node: FakeNode, ...tables: readonly MadeTable[]): void {
  for (const { meta, bytes } of tables) node.files.set(tablePath(meta.id), bytes.slice());
  node.holds(tables.map(({ meta }) => meta), 30);
  oracle.onStart(node);
}

export function rot(node: FakeNode, path: string, from: number, length: number): void {
  const bytes = node.files.get(path) ?? assert.fail();
  for (let i = from; i < from + length; i++) bytes[i] = (bytes[i] as number) ^ 0xa5;
}

/** The first data block of a table that was given to some node. */
export function dataBlock({ oracle }: Watch, { meta }: MadeTable): { readonly offset: number; readonly length: number } {
  return oracle.census.pristine(meta.fileDigest)?.regions.find((region) => region.kind === 'data') ?? assert.fail();
}
