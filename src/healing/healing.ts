/**
 * Healing of one node, as its replica sees it: who wires the parts together, and owns nothing else. A fault that a read or
 * scrub met goes: monitor (confirm) -> hint store (durable) -> forwarder -> the leader's scheduler -> heal edit ->
 * materializer on every node -> keeper (the hint ends where the fault was).
 */

import { must } from '../base/assert.js';
import type { Env } from '../base/env.js';
import { CodecError, codeOf } from '../base/errors.js';
import type { LogIndex, NodeId, TableId, Term } from '../base/ids.js';
import type { HealingHooks, HealingContext } from '../replica/hooks/healing-hooks.js';
import { noCounts, type HealCounters } from './status/heal-counters.js';
import type { HintStatus } from './status/hint-status.js';
import type { ScrubReport, ScrubStatus } from './status/scrub-status.js';
import { StorageError } from '../storage/base/errors.js';
import type { BlockFaults } from '../storage/table/block-faults.js';
import { tablePath, type TableMeta } from '../storage/table/table-meta.js';
import { FaultMonitor } from './detect/fault-monitor.js';
import { HealScheduler } from './heal/heal-scheduler.js';
import { decodeHintsRequest, encodeHintsAck, HEAL_HINTS_METHOD, HintForwarder } from './hints/hint-forwarder.js';
import { HintKeeper } from './heal/hint-keeper.js';
import { HintStore } from './hints/hint-store.js';
import { hintOf, severity } from './hints/hint.js';
import type { HintKind } from './status/hint-status.js';
import { materializeHeal } from './heal/materialize.js';
import { RepairKeeper } from './repair/repair-keeper.js';
import { RepairStore, type RepairStoreOptions } from './repair/repair-store.js';
import { Repairer } from './repair/repairer.js';
import { Scrubber, type ScrubOptions } from './detect/scrubber.js';
import { TableCopies } from './repair/table-copies.js';

export interface HealingOptions extends RepairStoreOptions {
  /** Heals the leader works on at a time. Default 2. */
  readonly maxHeals?: number;
  /** How often open hints are sent again. Default 3 s. */
  readonly resendMs?: number;
  /** How often the leader looks at busy tables again. Default 500 ms. */
  readonly pollMs?: number;
  /** Default 10 s. */
  readonly proposalTimeoutMs?: number;
}

export class Healing implements HealingHooks {
  readonly faults: BlockFaults;
  readonly counters: HealCounters = noCounts();
  readonly #env: Env;
  readonly #options: HealingOptions;
  readonly #hints: HintStore;
  readonly #repairs: RepairStore;
  readonly #monitor: FaultMonitor;
  readonly #copies: TableCopies;
  readonly #repairer: Repairer;
  readonly #repairKeeper: RepairKeeper;
  readonly #scrubber: Scrubber;
  #context: HealingContext | undefined;
  #forwarder: HintForwarder | undefined;
  #scheduler: HealScheduler | undefined;
  #keeper: HintKeeper | undefined;
  #lead: { readonly leader: NodeId; readonly term: Term } = { leader: 0, term: 0 };
  readonly #token = { cancelled: false };

