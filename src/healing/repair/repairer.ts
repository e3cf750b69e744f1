/**
 * Repair: bytes that this node cannot restore come from a peer, at once, without leader or log, so that the read that
 * needs them can go on. A block's payload is kept durably until the heal is done; a table whose file is missing or
 * short is restored under its own name. The fault's hint stays: the heal gives the table fresh sectors.
 *
 * D1: DATA_LOSS only when every member has the table and answered that it has no good copy, and the own one, read once more, still is
 * none: a read may fail for a moment. Anything less is "try again".
 */

import type { Env } from '../../base/env.js';
import { codeOf, NetworkError } from '../../base/errors.js';
import type { NodeId, TableId } from '../../base/ids.js';
import { EtcdError } from '../../api/etcd-error.js';
import { GONE, type TableFetcher } from '../../replica/fetch/table-fetcher.js';
import { payloadMatches, type WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HealCounters } from '../status/heal-counters.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import type { StorageError } from '../../storage/base/errors.js';
import { noFaults } from '../../storage/table/block-faults.js';
import { TableStore } from '../../storage/table/table-store.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { RepairStore } from './repair-store.js';
import type { TableCopies } from './table-copies.js';

export interface RepairerParts {
  readonly env: Env;
  readonly counters: HealCounters;
  readonly repairs: RepairStore;
  readonly copies: TableCopies;
  readonly fetcher: () => TableFetcher;
  readonly peers: () => readonly NodeId[];
  /** In any version that this node still reads or writes down. */
  readonly find: (table: TableId) => TableMeta | undefined;
  readonly forget: (table: TableId) => void;
  /** A table's file is not there or too short. */
  readonly missing: (meta: TableMeta) => void;
  /** A repair was put, or a block counts as lost: some day both must end. */
  readonly changed: () => void;
}

const SEEN_MAX = 256;
const LOST_MAX = 4096;

export class Repairer {
  readonly #parts: RepairerParts;
  readonly #running = new Map<string, Promise<void>>();
  /** Tables that readers met faults in: they may have left every version while a reader is still at them. */
  readonly #seen = new Map<TableId, TableMeta>();
  readonly #lost = new Map<TableId, Set<number>>();

  constructor(parts: RepairerParts) {
    this.#parts = parts;
  }

  saw(meta: TableMeta): void {
    this.#seen.delete(meta.id);
    this.#seen.set(meta.id, meta);
    if (this.#seen.size > SEEN_MAX) for (const oldest of this.#seen.keys()) return void this.#seen.delete(oldest);
  }

  /** Blocks of the table are lost for now: the last repair found no good copy that it could reach. */
  lost(table: TableId): boolean {
    return this.#lost.has(table);
  }

  get anyLost(): boolean {
    return this.#lost.size > 0;
  }

  /** Tables that count as having lost blocks. */
  lostTables(): TableId[] {
    return [...this.#lost.keys()];
  }

  /** Every byte of the table's own file proved good. */
  clear(table: TableId): void {
    this.#lost.delete(table);
  }

  /** Tables for which `keep` is false have nothing left to lose. */
  retain(keep: (table: TableId) => boolean): void {
    for (const table of [...this.#lost.keys()]) if (!keep(table)) this.#lost.delete(table);
  }

  async repair(error: StorageError): Promise<void> {
    const { tableId, offset, digest } = error.data;
    const meta = typeof tableId === 'number' ? (this.#parts.find(tableId) ?? this.#seen.get(tableId)) : undefined;
    if (meta === undefined) throw error;
    if (error.code === 'BLOCK_UNREADABLE' && typeof offset === 'number' && digest !== undefined) {
      return this.repairBlock(meta, { offset, digest: hexDigest(digest) });
    }
    if (error.code === 'TABLE_UNREADABLE') return this.#repairTable(meta);
    throw error;
  }

  repairBlock(meta: TableMeta, block: WantedBlock): Promise<void> {
    return this.#once(`${meta.fileDigest}-${block.offset}`, () => this.#fetchBlock(meta, block));
  }

  /** Both footers are bad: one patched footer makes the rest readable. Otherwise the file is restored whole. */
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
    const { env, counters, repairs, fetcher, peers, changed } = this.#parts;
    const held = repairs.get(meta.fileDigest, block.offset);
    if (held !== undefined && payloadMatches(held, block.digest)) return;
    const outcome = await fetcher().fetchBlock(meta, block, peers());
    if (outcome.kind === 'good') {
      await repairs.put(meta.fileDigest, block.offset, outcome.payload);
      this.#found(meta.id, block.offset);
      counters.repairedBlocks++;
      changed();
      env.events.emit({ type: 'block-repaired', table: meta.id, offset: block.offset, from: outcome.from });
      return;
    }
    if (outcome.kind !== 'unknown' && isReadable(env, meta, block)) return this.#found(meta.id, block.offset);
    this.#markLost(meta.id, block.offset);
    const where = `table ${meta.id}, block at ${block.offset}`;
    if (outcome.kind === 'lost') throw new EtcdError('DATA_LOSS', where);
    const gone = outcome.kind === 'gone';
    throw new NetworkError('UNREACHABLE', `${where}: ${gone ? GONE : outcome.why}`, { table: meta.id, offset: block.offset, gone });
  }

  async #restoreFile(meta: TableMeta): Promise<void> {
    const { env, copies, find, forget, missing } = this.#parts;
    const path = tablePath(meta.id);
    missing(meta);
    try {
      const copy = await copies.take(meta);
      // While it was made the table may have been healed or compacted away, and its name given up.
      if (find(meta.id) === undefined) return await env.disk.unlink(copy.path);
      forget(meta.id);
      await env.disk.rename(copy.path, path);
      if (find(meta.id) === undefined) return await env.disk.unlink(path);
      await env.disk.syncDir('tables');
    } catch (error) {
      this.#markLost(meta.id, 0);
      throw error;
    }
    this.#lost.delete(meta.id);
    env.events.emit({ type: 'block-repaired', table: meta.id, offset: 0, from: 0 });
  }

  #markLost(table: TableId, offset: number): void {
    const offsets = this.#lost.get(table) ?? new Set<number>();
    if (this.#lost.size >= LOST_MAX && offsets.size === 0) return;
    this.#lost.set(table, offsets.add(offset));
    this.#parts.changed();
  }

  #found(table: TableId, offset: number): void {
    const offsets = this.#lost.get(table);
    offsets?.delete(offset);
    if (offsets?.size === 0) this.#lost.delete(table);
  }
}

/** Errors carry digests as hex or as the number itself. */
function hexDigest(digest: unknown): string {
  return typeof digest === 'bigint' ? digest.toString(16).padStart(16, '0') : String(digest);
}

/** Past the table store: what is met here is known already, and to tell of it again would begin the same repair anew. */
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
