/**
 * H2: when a hint ends. It stays while its table is in the durable manifest. Afterwards:
 *   - no table has its bytes any more: it ends;
 *   - a new id has them (the heir), in a file written anew and proven here: it ends;
 *   - otherwise the heir's file is read past the caches: clean, it ends; bad, it moves to the heir.
 * What was proven is not stored: after a crash it is read again.
 */

import { assert } from '../../base/assert.js';
import { Coalesced } from '../../base/coalesced.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { TableId } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { Recent } from '../base/recent.js';
import type { StopToken } from '../base/stop-token.js';
import { hintOf, worstOf } from '../hints/confirmed-fault.js';
import type { HintStore } from '../hints/hint-store.js';
import type { Hint } from '../hints/hint.js';
import type { TableCopies } from '../repair/table-copies.js';

interface KeeperParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'membership' | 'tree'>;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  readonly token: StopToken;
}

const PROVEN_MAX = 1024;
const RETRY_MS = 5_000;
/** Looked at between two breaths. */
const SLICE_HINTS = 64;

export class HintKeeper {
  readonly #parts: KeeperParts;
  /** New ids whose files were written anew and proven. */
  readonly #proven = new Recent<TableId, true>(PROVEN_MAX);
  readonly #settling = new Coalesced(() => this.#settleAll());

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /**
   * New sectors, read back past the caches: whatever was said of the old file does not hold for it.
   */
  proven(added: TableId): void {
    assert(added > 0, `H2 table ${added} is proven`);
    this.#proven.set(added, true);
  }

  /** The durable manifest moved. Resolves when every hint has been looked at. */
  settle(): Promise<void> {
    this.#settling.kick();
    return this.#settling.idle();
  }

  async #settleAll(): Promise<void> {
    const { env, hints, token } = this.#parts;
    let looked = 0;
    for (const { tableId } of hints.all()) {
      // A hint whose table is still there costs a look into a map; there may be thousands.
      if (++looked % SLICE_HINTS === 0) await env.workers.breathe();
      if (token.cancelled) return;
      const hint = hints.get(tableId);
      if (hint === undefined) continue;
      try {
        await this.#settleOne(hint);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        this.#warn(hint, error);
      }
    }
  }

  async #settleOne(hint: Hint): Promise<void> {
    const { hints, copies, context } = this.#parts;
    const { durable } = context.tree;
    // An id that was not given out yet belongs to an edit that the durable manifest has still to
    // reach.
    if (durable.has(hint.tableId) || hint.tableId >= durable.nextTableId) return;
    const [heir] = durable.named(hint);
    if (heir === undefined) return hints.end(hint, { why: 'gone', durable });
    if (this.#proven.has(heir.id)) return hints.end(hint, { why: 'rewritten', durable, heir });
    const proof = await copies.verify(heir, tablePath(heir.id));
    if (hints.get(hint.tableId) === undefined) return;
    if (proof.faults.length === 0) return hints.end(hint, { why: 'proven', durable, heir, proof });
    assert(heir.id !== hint.tableId, `H2 the hint of table ${hint.tableId} follows its bytes to another table`);
    // The hint was the first reading of these bytes, this is the second.
    const fault = worstOf(proof.faults, proof);
    hints.move(hint, hintOf(heir, context.membership.self, fault), fault.confirmation);
  }

  #warn(hint: Hint, error: unknown): void {
    const { env, token } = this.#parts;
    env.events.emit({ type: 'warning', message: 'a healed table could not be read back yet', data: { table: hint.tableId, why: messageOf(error) } });
    env.clock.setTimer(RETRY_MS, () => {
      if (!token.cancelled) void this.settle();
    });
  }
}
