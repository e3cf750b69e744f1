/**
 * A heal edit on this node's files. On return `tables/<added>.sst` holds the proven bytes: relinked
 * if this node's own raw bytes are clean past the caches and no hint is open against them, written
 * anew otherwise.
 *
 * H5: the old file is only read, and the new name appears by link or rename of finished, synced,
 * proven bytes. So a crash at any point leaves the old table as it was and the new one absent or
 * complete; running it again is fine.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import { sameBirth, tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import type { KnownTables } from '../base/known-tables.js';
import type { HintStore } from '../hints/hint-store.js';
import { copyPath, type TableCopies } from '../repair/table-copies.js';

/**
 * relink: the same sectors under the new name. fetch: there was no own file; all bytes came from
 * peers or kept repairs.
 */
type Materialized = 'relink' | 'rewrite' | 'fetch';

export interface HealFiles {
  readonly env: Env;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  readonly tables: Pick<TableStore, 'replaced'>;
  readonly known: Pick<KnownTables, 'isHere'>;
}

/** The name under which this node's own bytes were proven, in this call. */
interface CleanFile {
  readonly path: string;
  readonly proof: VerifyReport;
}

export async function materializeHeal(parts: HealFiles, removed: TableMeta, added: TableMeta): Promise<Materialized> {
  checkEdit(parts, removed, added);
  const { env, copies, tables } = parts;
  const from = tablePath(removed.id);
  const to = tablePath(added.id);
  if (!hinted(parts, removed, added)) {
    const clean = await cleanFile(parts, removed, from, to);
    // A fault that was confirmed while the bytes were being read counts.
    if (clean !== undefined && !hinted(parts, removed, added)) {
      assert(clean.proof.pristine, `H5 the bytes of table ${removed.id} are proven before they get the new name`);
      assert(clean.path === to || clean.path === from, `H5 only the file of table ${removed.id} is relinked: ${clean.path}`);
      if (clean.path !== to) await env.disk.link(from, to);
      await env.disk.syncDir('tables');
      return 'relink';
    }
  }
  return copies.use(removed, async (copy) => {
    assert(copy.path === copyPath(removed.id), `H5 the bytes of table ${removed.id} come from its own copy: ${copy.path}`);
    assert(copy.path !== from && copy.path !== to, `H5 the copy ${copy.path} is not a live file`);
    await env.disk.rename(copy.path, to);
    tables.replaced(added.id);
    await env.disk.syncDir('tables');
    return copy.how;
  });
}

function checkEdit({ known }: HealFiles, removed: TableMeta, added: TableMeta): void {
  assert(removed.fileDigest === added.fileDigest, `H3 a heal keeps every byte of table ${removed.id}`);
  assert(removed.rootDigest === added.rootDigest, `H3 a heal keeps the root of table ${removed.id}`);
  assert(removed.bytes === added.bytes, `H3 a heal keeps the size of table ${removed.id}`);
  assert(sameBirth(removed.birth, added.birth), `H3 a heal keeps the birth of table ${removed.id}`);
  assert(added.id > removed.id, `H5 the old file stays: table ${removed.id} gets a new id, not ${added.id}`);
  assert(!known.isHere(added.id), `H5 the file of table ${added.id} is owed: nobody reads it yet`);
}

function hinted({ hints }: HealFiles, removed: TableMeta, added: TableMeta): boolean {
  return hints.get(removed.id) !== undefined || hints.get(added.id) !== undefined;
}

/** Undefined: there is none. The new name comes first: an earlier run may have come that far. */
async function cleanFile({ env, copies }: HealFiles, meta: TableMeta, from: string, to: string): Promise<CleanFile | undefined> {
  for (const path of [to, from]) {
    if (env.disk.sizeOf(path) === undefined) continue;
    const proof = await copies.verify(meta, path);
    if (proof.pristine) return { path, proof };
  }
  return undefined;
}