  constructor(env: Env, options: HealingOptions = {}) {
    this.#env = env;
    this.#options = options;
    const hints = new HintStore(env);
    const repairs = new RepairStore(env, options);
    this.#hints = hints;
    this.#repairs = repairs;
    const fetcher = (): HealingContext['fetcher'] => this.#attached().fetcher;
    const peers = (): readonly NodeId[] => this.#context?.membership.peers ?? [];
    this.#copies = new TableCopies({ env, repairs, fetcher, peers, token: this.#token, made: () => this.durableMoved() });
    const forget = (table: TableId): void => this.#attached().tables.forget(table);
    this.#repairer = new Repairer({
      env, counters: this.counters, repairs, copies: this.#copies, fetcher, peers, forget,
      find: (table) => this.#find(table),
      missing: (meta) => this.#confirmed(meta, 'missing', undefined, true),
      changed: () => this.#repairKeeper.kick(),
    });
    const confirmed = this.#confirmed.bind(this);
    this.#repairKeeper = new RepairKeeper({
      env, hints, repairs, repairer: this.#repairer, copies: this.#copies,
      versions: () => this.#versions(), local: () => this.#local(), sinks: { confirmed },
    });
    this.#monitor = new FaultMonitor(env, this.counters, {
      confirmed,
      known: (meta, kind, offset) => this.#known(meta, kind, offset),
      wanted: (meta, offset) => this.#wanted(meta, offset),
      verify: (meta) => this.#copies.verify(meta, tablePath(meta.id)),
      repaired: (meta, offset) => this.#repairs.get(meta.fileDigest, offset),
    });
    this.faults = {
      corrected: (meta, region, how) => this.#monitor.corrected(meta, region, how),
      unreadable: (meta, region, why) => {
        this.#repairer.saw(meta);
        this.#monitor.unreadable(meta, region, why);
      },
      patch: (meta, offset) => this.#monitor.patch(meta, offset),
    };
    this.#scrubber = new Scrubber({
      env, hints, copies: this.#copies, tables: () => this.#attached().tables, local: () => this.#local(), sinks: { confirmed },
    });
  }

  async attach(context: HealingContext): Promise<void> {
    this.#context = context;
    const { counters } = this;
    const [env, hints, copies] = [this.#env, this.#hints, this.#copies];
    const { maxHeals, pollMs, proposalTimeoutMs, resendMs } = this.#options;
    await Promise.all([hints.load(context.membership.self), this.#repairs.load(), copies.sweep()]);
    const scheduler = new HealScheduler({
      env, context, counters, hints, copies,
      repair: (meta, block) => this.#repairer.repairBlock(meta, block),
      ...(maxHeals === undefined ? {} : { maxHeals }),
      ...(pollMs === undefined ? {} : { pollMs }),
      ...(proposalTimeoutMs === undefined ? {} : { proposalTimeoutMs }),
    });
    const forwarder = new HintForwarder({
      env, context, counters,
      hints: () => hints.all().map((open) => open.hint),
      accept: (from, batch) => scheduler.accept(from, batch),
      ...(resendMs === undefined ? {} : { resendMs }),
    });
    this.#scheduler = scheduler;
    this.#forwarder = forwarder;
    const changed = (): void => {
      forwarder.kick();
      this.#repairKeeper.kick();
    };
    this.#keeper = new HintKeeper({ env, context, hints, copies, changed });
    this.#monitor.start(context.tables);
    context.leadership.subscribe(({ leader, term }) => this.#leaderChanged(leader, term));
    forwarder.kick();
    this.durableMoved();
  }

  async repair(error: StorageError): Promise<void> {
    await this.#repairer.repair(error);
  }

  async materializeHeal(removed: TableMeta, added: TableMeta): Promise<'relink' | 'rewrite' | 'fetch'> {
    const { tables } = this.#attached();
    const parts = { env: this.#env, hints: this.#hints, copies: this.#copies, forget: (table: TableId) => tables.forget(table) };
    const how = await materializeHeal(parts, removed, added);
    if (how !== 'relink') this.#keeper?.proven(added.id);
    return how;
  }

  healEditApplied(removed: TableId, added: TableMeta | undefined, index: LogIndex): void {
    this.#scheduler?.editApplied(removed, added, index);
  }

  durableMoved(): void {
    void this.settled();
  }

  /** Resolves when all that the durable manifest's present state decides about hints and repairs is done. */
  async settled(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper === undefined || this.#token.cancelled) return;
    if (this.#hints.size > 0) await keeper.settle();
    if (this.#token.cancelled) return;
    if (!this.#copies.empty) {
      const tables = this.#versions();
      await this.#copies.retain((table) => tables.has(table));
    }
    if (!this.#repairKeeper.idle) await this.#repairKeeper.settle();
  }

  #leaderChanged(leader: NodeId, term: Term): void {
    if (leader === this.#lead.leader && term === this.#lead.term) return;
    this.#lead = { leader, term };
    this.#scheduler?.reset();
    if (leader !== 0) this.#forwarder?.leaderChanged();
  }

  async onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    if (method !== HEAL_HINTS_METHOD) throw new CodecError(`no such call: ${method}`);
    const hints = decodeHintsRequest(request);
    const context = this.#context;
    const leads = context !== undefined && context.leadership.leader === context.membership.self && this.#scheduler !== undefined;
    if (leads) this.#scheduler?.accept(from, hints);
    return Promise.resolve(encodeHintsAck({ leads }));
  }

  blocked(table: TableId): boolean {
    return this.#repairer.lost(table);
  }

  /** A block of some table is lost for now: no good copy could be reached. */
  suspicious(): boolean {
    return this.#repairer.anyLost;
  }

  /** What this node knows: its own open hints, and if it leads, all that are in its queue. */
  hints(): HintStatus[] {
    const queued = this.#scheduler?.statuses() ?? [];
    const inQueue = new Set(queued.map((hint) => `${hint.tableId}-${hint.node}`));
    const own = this.#hints.all().map(({ hint }): HintStatus => {
      const { tableId, kind, node, offsets } = hint;
      return { tableId, kind, node, state: 'open', offsets };
    });
    return [...queued, ...own.filter((hint) => !inQueue.has(`${hint.tableId}-${hint.node}`))];
  }

  /** Every hint is durable at this moment: for who watches a node. */
  get hintsSaved(): boolean {
    return this.#hints.saved;
  }

  scrub(onProgress: (status: ScrubStatus) => void, options: ScrubOptions = {}): Promise<ScrubReport> {
    this.#attached();
    return this.#scrubber.scrub(onProgress, options);
  }

  scrubStatus(): ScrubStatus {
    return this.#scrubber.status();
  }

  /** Resolves when no fault waits to be confirmed; true if every hint is durable. */
  async quiet(): Promise<boolean> {
    await this.#monitor.idle();
    return this.#hints.durable();
  }

  async stop(): Promise<void> {
    this.#token.cancelled = true;
    this.#monitor.stop();
    this.#forwarder?.stop();
    this.#scheduler?.stop();
    this.#keeper?.stop();
    this.#repairKeeper.stop();
    this.#scrubber.stop();
    await this.#hints.durable();
    this.#hints.stop();
  }

  #attached(): HealingContext {
    return must(this.#context, 'healing is attached before it is used');
  }

  #confirmed(meta: TableMeta, kind: HintKind, offsets: readonly number[] | undefined, pastCache: boolean): void {
    // A table that only a reader or a snapshot transfer still holds goes by itself: there is nothing to heal.
    if (this.#find(meta.id) === undefined) return;
    const node = this.#attached().membership.self;
    if (!this.#hints.add(hintOf(meta, node, kind, offsets, pastCache))) return;
    this.#env.events.emit({ type: 'hint', table: meta.id, node, kind, state: 'open' });
    void this.#hints.durable().then(() => this.#forwarder?.kick());
  }

  #known(meta: TableMeta, kind: HintKind, offset: number): boolean {
    const hint = this.#hints.get(meta.id)?.hint;
    if (hint === undefined || severity(hint.kind) < severity(kind)) return false;
    return hint.offsets === undefined || hint.offsets.includes(offset);
  }

  /** The read that fails names the digest that the block must have. */
  #wanted(meta: TableMeta, offset: number): void {
    try {
      this.#attached().tables.reader(meta).readPayload(offset);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#repairer.repair(error).catch((why: unknown) => {
        if (codeOf(why) === undefined) throw why;
      });
    }
  }

  #versions(): Map<TableId, TableMeta> {
    const { tree } = this.#attached();
    return new Map([...tree.durable.tables(), ...tree.materialized.tables(), ...tree.latest.tables()]);
  }

  #find(table: TableId): TableMeta | undefined {
    return this.#versions().get(table);
  }

  #local(): TableMeta[] {
    const { tree } = this.#attached();
    return [...new Map([...tree.materialized.tables(), ...tree.durable.tables()]).values()];
  }
}
