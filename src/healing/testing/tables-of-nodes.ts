/** What tests of several nodes ask of a table and its copies. */

import assert from 'node:assert/strict';
import type { Region } from '../../storage/table/block-faults.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { readFile, regionsOf, type TestNode, type World } from './world.js';

/** Reads every block; returns the errors. */
export function readAll(node: TestNode, meta: TableMeta, offsets: readonly number[]): unknown[] {
  const errors: unknown[] = [];
  for (const offset of offsets) {
    try {
      node.tables.reader(meta).readPayload(offset);
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}

export async function same(world: World, node: TestNode, meta: TableMeta): Promise<void> {
  const current = node.durable.list().find((table) => table.fileDigest === meta.fileDigest);
  assert.ok(current, 'the table lives on');
  assert.deepEqual(await readFile(node.disk, tablePath(current.id)), world.files.get(meta.id), `node ${node.id}: bytes of table ${current.id}`);
}

export interface Layout {
  readonly data: readonly Region[];
  readonly all: readonly Region[];
}

export async function layoutOf(world: World, meta: TableMeta): Promise<Layout> {
  const all = await regionsOf(meta, world.files.get(meta.id) as Uint8Array);
  return { all, data: all.filter((region) => region.kind === 'data') };
}
