/**
 * The leader's side of healing: takes what the picker chooses, makes sure that this node can produce the whole table
 * correctly (its own raw bytes are proven clean, or a proven copy lies ready), and only then proposes the heal edit
 * (H5, S6). Two heals at once; a table that fails backs off alone (H4), until a block that it lacked is to be had. Losing the lead
 * empties the queue: the nodes that keep the hints send them to the next leader (H2).
 */

import type { Env, Timer } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { LogIndex, NodeId, TableId } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { HintStatus } from '../status/hint-status.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { AwaitedBlocks, lackedBlock } from './awaited-blocks.js';
import { healPick } from './heal-picker.js';
import { HealQueue } from './heal-queue.js';
import type { HintReceiver } from '../hints/hint-forwarder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { Hint } from '../hints/hint.js';
import type { Repairer } from '../repair/repairer.js';
import type { TableCopies } from '../repair/table-copies.js';

export interface SchedulerOptions {
  /** Heals that the leader works on at a time. Default 2. */
  readonly maxHeals?: number;
  /** How often the leader looks at busy tables again. Default 500 ms. */
  readonly pollMs?: number;
  /** A proposal whose outcome was not seen by then counts as lost. Default 10 s. */
  readonly proposalTimeoutMs?: number;
}

export interface SchedulerParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'leadership' | 'tree' | 'proposer'>;
  readonly counters: HealCounters;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  readonly repairer: Pick<Repairer, 'repairBlock'>;
  readonly options?: SchedulerOptions;
}

export class HealScheduler implements HintReceiver {
  readonly #parts: SchedulerParts;
  readonly #queue: HealQueue;
  readonly #awaited: AwaitedBlocks;
  readonly #maxHeals: number;
  readonly #pollMs: number;
  readonly #proposalTimeoutMs: number;
  /** Places that are taken. What still runs for a table that left the queue holds none: it ends by itself, and proposes nothing. */
  readonly #running = new Set<{ readonly table: TableId }>();
  #timer: Timer | undefined;
  #stopped = false;
  /** What was begun under an earlier lead ends without a proposal. */
  #reign = 0;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#queue = new HealQueue(parts.env.random);
    const { env, context, repairer, options = {} } = parts;
    this.#awaited = new AwaitedBlocks({ clock: env.clock, queue: this.#queue, context, repairer });
    this.#queue.subscribe(() => this.kick());
    this.#maxHeals = options.maxHeals ?? 2;
    this.#pollMs = options.pollMs ?? 500;
    this.#proposalTimeoutMs = options.proposalTimeoutMs ?? 10_000;
  }

  statuses(): HintStatus[] {
    return this.#queue.statuses();
  }

  accept(from: NodeId, hints: readonly Hint[]): void {
    const { env, counters, context } = this.#parts;
    const logical = context.tree.latest;
    let fresh = 0;
    for (const hint of hints) {
      // Healed already: its node will see for itself once its own files follow.
      if (!logical.has(hint.tableId) && hint.tableId < logical.nextTableId) continue;
      const before = this.#queue.get(hint.tableId)?.hints.get(hint.node);
      if (!this.#queue.accept(hint)) break;
      if (before !== undefined) continue;
      fresh++;
      env.events.emit({ type: 'hint', table: hint.tableId, node: hint.node, kind: hint.kind, state: 'pending' });
    }
    if (fresh > 0) {
      counters.hintsReceived += fresh;
      env.events.emit({ type: 'hints-received', count: fresh, from });
    }
    this.kick();
  }

  /** The lead or the term changed hands. */
  reset(): void {
    this.#reign++;
    this.#queue.clear();
    this.#running.clear();
  }

  editApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void {
    const { env, counters } = this.#parts;
    if (added !== undefined) {
      counters.healsApplied++;
      env.events.emit({ type: 'heal-applied', removed, added: added.id, index });
      this.#drop(removed);
    } else if (this.#queue.get(removed) !== undefined) {
      this.#failed(removed, 'the log refused the heal edit');
    }
    this.kick();
  }

  kick(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#reign++;
    this.#timer?.cancel();
    this.#awaited.stop();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#queue.size === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.env.clock.setTimer(delayMs, () => this.#step());
  }

  #step(): void {
    const { env, context } = this.#parts;
    if (this.#stopped) return;
    if (context.leadership.mayShapeTree) {
      for (;;) {
        const choice = healPick(context.tree.latest, this.#queue.all(), env.clock.now());
        for (const table of choice.drop) this.#drop(table);
        for (const table of choice.lost) this.#failed(table, 'the outcome of the proposal was not seen');
        if (choice.heal === undefined || this.#running.size >= this.#maxHeals) break;
        this.#queue.claim(choice.heal.id);
        void this.#heal(choice.heal, this.#reign);
      }
    }
    this.#schedule(this.#pollMs);
  }

  /** H4: a copy that waits for peers may go on for long; it takes no other's place meanwhile. */
  #drop(table: TableId): void {
    this.#queue.drop(table);
    for (const place of this.#running) if (place.table === table) this.#running.delete(place);
  }

  async #heal(meta: TableMeta, reign: number): Promise<void> {
    const place = { table: meta.id };
    this.#running.add(place);
    try {
      await this.#ensureProducible(meta);
      if (reign === this.#reign) this.#propose(meta);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (reign === this.#reign) this.#failed(meta.id, messageOf(error), lackedBlock(error));
    } finally {
      this.#running.delete(place);
      this.kick();
    }
  }

  /** H5, S6: nothing is proposed that this node did not have in full, byte for byte. */
  async #ensureProducible(meta: TableMeta): Promise<void> {
    const { env, hints, copies } = this.#parts;
    const path = tablePath(meta.id);
    if (hints.get(meta.id) === undefined && env.disk.sizeOf(path) !== undefined) {
      const proof = await copies.verify(meta, path);
      if (proof.pristine && hints.get(meta.id) === undefined) return;
    }
    await copies.make(meta);
  }

  #propose(meta: TableMeta): void {
    const { env, counters, context } = this.#parts;
    const logical = context.tree.latest;
    if (!context.leadership.mayShapeTree || !logical.has(meta.id) || logical.isBusy(meta.id)) {
      this.#queue.release(meta.id);
      return;
    }
    const removed = { id: meta.id, digest: meta.fileDigest };
    // Before the proposal: a log of one member may apply it at once.
    this.#queue.proposed(meta.id, env.clock.now() + this.#proposalTimeoutMs);
    counters.healsProposed++;
    env.events.emit({ type: 'heal-proposed', table: meta.id });
    if (!context.proposer.propose({ kind: 'heal-edit', removed })) this.#failed(meta.id, 'the log took no proposal');
  }

  #failed(table: TableId, why: string, lacks?: WantedBlock): void {
    const { env, counters } = this.#parts;
    counters.healsFailed++;
    env.events.emit({ type: 'heal-failed', table, why });
    this.#queue.failed(table, env.clock.now(), lacks);
    if (lacks !== undefined) this.#awaited.kick();
  }
}
