/**
 * Backups of a running member, as streams that are pulled:
 *
 *   1. the point is taken (`backup-point.ts`), and its tables stay until the stream ends, however
 *      it ends (S5);
 *   2. memtables become tables of level 0, so that the archive is a version whose tables are all in
 *      it, and its log begins after it: nothing of the log, of old members or of what they proposed
 *      need be understood by whoever restores it;
 *   3. header, manifest and tables go out as they are asked for. Each block of a table is verified
 *      as it is read, against the manifest that goes with it (S4), mended by parity, or had from a
 *      peer; if nobody has it the stream fails, and what came of it has no digest at its end.
 *
 * Memory: what one window of a table and one chunk take, for each of at most {@link MAX_BACKUPS}.
 */

import { EtcdError } from '../../api/etcd-error.js';
import { assert, must } from '../../base/assert.js';
import { digest128InSlices } from '../../base/digest.js';
import { drive } from '../../base/drive.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { StorageError } from '../../storage/base/errors.js';
import { rebuiltWindows } from '../../storage/table/rebuild-table.js';
import type { BlockName } from '../../storage/table/table-image.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { encodeManifestInSlices } from '../../storage/version/manifest-codec.js';
import type { Version } from '../../storage/version/version.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { Life } from '../state/life.js';
import {
  archiveSize, contentName, encodeHeader, includedBytes, isIncluded, liveKeys, type ArchiveHeader, type Included,
} from './archive-layout.js';
import { ArchiveWriter } from './archive-writer.js';
import { takePoint, type BackupPoint, type PointParts } from './backup-point.js';
import { MemtableTable } from './memtable-table.js';

export interface BackupParts extends PointParts {
  readonly env: Env;
  readonly life: Pick<Life, 'ended'>;
  readonly self: NodeId;
  readonly clusterId: bigint;
  readonly tables: TableStore;
  readonly healing: Pick<HealingHooks, 'repair'>;
}

/** A stretch of the archive; the last one is the digest over all before. */
export interface BackupPiece {
  readonly bytes: Uint8Array;
  /** What is to come, but for the digest: as etcd counts. */
  readonly remaining: number;
}

const MAX_BACKUPS = 2;
/** For one block (it may take footers and index first) before the stream is given up. */
const REPAIR_ATTEMPTS = 16;

/** A version, and where the bytes of its newest tables come from. */
interface Contents {
  readonly version: Version;
  /** By id: these are in no file. */
  readonly made: ReadonlyMap<number, MemtableTable>;
}

export class Backups {
  readonly #parts: BackupParts;
  readonly #timeoutMs: number;
  #running = 0;

  constructor(parts: BackupParts, timeoutMs: number) {
    this.#parts = parts;
    this.#timeoutMs = timeoutMs;
  }

  /** Under way at this moment. */
  get running(): number {
    return this.#running;
  }

