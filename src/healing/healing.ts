/**
 * Healing of one node, as its replica sees it. It owns no work itself: `healing-parts.ts` wires the
 * parts together. The way of a fault, from the read that met it to the end of its hint:
 *
 *   1. noted       a read meets a bad block: `detect/fault-notes.ts` (a scrub goes on at 2:
 *                  `detect/scrubber.ts`)
 *   2. confirmed   a second read past the caches finds it again (H1): `detect/fault-confirmer.ts`
 *   3. hinted      the hint is durable here: `hints/hint-recorder.ts`, `hints/hint-store.ts`
 *   4. forwarded   to whoever leads, again and again until it ends (H2): `hints/hint-forwarder.ts`
 *   5. healed      the leader makes sure of a good copy and proposes a heal edit, step by step in
 *                  `heal/heal-scheduler.ts`; copies are made in `repair/table-copies.ts`
 *   6. applied     every node gives the same bytes a new id, and follows with its file: relinked
 *                  if clean, written anew if not (H3, H5): `heal/materialize-heal.ts`
 *   7. ended       where the fault was, once the new file is proven (H2): `heal/hint-keeper.ts`
 *
 * Beside it, a block beyond parity is repaired from a peer at once, so that reads go on:
 * `repair/repairer.ts`. Its bytes are kept until the fault is gone: `repair/repair-store.ts` and
 * `repair/repair-keeper.ts`.
 */

import { assert, must } from '../base/assert.js';
import type { Env } from '../base/env.js';
import { CodecError } from '../base/errors.js';
import type { LogIndex, NodeId, TableId } from '../base/ids.js';
import type { HealingHooks, HealingContext } from '../replica/hooks/healing-hooks.js';
import type { StorageError } from '../storage/base/errors.js';
import type { BlockFaults } from '../storage/table/block-faults.js';
import type { TableMeta } from '../storage/table/table-meta.js';
import { Recent } from './base/recent.js';
import { FaultNotes } from './detect/fault-notes.js';
import type { ScrubOptions } from './detect/scrubber.js';
import { materializeHeal } from './heal/materialize-heal.js';
import { HealingParts, type EarlyParts, type PartsOptions } from './healing-parts.js';
import { decodeHintsRequest, encodeHintsAck, HEAL_HINTS_METHOD } from './hints/hint-forwarder.js';
import { HintStore } from './hints/hint-store.js';
import { RepairStore, type RepairStoreOptions } from './repair/repair-store.js';
import { noCounts, type HealCounters } from './status/heal-counters.js';
import type { HintStatus } from './status/hint-status.js';
import { NOTHING_SCRUBBED, type ScrubReport, type ScrubStatus } from './status/scrub-status.js';

export interface HealingOptions extends RepairStoreOptions, PartsOptions {}

/** Of tables that readers met unreadable blocks in. */
const SEEN_MAX = 256;

/**
 * detached   notes are taken; there is no replica yet
 * loading    the replica is there: blocks are repaired; what this node kept is being read
 * running    all of it
 * stopped    nothing is begun any more
 */
type Stage =
  | { readonly s: 'detached' }
  | { readonly s: 'loading' | 'running'; readonly parts: HealingParts }
  | { readonly s: 'stopped'; readonly parts: HealingParts | undefined };

const MOVES: Readonly<Record<Stage['s'], readonly Stage['s'][]>> = {
  detached: ['loading', 'stopped'],
  loading: ['running', 'stopped'],
  running: ['stopped'],
  // stop may be called again.
  stopped: ['stopped'],
};

export class Healing implements HealingHooks {
  readonly faults: BlockFaults;
  readonly counters: HealCounters = noCounts();
  readonly #options: HealingOptions;
  readonly #early: EarlyParts;
  readonly #token = { cancelled: false };
  #stage: Stage = { s: 'detached' };

  constructor(env: Env, options: HealingOptions = {}) {
    this.#options = options;
    const { counters } = this;
    const hints = new HintStore(env);
    const repairs = new RepairStore(env, options);
    const seen = new Recent<TableId, TableMeta>(SEEN_MAX);
    const token = this.#token;
    const notes = new FaultNotes({ env, counters, hints, repairs, seen, token });
    this.#early = { env, counters, hints, repairs, seen, notes, token };
    this.faults = notes;
  }

