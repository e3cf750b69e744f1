/**
 * Deadlines of all calls of a server, in one timer.
 *
 * A timing wheel (Varghese and Lauck, 1987, scheme 6): time is cut into ticks, each slot of the
 * wheel holds the entries of every tick that falls on it, as a linked list through the entries
 * themselves. To add and to remove costs a few assignments, because most calls are over long before
 * their deadline. The timer is set to the next slot that holds something, and left alone when that
 * empties.
 *
 * An entry is told at most once each time it was added, never early, and late by less than a tick
 * plus the lateness of the clock's timer.
 */

import { assert } from '../base/assert.js';
import type { Clock, Timer } from '../base/env.js';

const TICK_MS = 4;
const SLOTS = 1024;
/** The list of what is being told; beside the slots so that it, too, can be removed. */
const DUE = SLOTS;
const NOWHERE = -1;
/** A timer of Node's goes off at once if it is set to more. */
const LONGEST_MS = 2 ** 31 - 1;

/** Something that has a deadline, in the wheel or not. */
export abstract class Expiring {
  /** For {@link Deadlines} alone. */
  slot = NOWHERE;
  tick = 0;
  next: Expiring | undefined = undefined;
  previous: Expiring | undefined = undefined;

  /** The deadline has passed; the entry is out of the wheel. */
  abstract expired(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #slots: (Expiring | undefined)[] = new Array<Expiring | undefined>(SLOTS + 1).fill(undefined);
  #count = 0;
  /** Every entry up to this tick has been told. */
  #swept: number;
  #timer: Timer | undefined = undefined;
  #timerTick = Infinity;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#swept = Math.floor(clock.now() / TICK_MS);
  }

  /** Entries that wait. */
  get size(): number {
    return this.#count;
  }

  /** `at`: in milliseconds of the clock; now or earlier is told at the next tick. */
  add(entry: Expiring, at: number): void {
    assert(entry.slot === NOWHERE, 'an entry has one deadline');
    const tick = Math.max(Math.ceil(at / TICK_MS), this.#swept + 1);
    entry.tick = tick;
    this.#link(entry, tick % SLOTS);
    this.#count++;
    if (tick < this.#timerTick) this.#arm(tick);
  }

  /** Does nothing for an entry that is not in the wheel. */
  remove(entry: Expiring): void {
    if (entry.slot === NOWHERE) return;
    this.#unlink(entry);
    this.#count--;
  }

  /** No entry is told any more. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #link(entry: Expiring, slot: number): void {
    const head = this.#slots[slot];
    entry.slot = slot;
    entry.previous = undefined;
    entry.next = head;
    if (head !== undefined) head.previous = entry;
    this.#slots[slot] = entry;
  }

  #unlink(entry: Expiring): void {
    const { previous, next } = entry;
    if (previous === undefined) this.#slots[entry.slot] = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    entry.slot = NOWHERE;
    entry.previous = undefined;
    entry.next = undefined;
  }

  #arm(tick: number): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timerTick = tick;
    const delayMs = Math.max(0, tick * TICK_MS - this.#clock.now());
    this.#timer = this.#clock.setTimer(Math.min(delayMs, LONGEST_MS), this.#fire);
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    // While entries are told, what is added waits for the timer that is set below.
    this.#timerTick = -Infinity;
    const tick = Math.floor(this.#clock.now() / TICK_MS);
    const last = Math.min(tick, this.#swept + SLOTS);
    for (let at = this.#swept + 1; at <= last; at++) this.#gather(at % SLOTS, tick);
    this.#swept = Math.max(this.#swept, tick);
    // One that is told may remove others that are due.
    for (let entry = this.#slots[DUE]; entry !== undefined; entry = this.#slots[DUE]) {
      this.remove(entry);
      entry.expired();
    }
    this.#timerTick = Infinity;
    this.#armNext();
  };

  #gather(slot: number, tick: number): void {
    let entry = this.#slots[slot];
    while (entry !== undefined) {
      const { next } = entry;
      if (entry.tick <= tick) {
        this.#unlink(entry);
        this.#link(entry, DUE);
      }
      entry = next;
    }
  }

  /** Sets the timer to the next slot that holds something, in this turn of the wheel or a later. */
  #armNext(): void {
    if (this.#count === 0) return;
    for (let ahead = 1; ahead <= SLOTS; ahead++) {
      if (this.#slots[(this.#swept + ahead) % SLOTS] !== undefined) {
        this.#arm(this.#swept + ahead);
        return;
      }
    }
    assert(false, 'what is counted lies in a slot');
  }
}
