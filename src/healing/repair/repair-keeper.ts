/**
 * How long repairs are kept. H5: as long as a hint says that this node's own bytes of the file are
 * faulty; without one they go only after every file here that has those bytes proved good, past the
 * caches. So no order of repair, hint, heal and crash loses a repair that is needed (a fault whose
 * hint was never made durable is found and hinted again), and none outlives its fault, where it
 * could hide the next one from the reads that would report it.
 *
 * That a table has lost blocks is said and taken back in the same way: a fault that was gone at the
 * second read leaves no hint and no heal whose end would take it back.
 */

import { assert } from '../../base/assert.js';
import { Coalesced } from '../../base/coalesced.js';
import type { Env, Timer } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Digest128 } from '../../base/ids.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import type { KnownTables } from '../base/known-tables.js';
import type { StopToken } from '../base/stop-token.js';
import { foundTwice, worstOf } from '../hints/confirmed-fault.js';
import type { HintRecorder } from '../hints/hint-recorder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { LostBlocks } from './lost-blocks.js';
import type { RepairStore } from './repair-store.js';
import type { TableCopies } from './table-copies.js';

interface RepairKeeperParts {
  readonly env: Env;
  readonly hints: HintStore;
  readonly repairs: RepairStore;
  readonly lost: LostBlocks;
  readonly copies: TableCopies;
  readonly known: KnownTables;
  readonly recorder: HintRecorder;
  readonly token: StopToken;
}

/**
 * What could not be decided is looked at again; and so long a repair waits for the reader of a
 * table that is in no version.
 */
const AGAIN_MS = 5_000;
const AGAIN_MAX_MS = 60_000;

export class RepairKeeper {
  readonly #parts: RepairKeeperParts;
  #timer: Timer | undefined;
  #delayMs = AGAIN_MS;
  readonly #settling = new Coalesced(() => this.#settleAll());
  /** The last look could not decide on everything. */
  #left = false;

  constructor(parts: RepairKeeperParts) {
    this.#parts = parts;
    const { hints, repairs, lost } = parts;
    hints.subscribe((change) => {
      if (change !== 'opened') this.#kick();
    });
    repairs.subscribe(() => this.#kick());
    lost.subscribe(() => this.#kick());
  }

  /** Nothing is kept and nothing is lost. */
  get idle(): boolean {
    return this.#parts.repairs.empty && !this.#parts.lost.any;
  }

  /** A repair was put, its fault ended, or a block counts as lost: have a look, soon. */
  #kick(): void {
    this.#delayMs = AGAIN_MS;
    this.#schedule();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Resolves when every repair has been looked at as things are now. */
  async settle(): Promise<void> {
    this.#settling.kick();
    await this.#settling.idle();
    if (this.#left) this.#schedule();
  }

  #schedule(): void {
    if (this.#parts.token.cancelled || this.#timer !== undefined) return;
    this.#timer = this.#parts.env.clock.setTimer(this.#delayMs, () => {
      this.#timer = undefined;
      this.#delayMs = Math.min(2 * this.#delayMs, AGAIN_MAX_MS);
      assert(this.#delayMs > AGAIN_MS, `H5 repairs are looked at again in ${this.#delayMs} ms`);
      if (!this.idle) void this.settle();
    });
  }

  async #settleAll(): Promise<void> {
    const { repairs, lost, known } = this.#parts;
    this.#left = false;
    if (this.#parts.token.cancelled) return;
    lost.retain(known);
    let left = !(await this.#try('', () => repairs.sweep().then(() => true)));
    for (const digest of this.#kept()) {
      if (this.#parts.token.cancelled) return;
      await this.#parts.env.workers.breathe();
      if (!(await this.#try(digest, () => this.#settleOne(digest)))) left = true;
    }
    this.#left = left;
  }

  #kept(): Set<Digest128> {
    const { repairs, lost, known } = this.#parts;
    const digests = repairs.digests();
    for (const table of lost.tables()) {
      const digest = known.find(table)?.fileDigest;
      if (digest !== undefined) digests.add(digest);
    }
    return digests;
  }

  /** True: gone, or kept by a hint, whose end leads here again. */
  async #settleOne(digest: Digest128): Promise<boolean> {
    const { env, hints, repairs, lost, known } = this.#parts;
    if (hints.hasBytes(digest)) return true;
    const puts = repairs.puts(digest);
    const tables = known.withBytes(digest);
    const here = tables.filter(({ id }) => known.isHere(id));
    if (tables.length === 0 && env.clock.now() - repairs.usedAt(digest) < AGAIN_MS) return false;
    // A file that is owed may be made from them.
    if (tables.some(({ id }) => !known.isHere(id))) return false;
    for (const meta of here) {
      const good = await this.#proves(meta);
      if (!good) return hints.hasBytes(digest);
      lost.clear(meta.id);
    }
    if (this.#parts.token.cancelled || hints.hasBytes(digest) || repairs.puts(digest) !== puts) return false;
    return repairs.drop(digest);
  }

  /** False too if the file left meanwhile. H1: what two readings find becomes a hint. */
  async #proves(meta: TableMeta): Promise<boolean> {
    const first = await this.#verify(meta);
    if (first === undefined || first.faults.length === 0) return first !== undefined;
    const second = await this.#verify(meta);
    if (second === undefined) return false;
    const faults = foundTwice(first, second);
    if (faults.length > 0) this.#parts.recorder.record(meta, worstOf(faults, second));
    return false;
  }

  async #verify(meta: TableMeta): Promise<VerifyReport | undefined> {
    const { copies, known } = this.#parts;
    const report = await copies.verify(meta, tablePath(meta.id));
    return !this.#parts.token.cancelled && known.isHere(meta.id) ? report : undefined;
  }

  async #try(digest: Digest128, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      const data = { digest, why: messageOf(error) };
      this.#parts.env.events.emit({ type: 'warning', message: 'repaired blocks could not be looked after', data });
      return false;
    }
  }
}
