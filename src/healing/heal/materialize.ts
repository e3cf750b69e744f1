/**
 * A heal edit on this node's files. On return `tables/<added>.sst` holds the proven bytes: relinked if this node's own raw
 * bytes are clean past the caches and no hint is open against them, written anew otherwise (the two good replicas
 * are read, the rotten one is rewritten).
 *
 * H5: the old file is only read, and the new name appears by link or rename of finished, synced, proven bytes. So a crash
 * at any point leaves the old table as it was and the new one absent or complete; running it again is fine.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import { sameBirth, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { HintStore } from '../hints/hint-store.js';
import type { TableCopies } from '../repair/table-copies.js';

export type Materialized = 'relink' | 'rewrite' | 'fetch';

export interface MaterializerParts {
  readonly env: Env;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  readonly tables: Pick<TableStore, 'forget'>;
}

export async function materializeHeal(parts: MaterializerParts, removed: TableMeta, added: TableMeta): Promise<Materialized> {
  assert(removed.fileDigest === added.fileDigest && removed.rootDigest === added.rootDigest, 'H3 a heal keeps every byte');
  assert(sameBirth(removed.birth, added.birth) && removed.bytes === added.bytes, 'H3 a heal keeps the birth');
  const { env, copies, tables } = parts;
  const from = tablePath(removed.id);
  const to = tablePath(added.id);
  if (!hinted(parts, removed, added)) {
    const clean = await cleanFile(parts, removed, from, to);
    // A fault that was confirmed while the bytes were being read counts.
    if (clean !== undefined && !hinted(parts, removed, added)) {
      if (clean !== to) await env.disk.link(from, to);
      await env.disk.syncDir('tables');
      return 'relink';
    }
  }
  const copy = await copies.take(removed);
  // Nobody reads on in the file that is about to be replaced.
  tables.forget(added.id);
  await env.disk.rename(copy.path, to);
  await env.disk.syncDir('tables');
  return copy.how;
}

function hinted({ hints }: MaterializerParts, removed: TableMeta, added: TableMeta): boolean {
  return hints.get(removed.id) !== undefined || hints.get(added.id) !== undefined;
}

/** The name under which the bytes are proven: the new one if an earlier run came that far. */
async function cleanFile({ env, copies }: MaterializerParts, meta: TableMeta, from: string, to: string): Promise<string | undefined> {
  for (const path of [to, from]) {
    if (env.disk.sizeOf(path) !== undefined && (await copies.verify(meta, path)).pristine) return path;
  }
  return undefined;
}