  async attach(context: HealingContext): Promise<void> {
    const { hints, repairs } = this.#early;
    const parts = new HealingParts(this.#early, context, this.#options);
    parts.copies.subscribe(() => this.durableMoved());
    this.#to({ s: 'loading', parts });
    await Promise.all([hints.load(context.membership.self), repairs.load(), parts.copies.sweep()]);
    if (this.#token.cancelled) return;
    this.#to({ s: 'running', parts });
    parts.start();
    this.durableMoved();
  }

  async repair(error: StorageError): Promise<void> {
    await this.#attached.repairer.repair(error);
  }

  async materializeHeal(removed: TableMeta, added: TableMeta): Promise<'relink' | 'rewrite' | 'fetch'> {
    const { env, hints } = this.#early;
    const { context, copies, keeper, known } = this.#attached;
    const how = await materializeHeal({ env, hints, copies, tables: context.tables, known }, removed, added);
    if (how !== 'relink') keeper.proven(added.id);
    return how;
  }

  healEditApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void {
    this.#running?.scheduler.editApplied(removed, added, index);
  }

  durableMoved(): void {
    void this.settled();
  }

  /**
   * Resolves when all that the durable manifest's present state decides about hints and repairs is
   * done.
   */
  async settled(): Promise<void> {
    const parts = this.#running;
    if (parts === undefined) return;
    const { keeper, copies, known, repairKeeper } = parts;
    if (this.#early.hints.size > 0) await keeper.settle();
    if (this.#token.cancelled) return;
    if (!copies.empty) await copies.retain(known);
    if (!repairKeeper.idle) await repairKeeper.settle();
  }

  async onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    if (method !== HEAL_HINTS_METHOD) throw new CodecError(`no such call: ${method}`);
    const hints = decodeHintsRequest(request);
    const parts = this.#running;
    const leads = parts !== undefined && parts.context.leadership.leader === parts.context.membership.self;
    if (leads) parts.scheduler.accept(from, hints);
    return Promise.resolve(encodeHintsAck({ leads }));
  }

  get hasLost(): boolean {
    return this.#parts?.lost.anyForCertain ?? false;
  }

  blocked(table: TableId): boolean {
    return this.#parts?.lost.has(table) ?? false;
  }

  /** A block of some table is lost for now: no good copy could be reached. */
  anyBlockLost(): boolean {
    return this.#parts?.lost.any ?? false;
  }

  /** What this node knows: its own open hints, and if it leads, all that are in its queue. */
  hints(): HintStatus[] {
    const queued = this.#parts?.scheduler.statuses() ?? [];
    const inQueue = new Set(queued.map((hint) => `${hint.tableId}-${hint.node}`));
    const own = this.#early.hints.all().map(({ tableId, kind, node, offsets }): HintStatus => {
      return { tableId, kind, node, state: 'open', offsets };
    });
    return [...queued, ...own.filter((hint) => !inQueue.has(`${hint.tableId}-${hint.node}`))];
  }

  /** Every hint is durable at this moment: for who watches a node. */
  get hintsSaved(): boolean {
    return this.#early.hints.saved;
  }

  scrub(onProgress: (status: ScrubStatus) => void, options: ScrubOptions = {}): Promise<ScrubReport> {
    return this.#attached.scrubber.scrub(onProgress, options);
  }

  scrubStatus(): ScrubStatus {
    return this.#parts?.scrubber.status() ?? NOTHING_SCRUBBED;
  }

  /** Resolves when no fault waits to be confirmed; true if every hint is durable. */
  async quiet(): Promise<boolean> {
    await this.#early.notes.idle();
    return this.#early.hints.durable();
  }

  async stop(): Promise<void> {
    const { hints, notes } = this.#early;
    const parts = this.#parts;
    this.#token.cancelled = true;
    this.#to({ s: 'stopped', parts });
    notes.stop();
    parts?.stop();
    await hints.durable();
    hints.stop();
  }

  #to(next: Stage): void {
    const { s } = this.#stage;
    assert(MOVES[s].includes(next.s), `healing that is ${s} does not become ${next.s}: it serves one replica, once`);
    this.#stage = next;
  }

  get #parts(): HealingParts | undefined {
    return this.#stage.s === 'detached' ? undefined : this.#stage.parts;
  }

  /** Of a node that has read what it kept and does not stop. */
  get #running(): HealingParts | undefined {
    return this.#stage.s === 'running' ? this.#stage.parts : undefined;
  }

  get #attached(): HealingParts {
    return must(this.#parts, 'healing is attached before it is used');
  }
}
