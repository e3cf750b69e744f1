/**
 * The leader's side of healing. One heal, step by step, with the state of its entry in the queue:
 *
 *   1. accept        hints of all nodes, this one's included, enter the queue: pending
 *   2. #step         the picker chooses a table that is due and in no pending plan. It takes one
 *                    of the places: claimed
 *   3. #produce      this node makes sure that it has the table in full, byte for byte: its own
 *                    file is proven, or a proven copy is made (H5)
 *   4. #propose      what step 3 produced, and nothing else (S6), goes into the log: proposed
 *   5. editApplied   valid: out of the queue. Refused, or its outcome was not seen in time: backoff
 *
 * What fails in step 3 backs off alone (H4); if it lacked a block, that block is asked for on the
 * side (`awaited-blocks.ts`). A change of leader or term empties the queue: the nodes that keep the
 * hints send them to the next leader (H2).
 */

import { assert } from '../../base/assert.js';
import type { Env, Timer } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { LogIndex, NodeId, TableId } from '../../base/ids.js';
import type { HealingContext } from '../../replica/hooks/healing-hooks.js';
import type { WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { HintStatus } from '../status/hint-status.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import type { VerifyReport } from '../../storage/table/verify-table.js';
import type { StopToken } from '../base/stop-token.js';
import { AwaitedBlocks, lackedBlock } from './awaited-blocks.js';
import { healPick } from './heal-picker.js';
import { HealQueue } from './heal-queue.js';
import type { HintReceiver } from '../hints/hint-forwarder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { Hint } from '../hints/hint.js';
import type { Repairer } from '../repair/repairer.js';
import { copyPath, type TableCopies, type TableCopy } from '../repair/table-copies.js';

export interface SchedulerOptions {
  /** Heals that the leader works on at a time. Default 2. */
  readonly maxHeals?: number;
  /** How often the leader looks at busy tables again. Default 500 ms. */
  readonly pollMs?: number;
  /** A proposal whose outcome was not seen by then counts as lost. Default 10 s. */
  readonly proposalTimeoutMs?: number;
}

interface SchedulerParts {
  readonly env: Env;
  readonly context: Pick<HealingContext, 'leadership' | 'tree' | 'proposer'>;
  readonly counters: HealCounters;
  readonly hints: HintStore;
  readonly copies: TableCopies;
  readonly repairer: Pick<Repairer, 'repairBlock'>;
  readonly token: StopToken;
  readonly options?: SchedulerOptions;
}

/** S6: what this node holds of a table that it proposes to heal. */
type Produced =
  | { readonly from: 'own file'; readonly proof: VerifyReport }
  /** Proven when it was made, and waiting for the edit. */
  | { readonly from: 'copy'; readonly copy: TableCopy };

export class HealScheduler implements HintReceiver {
  readonly #parts: SchedulerParts;
  readonly #queue: HealQueue;
  readonly #awaited: AwaitedBlocks;
  readonly #maxHeals: number;
  readonly #pollMs: number;
  readonly #proposalTimeoutMs: number;
  /**
   * Places that are taken. What still runs for a table that left the queue holds none: it ends by
   * itself, and proposes nothing.
   */
  readonly #running = new Set<{ readonly table: TableId }>();
  #timer: Timer | undefined;
  /**
   * Grows with each change of leader or term, and at the end: what began before ends without a
   * proposal.
   */
  #epoch = 0;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#queue = new HealQueue(parts.env.random);
    const { env, context, repairer, options = {} } = parts;
    this.#awaited = new AwaitedBlocks({ clock: env.clock, queue: this.#queue, context, repairer });
    this.#queue.subscribe(() => this.kick());
    this.#maxHeals = options.maxHeals ?? 2;
    this.#pollMs = options.pollMs ?? 500;
    this.#proposalTimeoutMs = options.proposalTimeoutMs ?? 10_000;
    assert(this.#maxHeals >= 1 && this.#pollMs > 0, 'H4 some heal can be worked on, and is looked for');
  }

  statuses(): HintStatus[] {
    return this.#queue.statuses();
  }

  accept(from: NodeId, hints: readonly Hint[]): void {
    const { env, counters, context } = this.#parts;
    const { latest } = context.tree;
    let fresh = 0;
    for (const hint of hints) {
      // Healed already: its node will see for itself once its own files follow.
      if (!latest.has(hint.tableId) && hint.tableId < latest.nextTableId) continue;
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

  /** Leader or term changed. */
  reset(): void {
    this.#epoch++;
    this.#queue.clear();
    this.#running.clear();
    assert(this.#queue.size === 0, 'H2 a new leader begins with what the nodes send again');
  }

  editApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void {
    const { env, counters } = this.#parts;
    if (added !== undefined) {
      assert(added.id > removed, `S2 ids are never reused: table ${removed} became table ${added.id}`);
      counters.healsApplied++;
      env.events.emit({ type: 'heal-applied', removed, added: added.id, index });
      this.#drop(removed);
      assert(this.#queue.stateOf(removed) === 'out', `H2 nothing is left to heal of table ${removed}`);
    } else if (this.#queue.get(removed) !== undefined) {
      this.#failed(removed, 'the log refused the heal edit');
    }
    this.kick();
  }

  kick(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#epoch++;
    this.#timer?.cancel();
    this.#awaited.stop();
  }

  #schedule(delayMs: number): void {
    assert(delayMs >= 0 && delayMs <= this.#pollMs, `H4 the queue is looked at in ${delayMs} ms`);
    if (this.#parts.token.cancelled || this.#queue.size === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.env.clock.setTimer(delayMs, () => this.#step());
  }

  #step(): void {
    const { env, context, token } = this.#parts;
    if (token.cancelled) return;
    if (context.leadership.mayShapeTree) {
      for (;;) {
        const now = env.clock.now();
        const choice = healPick(context.tree.latest, this.#queue.all(), now);
        for (const table of choice.drop) this.#drop(table);
        for (const table of choice.lost) this.#failed(table, 'the outcome of the proposal was not seen');
        if (choice.heal === undefined || this.#running.size >= this.#maxHeals) break;
        this.#queue.claim(choice.heal.id, now);
        void this.#heal(choice.heal, this.#epoch);
      }
    }
    this.#schedule(this.#pollMs);
  }

  /** H4: a copy that waits for peers may go on for long; it takes no other's place meanwhile. */
  #drop(table: TableId): void {
    this.#queue.drop(table);
    for (const place of this.#running) if (place.table === table) this.#running.delete(place);
  }

  async #heal(meta: TableMeta, epoch: number): Promise<void> {
    const place = { table: meta.id };
    this.#running.add(place);
    assert(this.#running.size <= this.#maxHeals, `H4 ${this.#running.size} heals take ${this.#maxHeals} places`);
    try {
      const produced = await this.#produce(meta);
      if (epoch === this.#epoch) this.#propose(meta, produced);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (epoch === this.#epoch) this.#failed(meta.id, messageOf(error), lackedBlock(error));
    } finally {
      this.#running.delete(place);
      this.kick();
    }
  }

  /** H5, S6: nothing is proposed that this node did not have in full, byte for byte. */
  async #produce(meta: TableMeta): Promise<Produced> {
    const { env, hints, copies } = this.#parts;
    const path = tablePath(meta.id);
    if (hints.get(meta.id) === undefined && env.disk.sizeOf(path) !== undefined) {
      const proof = await copies.verify(meta, path);
      if (proof.pristine && hints.get(meta.id) === undefined) return { from: 'own file', proof };
    }
    return { from: 'copy', copy: await copies.make(meta) };
  }

  #propose(meta: TableMeta, produced: Produced): void {
    if (produced.from === 'own file') assert(produced.proof.pristine, `S6 the own file of table ${meta.id} is proven before its heal is proposed`);
    else assert(produced.copy.path === copyPath(meta.id), `S6 the copy of table ${meta.id} is its own: ${produced.copy.path}`);
    // It may have failed, been dropped or been tried again meanwhile.
    if (this.#queue.stateOf(meta.id) !== 'claimed') return;
    const { env, counters, context } = this.#parts;
    const { latest } = context.tree;
    if (!context.leadership.mayShapeTree || !latest.has(meta.id) || latest.isBusy(meta.id)) {
      this.#queue.release(meta.id);
      return;
    }
    assert(latest.table(meta.id)?.fileDigest === meta.fileDigest, `H3 table ${meta.id} has the bytes that were produced`);
    assert(context.leadership.isLeader, 'S3 only the leader proposes heal edits');
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
