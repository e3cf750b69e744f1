/**
 * The scrub: every byte of this node's tables, past the caches, by file name, compared with what
 * its payloads say it must be: all block kinds, parity, padding, footers, files that are missing or
 * cut short. A fault counts when a second reading finds it again (H1), and becomes a hint. One
 * table is the unit, so that a patrol can go on from any of them; the tour begins at a random one,
 * so that replicas do not read the same table at the same time. The hard state comes first.
 */

import { assert } from '../../base/assert.js';
import { sleep, type Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { NOTHING_SCRUBBED, type ScrubReport, type ScrubStatus } from '../status/scrub-status.js';
import type { TableStore } from '../../storage/table/table-store.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import { HealingError } from '../base/errors.js';
import type { KnownTables } from '../base/known-tables.js';
import type { StopToken } from '../base/stop-token.js';
import { foundTwice, worstOf } from '../hints/confirmed-fault.js';
import type { HintRecorder } from '../hints/hint-recorder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { TableCopies } from '../repair/table-copies.js';

interface ScrubberParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'hardState'>;
  readonly hints: HintStore;
  readonly recorder: HintRecorder;
  readonly copies: TableCopies;
  readonly tables: TableStore;
  readonly known: KnownTables;
  readonly token: StopToken;
}

export interface ScrubOptions {
  /** Of file bytes. Undefined: as fast as the disk and the node's other work allow. */
  readonly bytesPerSecond?: number;
}

const PROGRESS_BYTES = 1024 * 1024;

export class Scrubber {
  readonly #parts: ScrubberParts;
  #status: ScrubStatus = NOTHING_SCRUBBED;
  #blocks = 0;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
  }

  status(): ScrubStatus {
    return this.#status;
  }

  /**
   * Rejects with HealingError SCRUB_RUNNING or STOPPED. A table that cannot be read is a fault,
   * never the end of the scrub.
   */
  async scrub(onProgress: (status: ScrubStatus) => void, options: ScrubOptions = {}): Promise<ScrubReport> {
    if (this.#status.state === 'running') throw new HealingError('SCRUB_RUNNING', 'a scrub is under way');
    const { env, hints } = this.#parts;
    const tables = this.#tour();
    const totalBytes = tables.reduce((sum, meta) => sum + meta.bytes, 0);
    const { lastCompletedAt } = this.#status;
    this.#status = { ...NOTHING_SCRUBBED, state: 'running', totalBytes, totalTables: tables.length, lastCompletedAt };
    this.#blocks = 0;
    const pace = new Pace(env, options.bytesPerSecond);
    const started = env.clock.now();
    try {
      await hints.check();
      this.#advance({ faults: await this.#parts.context.hardState.scrub() });
      for (const meta of tables) {
        await this.#scrubTable(meta, pace, onProgress);
        this.#advance({ scannedTables: this.#status.scannedTables + 1 });
        onProgress(this.#status);
      }
      assert(this.#status.scannedTables === tables.length, `H1 ${this.#status.scannedTables} of ${tables.length} tables are scanned at the end`);
      await hints.durable();
      this.#advance({ lastCompletedAt: env.clock.wallNow() });
    } finally {
      this.#advance({ state: 'idle' });
    }
    onProgress(this.#status);
    const { scannedBytes: bytes, faults, pastCache } = this.#status;
    const durationMs = env.clock.now() - started;
    env.events.emit({ type: 'scrub-done', tables: tables.length, bytes, faults, durationMs });
    return { tables: tables.length, blocks: this.#blocks, bytes, faults, pastCache, durationMs };
  }

  #tour(): TableMeta[] {
    const tables = this.#parts.known.here().sort((a, b) => a.id - b.id);
    const start = tables.length === 0 ? 0 : this.#parts.env.random.below(tables.length);
    const tour = [...tables.slice(start), ...tables.slice(0, start)];
    assert(tour.length === tables.length, `H1 the tour has ${tour.length} of ${tables.length} tables`);
    return tour;
  }

  async #scrubTable(meta: TableMeta, pace: Pace, onProgress: (status: ScrubStatus) => void): Promise<void> {
    const { known, recorder } = this.#parts;
    if (!known.isHere(meta.id)) return;
    const before = this.#status.scannedBytes;
    let told = before;
    const breathe = (bytes: number): Promise<void> | undefined => {
      if (this.#parts.token.cancelled) throw new HealingError('STOPPED', 'the node stops');
      const scannedBytes = Math.min(this.#status.scannedBytes + bytes, before + meta.bytes);
      this.#advance({ scannedBytes });
      if (scannedBytes - told >= PROGRESS_BYTES) {
        told = scannedBytes;
        onProgress(this.#status);
      }
      return pace.spend(bytes);
    };
    const found = await this.#verify(meta, breathe);
    this.#advance({ scannedBytes: before + meta.bytes });
    this.#blocks += this.#countBlocks(meta);
    if (found === undefined || found.faults.length === 0) return;
    // Its file may have been replaced or removed while it was read.
    const again = known.isHere(meta.id) ? await this.#verify(meta, (bytes) => pace.spend(bytes)) : undefined;
    if (again === undefined || !known.isHere(meta.id)) return;
    const faults = foundTwice(found, again);
    if (faults.length === 0) return;
    recorder.record(meta, worstOf(faults, again));
    this.#advance({ faults: this.#status.faults + faults.length });
  }

  async #verify(meta: TableMeta, breathe: (bytes: number) => Promise<void> | undefined): Promise<VerifyReport | undefined> {
    try {
      const report = await this.#parts.copies.verify(meta, tablePath(meta.id), breathe);
      if (!report.pastCache) this.#advance({ pastCache: false });
      return report;
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || code === 'STOPPED') throw error;
      this.#parts.env.events.emit({ type: 'warning', message: 'a table could not be scrubbed', data: { table: meta.id, why: messageOf(error) } });
      return undefined;
    }
  }

  /** For the report only: a table whose layout cannot be read counts as one. */
  #countBlocks(meta: TableMeta): number {
    try {
      return this.#parts.tables.reader(meta).regions().length;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return 1;
    }
  }

  #advance(change: Partial<ScrubStatus>): void {
    const before = this.#status;
    const after = { ...before, ...change };
    assert(after.scannedBytes >= before.scannedBytes && after.scannedBytes <= after.totalBytes, `H1 ${after.scannedBytes} of ${after.totalBytes} bytes are scanned`);
    assert(after.scannedTables >= before.scannedTables && after.scannedTables <= after.totalTables, `H1 ${after.scannedTables} of ${after.totalTables} tables are scanned`);
    assert(after.faults >= before.faults, `H1 ${after.faults} faults after ${before.faults}`);
    this.#status = after;
  }
}

/** Keeps the mean rate since the start at or below the limit, and leaves time for other work. */
class Pace {
  readonly #env: Env;
  readonly #bytesPerMs: number | undefined;
  readonly #started: number;
  #spent = 0;

  constructor(env: Env, bytesPerSecond: number | undefined) {
    this.#env = env;
    this.#bytesPerMs = bytesPerSecond === undefined || bytesPerSecond <= 0 ? undefined : bytesPerSecond / 1000;
    this.#started = env.clock.now();
  }

  spend(bytes: number): Promise<void> | undefined {
    assert(bytes >= 0, `${bytes} bytes were read`);
    this.#spent += bytes;
    if (this.#bytesPerMs === undefined) return this.#env.workers.breathe();
    const early = this.#started + this.#spent / this.#bytesPerMs - this.#env.clock.now();
    return early > 1 ? sleep(this.#env.clock, early) : this.#env.workers.breathe();
  }
}
