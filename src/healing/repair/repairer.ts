/**
 * Repair: bytes that this node cannot restore come from a peer, at once, without leader or log, so
 * that the read that needs them can go on. A block's payload is kept durably until the heal is
 * done; a table whose file is missing or short is restored under its own name. The fault's hint
 * stays: the heal gives the table fresh sectors.
 *
 * D1: DATA_LOSS only when every member has the table and answered that it has no good copy, and the
 * own one, read once more, still is none: a read may fail for a moment. Anything less is "try
 * again".
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { TableId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import { GONE } from '../../replica/fetch/table-fetcher.js';
import { payloadMatches, type WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { StorageError } from '../../storage/base/errors.js';
import { noFaults } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { KnownTables } from '../base/known-tables.js';
import type { Recent } from '../base/recent.js';
import type { HintRecorder } from '../hints/hint-recorder.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { LostBlocks } from './lost-blocks.js';
import type { RepairStore } from './repair-store.js';
import type { TableCopies } from './table-copies.js';

interface RepairerParts {
  readonly env: Env;
  readonly counters: HealCounters;
  readonly repairs: RepairStore;
  readonly lost: LostBlocks;
  readonly copies: TableCopies;
  readonly known: KnownTables;
  /**
   * Tables that readers met faults in: they may have left every version while a reader is still at
   * them.
   */
  readonly seen: Recent<TableId, TableMeta>;
  readonly tables: TableStore;
  readonly recorder: HintRecorder;
  readonly context: Pick<HealingContext, 'fetcher' | 'membership'>;
}

export class Repairer {
  readonly #parts: RepairerParts;
  readonly #running = new Map<string, Promise<void>>();

  constructor(parts: RepairerParts) {
    this.#parts = parts;
  }

  /**
   * A block is beyond parity: it is obtained whether or not a reader waits for it. The read that
   * fails names its digest.
   */
  want(meta: TableMeta, offset: number): void {
    try {
      this.#parts.tables.reader(meta).readPayload(offset);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.repair(error).catch((why: unknown) => {
        if (codeOf(why) === undefined) throw why;
      });
    }
  }

  async repair(error: StorageError): Promise<void> {
    const { tableId, offset, digest } = error.data;
    const { known, seen } = this.#parts;
    const meta = typeof tableId === 'number' ? (known.find(tableId) ?? seen.get(tableId)) : undefined;
    if (meta === undefined) throw error;
    if (error.code === 'BLOCK_UNREADABLE' && typeof offset === 'number' && digest !== undefined) {
      return this.repairBlock(meta, { offset, digest: hexDigest(digest) });
    }
    if (error.code === 'TABLE_UNREADABLE') return this.#repairTable(meta);
    throw error;
  }

  repairBlock(meta: TableMeta, block: WantedBlock): Promise<void> {
    assert(block.offset >= 0 && block.offset < meta.bytes, `S4 a block at ${block.offset} lies in table ${meta.id} of ${meta.bytes} bytes`);
    return this.#once(`${meta.fileDigest}-${block.offset}`, () => this.#fetchBlock(meta, block));
  }

  /**
   * Both footers are bad: one patched footer makes the rest readable. Otherwise the file is
   * restored whole.
   */
  #repairTable(meta: TableMeta): Promise<void> {
    const { env, repairs } = this.#parts;
    const size = env.disk.sizeOf(tablePath(meta.id));
    if (size !== undefined && size >= meta.bytes && !repairs.has(meta.fileDigest, 0)) {
      return this.repairBlock(meta, { offset: 0, digest: meta.rootDigest });
    }
    return this.#once(`${meta.fileDigest}-file-${meta.id}`, () => this.#restoreFile(meta));
  }

  #once(key: string, work: () => Promise<void>): Promise<void> {
    let running = this.#running.get(key);
    if (running === undefined) {
      running = work().finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
    return running;
  }

  async #fetchBlock(meta: TableMeta, block: WantedBlock): Promise<void> {
    const { env, counters, repairs, lost, context } = this.#parts;
    const held = repairs.get(meta.fileDigest, block.offset);
    if (held !== undefined && payloadMatches(held, block.digest)) return;
    const outcome = await context.fetcher.fetchBlock(meta, block, context.membership.peers);
    if (outcome.kind === 'good') {
      assert(payloadMatches(outcome.payload, block.digest), `S4 the block at ${block.offset} of table ${meta.id} is the one that was asked for`);
      await repairs.put(meta.fileDigest, block.offset, outcome.payload);
      lost.found(meta.id, block.offset);
      counters.repairedBlocks++;
      env.events.emit({ type: 'block-repaired', table: meta.id, offset: block.offset, from: outcome.from });
      return;
    }
    if (outcome.kind !== 'unknown' && isReadable(env, meta, block)) return lost.found(meta.id, block.offset);
    lost.mark(meta.id, block.offset, outcome.kind === 'lost');
    const where = `table ${meta.id}, block at ${block.offset}`;
    if (outcome.kind === 'lost') throw new EtcdError('DATA_LOSS', where);
    const gone = outcome.kind === 'gone';
    throw new NetworkError('UNREACHABLE', `${where}: ${gone ? GONE : outcome.why}`, { table: meta.id, offset: block.offset, gone });
  }

  async #restoreFile(meta: TableMeta): Promise<void> {
    const { env, copies, lost, known, tables, recorder } = this.#parts;
    const path = tablePath(meta.id);
    recorder.record(meta, { kind: 'missing', offsets: undefined, confirmation: { by: 'no-file' } });
    try {
      const restored = await copies.use(meta, async (copy) => {
        assert(copy.path !== path, `H5 the file of table ${meta.id} is replaced by a copy of its own: ${copy.path}`);
        // While it was made the table may have been healed or compacted away, its name given up.
        if (!known.has(meta.id)) return env.disk.unlink(copy.path);
        await env.disk.rename(copy.path, path);
        tables.replaced(meta.id);
        if (!known.has(meta.id)) return env.disk.unlink(path);
        await env.disk.syncDir('tables');
        return true;
      });
      if (restored === undefined) return;
    } catch (error) {
      lost.mark(meta.id, 0, codeOf(error) === 'DATA_LOSS');
      throw error;
    }
    lost.clear(meta.id);
    env.events.emit({ type: 'block-repaired', table: meta.id, offset: 0, from: 0 });
  }
}

/** Errors carry digests as hex or as the number itself. */
function hexDigest(digest: unknown): string {
  return typeof digest === 'bigint' ? digest.toString(16).padStart(16, '0') : String(digest);
}

/**
 * Past the table store: what is met here is known already, and to tell of it again would begin the
 * same repair anew.
 */
function isReadable({ disk }: Env, meta: TableMeta, { offset, digest }: WantedBlock): boolean {
  const tables = new TableStore(disk, new BlockCache(0), noFaults);
  try {
    return payloadMatches(tables.reader(meta).readPayload(offset), digest);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return false;
  } finally {
    tables.close();
  }
}
