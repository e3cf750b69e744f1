/**
 * The leader's queue: what is faulty where, and how far its heal has come. States: pending, claimed (a good copy is
 * being made), proposed, backoff. It is memory only: a new leader's queue fills from the hints that their nodes send
 * again (H2 rests on those, never on this).
 *
 * H4 is kept by construction: a failure puts its own entry into backoff and touches no other.
 */

import type { Random } from '../../base/env.js';
import type { NodeId, TableId } from '../../base/ids.js';
import type { WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HintState, HintStatus } from '../status/hint-status.js';
import { mergeHints, severity, type Hint } from '../hints/hint.js';

export type QueueState = Exclude<HintState, 'open' | 'done'>;

export interface QueuedHeal {
  readonly tableId: TableId;
  /** By the node whose copy is bad. */
  readonly hints: ReadonlyMap<NodeId, Hint>;
  readonly state: QueueState;
  /** Failed heals so far. */
  readonly attempts: number;
  /** Order of arrival. */
  readonly arrival: number;
  /** backoff: when it may be claimed again. proposed: when the proposal counts as lost. */
  readonly due: number;
  /** backoff: the block that neither this node nor any peer that could be asked had, if it failed for that. */
  readonly lacks?: WantedBlock | undefined;
}

/** Tables in the queue; their nodes keep what does not fit and send it again. */
export const QUEUE_MAX = 4096;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 5 * 60_000;

/** Exponential with jitter: half to the whole of the step. */
export function backoffMs(attempts: number, random: Random): number {
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempts, 20));
  return step / 2 + (random.float() * step) / 2;
}

/** The worst that any node says of the table. */
export function worst(heal: QueuedHeal): number {
  let most = 0;
  for (const hint of heal.hints.values()) most = Math.max(most, severity(hint.kind));
  return most;
}

export class HealQueue {
  readonly #random: Random;
  readonly #heals = new Map<TableId, QueuedHeal>();
  readonly #subscribers: (() => void)[] = [];
  #arrivals = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#heals.size;
  }

  /** After each release of an entry, which is due at once then. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  get(table: TableId): QueuedHeal | undefined {
    return this.#heals.get(table);
  }

  all(): QueuedHeal[] {
    return [...this.#heals.values()];
  }

  /** Merges a hint in; false if there is no room. Hearing it again changes nothing. */
  accept(hint: Hint): boolean {
    const known = this.#heals.get(hint.tableId);
    if (known === undefined && this.#heals.size >= QUEUE_MAX) return false;
    const before = known?.hints.get(hint.node);
    const merged = before === undefined ? hint : mergeHints(before, hint);
    if (known !== undefined && merged === before) return true;
    const hints = new Map(known?.hints ?? []).set(hint.node, merged);
    const fresh = { tableId: hint.tableId, state: 'pending', attempts: 0, arrival: ++this.#arrivals, due: 0 } as const;
    this.#heals.set(hint.tableId, { ...(known ?? fresh), hints });
    return true;
  }

  claim(table: TableId): void {
    this.#set(table, { state: 'claimed', due: 0, lacks: undefined });
  }

  proposed(table: TableId, lostAt: number): void {
    this.#set(table, { state: 'proposed', due: lostAt });
  }

  /** Nothing is wrong with the heal itself (a plan took the table, the block it lacked is here): it is simply due again. */
  release(table: TableId): void {
    this.#set(table, { state: 'pending', due: 0, lacks: undefined });
    for (const subscriber of this.#subscribers) subscriber();
  }

  failed(table: TableId, now: number, lacks?: WantedBlock): void {
    const attempts = (this.#heals.get(table)?.attempts ?? 0) + 1;
    this.#set(table, { state: 'backoff', attempts, due: now + backoffMs(attempts - 1, this.#random), lacks });
  }

  /** Done, or gone from the version. */
  drop(table: TableId): boolean {
    return this.#heals.delete(table);
  }

  clear(): void {
    this.#heals.clear();
  }

  statuses(): HintStatus[] {
    return this.all().flatMap((heal) =>
      [...heal.hints.values()].map(({ tableId, kind, node, offsets }) => ({ tableId, kind, node, state: heal.state, offsets })),
    );
  }

  #set(table: TableId, change: Partial<QueuedHeal>): void {
    const known = this.#heals.get(table);
    if (known !== undefined) this.#heals.set(table, { ...known, ...change });
  }
}
