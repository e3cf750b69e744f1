/**
 * H2: when a hint ends. Against a table in the durable manifest it stays. Once the table left, its bytes may live on under a
 * new id: written anew and proven here, the fault is gone; otherwise the new file is read past the caches, and the
 * hint ends or follows. What was proven is not stored: after a crash it is simply read again.
 */

import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { TableId } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { HintStore, OpenHint } from '../hints/hint-store.js';
import { confirmFaults } from '../hints/confirm-faults.js';
import { hintOf, type Hint } from '../hints/hint.js';
import type { TableCopies } from '../repair/table-copies.js';

export interface KeeperParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'membership' | 'tree'>;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  /** A hint changed. */
  readonly changed: () => void;
}

const PROVEN_MAX = 1024;
const RETRY_MS = 5_000;

export class HintKeeper {
  readonly #parts: KeeperParts;
  /** New ids whose files were written anew and proven, oldest first. */
  readonly #proven = new Set<TableId>();
  #settling: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** New sectors, read back past the caches: whatever was said of the old file does not hold for it. */
  proven(added: TableId): void {
    this.#proven.add(added);
    if (this.#proven.size > PROVEN_MAX) for (const oldest of this.#proven) return void this.#proven.delete(oldest);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The durable manifest moved. Resolves when every hint has been looked at. */
  settle(): Promise<void> {
    this.#again = true;
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settleAll(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      for (const open of this.#parts.hints.all()) {
        try {
          await this.#settleOne(open);
        } catch (error) {
          if (codeOf(error) === undefined) throw error;
          this.#warn(open.hint, error);
        }
      }
    }
  }

  async #settleOne(open: OpenHint): Promise<void> {
    const { hints, context } = this.#parts;
    const { hint } = open;
    const manifest = context.tree.durable;
    // An id that was not given out yet belongs to an edit that the durable manifest has still to reach.
    if (manifest.has(hint.tableId) || hint.tableId >= manifest.nextTableId) return;
    const [heir] = manifest.named(hint);
    if (heir === undefined || this.#proven.has(heir.id)) return this.#end(hint);
    const report = await this.#parts.copies.verify(heir, tablePath(heir.id));
    if (hints.get(hint.tableId) === undefined) return;
    if (report.faults.length === 0) return this.#end(hint);
    const sinks = {
      confirmed: (meta: TableMeta, kind: Hint['kind'], offsets: Hint['offsets'], pastCache: boolean) =>
        this.#follow(hint, meta, kind, offsets, pastCache),
    };
    confirmFaults(sinks, heir, report.faults, report.pastCache);
  }

  #follow(from: Hint, to: TableMeta, kind: Hint['kind'], offsets: Hint['offsets'], pastCache: boolean): void {
    this.#parts.hints.move(from.tableId, hintOf(to, this.#parts.context.membership.self, kind, offsets, pastCache));
    this.#emit({ ...from, tableId: to.id }, 'open');
    this.#parts.changed();
  }

  #end(hint: Hint): void {
    this.#parts.hints.end(hint.tableId);
    this.#emit(hint, 'done');
    this.#parts.changed();
  }

  #emit({ tableId, node, kind }: Hint, state: string): void {
    this.#parts.env.events.emit({ type: 'hint', table: tableId, node, kind, state });
  }

  #warn(hint: Hint, error: unknown): void {
    const { env } = this.#parts;
    env.events.emit({ type: 'warning', message: 'a healed table could not be read back yet', data: { table: hint.tableId, why: messageOf(error) } });
    env.clock.setTimer(RETRY_MS, () => {
      if (!this.#stopped) void this.settle();
    });
  }
}
