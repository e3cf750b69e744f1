/**
 * The leader's queue: what is faulty where, and how far its heal has come. It is memory only: a new
 * leader's queue fills from the hints that their nodes send again (H2 rests on those, never on
 * this).
 *
 *   pending    to be healed as soon as its turn comes
 *   claimed    a good copy is being made
 *   proposed   the heal edit is on its way through the log
 *   backoff    failed: it is tried again at `due`, or as soon as the block that it lacked can be
 *              had
 *   out        not in the queue: healed, gone from the version, or never heard of
 *
 * H4 is kept by construction: a failure puts its own entry into backoff and touches no other.
 */

import { assert, must } from '../../base/assert.js';
import type { Random } from '../../base/env.js';
import type { NodeId, TableId } from '../../base/ids.js';
import type { WantedBlock } from '../../replica/fetch/wanted-block.js';
import type { HintState, HintStatus } from '../status/hint-status.js';
import { mergeHints, severity, type Hint } from '../hints/hint.js';

type QueueState = Exclude<HintState, 'open' | 'done'>;

/**
 * The legal moves. Any state in the queue may go to backoff: a refusal may come late, for a
 * proposal that was already counted as lost.
 */
const MOVES: Readonly<Record<QueueState | 'out', readonly (QueueState | 'out')[]>> = {
  out: ['pending'],
  pending: ['claimed', 'backoff', 'out'],
  claimed: ['pending', 'proposed', 'backoff', 'out'],
  proposed: ['backoff', 'out'],
  backoff: ['pending', 'claimed', 'backoff', 'out'],
};

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
  /**
   * backoff: the block that neither this node nor any peer that could be asked had, if it failed
   * for that.
   */
  readonly lacks?: WantedBlock | undefined;
}

/** Tables in the queue; their nodes keep what does not fit and send it again. */
export const QUEUE_MAX = 4096;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 5 * 60_000;

/** Exponential with jitter: half to the whole of the step. */
export function backoffMs(attempts: number, random: Random): number {
  assert(attempts >= 0, `H4 ${attempts} attempts failed before`);
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(attempts, 20));
  const wait = step / 2 + (random.float() * step) / 2;
  assert(wait > 0 && wait <= BACKOFF_MAX_MS, `H4 a failed heal is tried again in ${wait} ms`);
  return wait;
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

  stateOf(table: TableId): QueueState | 'out' {
    return this.#heals.get(table)?.state ?? 'out';
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
    if (known === undefined) this.#checkMove(hint.tableId, 'pending');
    const fresh = { tableId: hint.tableId, state: 'pending', attempts: 0, arrival: ++this.#arrivals, due: 0 } as const;
    this.#heals.set(hint.tableId, { ...(known ?? fresh), hints });
    assert(this.#heals.size <= QUEUE_MAX, `H4 ${this.#heals.size} tables are in the queue`);
    return true;
  }

  /** Its heal begins. */
  claim(table: TableId, now: number): void {
    const { due } = this.#move(table, { state: 'claimed', due: 0, lacks: undefined });
    assert(due <= now, `H4 table ${table} is due at ${due}, and claimed at ${now}`);
  }

  proposed(table: TableId, lostAt: number): void {
    this.#move(table, { state: 'proposed', due: lostAt });
  }

  /**
   * Nothing is wrong with the heal itself (a plan took the table, the block it lacked is here): it
   * is simply due again.
   */
  release(table: TableId): void {
    this.#move(table, { state: 'pending', due: 0, lacks: undefined });
    for (const subscriber of this.#subscribers) subscriber();
  }

  /** An entry that left the queue meanwhile has nothing left to fail. */
  failed(table: TableId, now: number, lacks?: WantedBlock): void {
    const known = this.#heals.get(table);
    // Drawn even for an entry that is gone: a simulated run must draw the same numbers.
    const due = now + backoffMs(known?.attempts ?? 0, this.#random);
    if (known === undefined) return;
    assert(lacks === undefined || lacks.offset >= 0, `H4 table ${table} lacks a block at ${lacks?.offset}`);
    this.#move(table, { state: 'backoff', attempts: known.attempts + 1, due, lacks });
  }

  /** Done, or gone from the version. */
  drop(table: TableId): void {
    if (!this.#heals.has(table)) return;
    this.#checkMove(table, 'out');
    this.#heals.delete(table);
  }

  /** Another leader's, or another term's. */
  clear(): void {
    this.#heals.clear();
  }

  statuses(): HintStatus[] {
    return this.all().flatMap((heal) =>
      [...heal.hints.values()].map(({ tableId, kind, node, offsets }) => ({ tableId, kind, node, state: heal.state, offsets })),
    );
  }

  /** What the entry was before. */
  #move(table: TableId, change: Partial<QueuedHeal> & { readonly state: QueueState }): QueuedHeal {
    this.#checkMove(table, change.state);
    const before = must(this.#heals.get(table), `H4 table ${table} is in the queue`);
    const after = { ...before, ...change };
    this.#heals.set(table, after);
    assert(after.due === 0 || after.state === 'proposed' || after.state === 'backoff', `H4 table ${table} is ${after.state} and waits`);
    assert(after.lacks === undefined || after.state === 'backoff', `H4 table ${table} lacks a block and is ${after.state}`);
    return before;
  }

  #checkMove(table: TableId, to: QueueState | 'out'): void {
    const from = this.stateOf(table);
    assert(MOVES[from].includes(to), `H4 the heal of table ${table} is ${from}, and does not become ${to}`);
  }
}
