/**
 * The blocks for want of which heals failed. An attempt at a heal makes a whole table, so attempts
 * become rare; what most of them wait for is a peer that is away, and to learn of its return takes
 * one call. So each block is asked for again every ten seconds; once it is found it is kept as a
 * repair, and the heal is due at once, however long it had backed off.
 *
 * H4: this takes no heal's place. One block is asked for at a time, in turn, and the rate does not
 * grow with the queue.
 */

import { assert } from '../../base/assert.js';
import type { Clock, Timer } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import type { WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import { StorageError } from '../../storage/base/errors.js';
import type { Repairer } from '../repair/repairer.js';
import type { HealQueue, QueuedHeal } from './heal-queue.js';

interface AwaitedBlocksParts {
  readonly clock: Clock;
  readonly queue: HealQueue;
  readonly context: Pick<HealingContext, 'tree'>;
  readonly repairer: Pick<Repairer, 'repairBlock'>;
}

/** Each is asked for this often; if there are more than the bound below, less often. */
const ROUND_MS = 10_000;
const ASKS_PER_ROUND_MAX = 16;
/** Of an error and what caused it. */
const CAUSES_MAX = 4;

/** The block that a heal failed for; undefined: it failed for something else. */
export function lackedBlock(error: unknown): WantedBlock | undefined {
  let cause = error;
  for (let depth = 0; depth < CAUSES_MAX && cause instanceof Error; depth++) {
    if (cause instanceof StorageError && (cause.code === 'BLOCK_UNREADABLE' || cause.code === 'TABLE_UNREADABLE')) {
      const { offset, digest } = cause.data;
      return typeof offset === 'number' && typeof digest === 'string' ? { offset, digest } : undefined;
    }
    cause = cause.cause;
  }
  return undefined;
}

type Stage =
  /** No heal waits for a block. */
  | { readonly s: 'idle' }
  /** Until the next question. */
  | { readonly s: 'waiting'; readonly timer: Timer }
  | { readonly s: 'asking' }
  | { readonly s: 'stopped' };

export class AwaitedBlocks {
  readonly #parts: AwaitedBlocksParts;
  #stage: Stage = { s: 'idle' };
  /** Arrival of the heal that was served last. */
  #last = 0;

  constructor(parts: AwaitedBlocksParts) {
    this.#parts = parts;
  }

  /** A heal failed for want of a block. */
  kick(): void {
    if (this.#stage.s === 'idle') this.#next('in turn');
  }

  stop(): void {
    if (this.#stage.s === 'waiting') this.#stage.timer.cancel();
    this.#stage = { s: 'stopped' };
  }

  #waiting(): QueuedHeal[] {
    return this.#parts.queue.all().filter(({ state, lacks }) => state === 'backoff' && lacks !== undefined);
  }

  #next(when: 'at once' | 'in turn'): void {
    const waiting = this.#waiting().length;
    this.#stage = { s: 'idle' };
    if (waiting === 0) return;
    const delayMs = when === 'at once' ? 0 : ROUND_MS / Math.min(waiting, ASKS_PER_ROUND_MAX);
    assert(delayMs === 0 || delayMs >= ROUND_MS / ASKS_PER_ROUND_MAX, `H4 the next block is asked for in ${delayMs} ms`);
    this.#stage = { s: 'waiting', timer: this.#parts.clock.setTimer(delayMs, () => void this.#askNext()) };
  }

  async #askNext(): Promise<void> {
    assert(this.#stage.s === 'waiting', `H4 one block is asked for at a time: ${this.#stage.s}`);
    this.#stage = { s: 'idle' };
    const waiting = this.#waiting();
    const next = waiting.find(({ arrival }) => arrival > this.#last) ?? waiting[0];
    if (next === undefined) return;
    assert(next.arrival !== this.#last || waiting.length === 1, 'H4 blocks are asked for in turn');
    this.#last = next.arrival;
    this.#stage = { s: 'asking' };
    const had = await this.#ask(next);
    // The peer that had one is likely to have the next.
    if (!this.#stopped) this.#next(had ? 'at once' : 'in turn');
  }

  async #ask({ tableId, lacks }: QueuedHeal): Promise<boolean> {
    const { queue, context, repairer } = this.#parts;
    const meta = context.tree.latest.table(tableId);
    if (meta === undefined || lacks === undefined) return false;
    try {
      await repairer.repairBlock(meta, lacks);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
    }
    // Meanwhile it may have been tried again, dropped, or queued anew under another leader.
    const still = this.#waiting().some((heal) => heal.tableId === tableId && heal.lacks === lacks);
    if (still && !this.#stopped) queue.release(tableId);
    return true;
  }

  get #stopped(): boolean {
    return this.#stage.s === 'stopped';
  }
}