  /**
   * The archive of what is committed at this moment; without the tables that the asker holds, by
   * {@link contentName}. Throws EtcdError: DATA_LOSS if no member has a block of it any more.
   */
  async *stream(held: ReadonlySet<string> = new Set()): AsyncGenerator<BackupPiece, void, undefined> {
    if (this.#running >= MAX_BACKUPS) throw new EtcdError('TOO_MANY_REQUESTS', `${MAX_BACKUPS} backups are under way`);
    this.#running++;
    let point: BackupPoint | undefined;
    try {
      point = await takePoint(this.#parts, this.#timeoutMs);
      yield* this.#archive(point, held);
    } finally {
      point?.view.release();
      this.#running--;
    }
  }

  async *#archive(point: BackupPoint, held: ReadonlySet<string>): AsyncGenerator<BackupPiece, void, undefined> {
    const { env } = this.#parts;
    const contents = await this.#contents(point);
    const tables = contents.version.list();
    const included: Included = held.size === 0 ? 'all' : tables.map((table) => !held.has(contentName(table)));
    const manifest = await drive(encodeManifestInSlices(contents.version), env.workers);
    const header = encodeHeader(await this.#header(point, contents.version, manifest, included));
    const contentBytes = header.length + manifest.length + includedBytes(included, tables);
    const writer = await ArchiveWriter.create(contentBytes);
    let remaining = archiveSize(contentBytes).body;
    for await (const content of this.#content(header, manifest, contents, included)) {
      for (const bytes of writer.push(content)) yield { bytes, remaining: (remaining -= bytes.length) };
      await env.workers.breathe();
      if (this.#parts.life.ended) throw new EtcdError('STOPPED');
    }
    for (const bytes of writer.end()) yield { bytes, remaining: (remaining = Math.max(0, remaining - bytes.length)) };
    assert(remaining === 0, `a backup ends when nothing remains of it, not ${remaining} bytes`);
  }

  async *#content(
    header: Uint8Array, manifest: Uint8Array, contents: Contents, included: Included,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    yield header;
    yield manifest;
    for (const [i, table] of contents.version.list().entries()) {
      if (!isIncluded(included, i)) continue;
      const made = contents.made.get(table.id);
      if (made !== undefined) yield* made.bytes();
      else yield* this.#tableBytes(table);
    }
  }

  async *#tableBytes(table: TableMeta): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* rebuiltWindows(this.#parts.env.disk, tablePath(table.id), table, { fetch: (block) => this.#obtain(table, block) });
    } catch (error) {
      if (error instanceof StorageError) throw new EtcdError('DATA_LOSS', `backup: ${messageOf(error)}`, error);
      throw error;
    }
  }

  /** A block that is beyond parity here. Rejects with EtcdError. */
  async #obtain(table: TableMeta, { offset }: BlockName): Promise<Uint8Array> {
    const { tables, healing, life } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        return tables.reader(table).readPayload(offset);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        if (life.ended) throw new EtcdError('STOPPED');
        if (attempt >= REPAIR_ATTEMPTS) throw new EtcdError('UNHEALTHY', `backup: ${messageOf(error)}`, error);
        await healing.repair(error).catch((cause: unknown) => {
          if (codeOf(cause) === undefined || codeOf(cause) === 'DATA_LOSS') throw cause;
          throw new EtcdError('UNHEALTHY', `backup: ${messageOf(cause)}`, cause);
        });
      }
    }
  }

  /** The version as of the entry after the point, as if that had sealed and flushed all. */
  async #contents(point: BackupPoint): Promise<Contents> {
    const { workers } = this.#parts.env;
    const { index, term, format, view } = point;
    const { version, memtables, sequence } = view.frozen();
    const made = new Map<number, MemtableTable>();
    const level0: TableMeta[] = [];
    let id = point.nextTableId;
    for (const [ordinal, memtable] of memtables.entries()) {
      const writes = ordinal === 0 ? point.writes : [];
      const birth = { term, proposer: 0, sequence: index + 1, ordinal };
      const table = await MemtableTable.of({ writes, memtable, sequence }, birth, format, workers);
      if (table === undefined) continue;
      made.set(id, table);
      level0.push({ ...table.table, id });
      id++;
    }
    const end = { index: index + 1, term };
    const [first, ...others] = version.levels;
    const levels = [[...level0, ...must(first, 'S2 a version has a level 0')], ...others];
    return { made, version: version.with({ nextTableId: id, levels, seals: [], plans: [], flushed: end, last: end }) };
  }

  async #header(point: BackupPoint, version: Version, manifest: Uint8Array, included: Included): Promise<ArchiveHeader> {
    const { self, clusterId, env } = this.#parts;
    const { index, term, revision, compactRevision, clusterVersion } = point;
    const manifestDigest = await drive(digest128InSlices([manifest]), env.workers);
    return {
      clusterId, memberId: self, index, term, revision, compactRevision, clusterVersion, keys: liveKeys(version),
      manifestBytes: manifest.length, manifestDigest, included,
    };
  }
}
