/**
 * The parts of healing that need the replica they serve: made once, when the replica hands itself
 * over, and wired to each other through state. Each part reads what it needs (tables, hints, lost
 * blocks, who leads) at the moment of use, and subscribes to what it must act on.
 */

import { assert } from '../base/assert.js';
import type { Env } from '../base/env.js';
import type { NodeId, TableId, Term } from '../base/ids.js';
import type { HealingContext } from '../replica/hooks/healing-hooks.js';
import type { TableMeta } from '../storage/table/table-meta.js';
import { KnownTables } from './base/known-tables.js';
import type { Recent } from './base/recent.js';
import type { StopToken } from './base/stop-token.js';
import { FaultConfirmer } from './detect/fault-confirmer.js';
import type { FaultNotes } from './detect/fault-notes.js';
import { Scrubber } from './detect/scrubber.js';
import { HealScheduler, type SchedulerOptions } from './heal/heal-scheduler.js';
import { HintKeeper } from './heal/hint-keeper.js';
import { HintForwarder } from './hints/hint-forwarder.js';
import { HintRecorder } from './hints/hint-recorder.js';
import type { HintStore } from './hints/hint-store.js';
import { LostBlocks } from './repair/lost-blocks.js';
import { RepairKeeper } from './repair/repair-keeper.js';
import type { RepairStore } from './repair/repair-store.js';
import { Repairer } from './repair/repairer.js';
import { TableCopies } from './repair/table-copies.js';
import type { HealCounters } from './status/heal-counters.js';

/** Made before there is a replica: notes of faults, and kept repairs for readers. */
export interface EarlyParts {
  readonly env: Env;
  readonly counters: HealCounters;
  readonly hints: HintStore;
  readonly repairs: RepairStore;
  readonly seen: Recent<TableId, TableMeta>;
  readonly notes: FaultNotes;
  readonly token: StopToken;
}

export interface PartsOptions extends SchedulerOptions {
  /** How often open hints are sent again. Default 3 s. */
  readonly resendMs?: number;
}

export class HealingParts {
  readonly context: HealingContext;
  readonly known: KnownTables;
  readonly lost = new LostBlocks();
  readonly copies: TableCopies;
  readonly repairer: Repairer;
  readonly repairKeeper: RepairKeeper;
  readonly confirmer: FaultConfirmer;
  readonly scrubber: Scrubber;
  readonly scheduler: HealScheduler;
  readonly forwarder: HintForwarder;
  readonly keeper: HintKeeper;
  #lead: { readonly leader: NodeId; readonly term: Term } = { leader: 0, term: 0 };

  constructor(early: EarlyParts, context: HealingContext, options: PartsOptions) {
    const { env, counters, hints, repairs, seen, notes, token } = early;
    const { membership, tables } = context;
    const { lost } = this;
    const known = new KnownTables(context.tree);
    const recorder = new HintRecorder({ hints, known, membership });
    const copies = new TableCopies({ env, repairs, context, token });
    const repairer = new Repairer({ env, counters, repairs, lost, copies, known, seen, tables, recorder, context });
    this.context = context;
    this.known = known;
    this.copies = copies;
    this.repairer = repairer;
    this.confirmer = new FaultConfirmer({ env, counters, notes, hints, recorder, tables, copies, repairer });
    this.scrubber = new Scrubber({ env, context, hints, recorder, copies, tables, known, token });
    this.scheduler = new HealScheduler({ env, context, counters, hints, copies, repairer, token, options });
    const { resendMs } = options;
    this.forwarder = new HintForwarder({ env, context, counters, hints, receiver: this.scheduler, token, resendMs });
    this.repairKeeper = new RepairKeeper({ env, hints, repairs, lost, copies, known, recorder, token });
    this.keeper = new HintKeeper({ env, context, hints, copies, token });
  }

  /**
   * What this node kept is read: faults are confirmed, hints are sent, and whoever leads is
   * followed.
   */
  start(): void {
    this.confirmer.start();
    this.context.leadership.subscribe(({ leader, term }) => this.#leaderChanged(leader, term));
    this.forwarder.kick();
  }

  /** Cancels timers, and the round of hints on its way; everything else looks at the token. */
  stop(): void {
    this.forwarder.stop();
    this.scheduler.stop();
    this.repairKeeper.stop();
  }

  /** Called for changes of the role too, which mean nothing here. */
  #leaderChanged(leader: NodeId, term: Term): void {
    if (leader === this.#lead.leader && term === this.#lead.term) return;
    assert(term >= this.#lead.term, `R1 terms only grow: ${term} after ${this.#lead.term}`);
    this.#lead = { leader, term };
    this.scheduler.reset();
    if (leader !== 0) this.forwarder.leaderChanged();
  }
}
