/**
 * How much of whole tables a member sends, and how much it takes in, in a second: as much as it is
 * told to at most, and less while its disk, its event loop or the machine's processors show that
 * they have too much to do. Neither by a number of milliseconds that would be wrong for every disk
 * but one: the log's syncs are held against those of before, while nothing was moved. It falls by a
 * factor, from what was moved if that was less, to the floor at once when a sync does not return,
 * as where tables fill what the disk has of queues, and rises by a smaller one, between the limit
 * and a floor that is left to a transfer whatever happens: one that is overtaken by what is written
 * meanwhile never ends.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Clock } from '../../base/env.js';
import { ByteRate } from './byte-rate.js';

/** Of the log's writes; the first two only grow, or begin anew. */
export interface DiskTimes {
  readonly syncs: number;
  readonly syncsMs: number;
  /** Of the one in flight, so far; 0: there is none. */
  readonly inFlightMs: number;
}

/** The rate is looked at so often. */
const WINDOW_MS = 500;
/** Timers that are later than this on average keep heartbeats and requests waiting. */
const LATE_MS = 20;
/**
 * Idle processors. With fewer, who wants one waits for milliseconds each time, and a request has
 * several such waits: other members and clients may be on the same machine.
 */
const CROWDED = 0.25;
/** Syncs that take so many times as long as before, and longer by at least so much. */
const SLOWER = 2;
const SLOWER_BY_MS = 5;
/** One in flight for so many times as long, and for so long: what is moved has filled the disk. */
const STALLED = 8;
const STALLED_MS = 100;
const FALL = 0.7;
/** From the floor to the limit in eight seconds. */
const RISE = 1.2;
/** Of the limit; and no answer may be later than its asker waits for it (`table-fetcher.ts`). */
const FLOOR_SHARE = 16;
const FLOOR_BYTES = 4 * MiB;
/** Of a new window in what is remembered of those before. */
const WEIGHT = 1 / 8;

export class TransferPace {
  /** What is sent, and what is taken in. */
  readonly out: ByteRate;
  readonly in: ByteRate;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #limit: number;
  readonly #floor: number;
  #rate: number;
  /** Milliseconds of a sync while nothing was moved, or the quickest since; undefined: none yet. */
  #quietMs: number | undefined;
  #since: number;
  #looks = 0;
  #lateMs = 0;
  /** Until the window began. */
  #moved = { out: 0, in: 0 };
  #seen = { syncs: 0, syncsMs: 0 };

  /** `limit`: bytes per second. */
  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = this.#rate = limit;
    this.#floor = Math.min(limit, Math.max(FLOOR_BYTES, limit / FLOOR_SHARE));
    this.out = new ByteRate(clock, limit);
    this.in = new ByteRate(clock, limit);
    this.#since = clock.now();
  }

  get bytesPerSecond(): number {
    return Math.round(this.#rate);
  }

  /**
   * Now and then. `lateMs`: how much later than it was due the caller's timer went off; `idle`:
   * processors, as in `Workers`; asked only while something is moved.
   */
  look(lateMs: number, disk: DiskTimes, idle?: () => number | undefined): void {
    this.#looks++;
    this.#lateMs += Math.max(0, lateMs);
    if (this.#isStalled(disk.inFlightMs)) this.#change(this.#floor);
    const now = this.#clock.now();
    const tookMs = now - this.#since;
    if (tookMs < WINDOW_MS) return;
    const isMoving = this.#isMoving;
    const isLate = this.#lateMs / this.#looks >= LATE_MS;
    const isCrowded = isMoving && (idle?.() ?? Infinity) < CROWDED;
    const syncMs = this.#takeSyncMs(disk);
    const isSlow = this.#isSlow(syncMs);
    this.#learn(syncMs, isMoving);
    const moved = Math.max(this.out.taken - this.#moved.out, this.in.taken - this.#moved.in) * (1_000 / tookMs);
    this.#moved = { out: this.out.taken, in: this.in.taken };
    this.#since = now;
    this.#looks = this.#lateMs = 0;
    const tooMuch = isMoving && (isLate || isSlow || isCrowded);
    this.#change(tooMuch ? Math.min(this.#rate, moved) * FALL : this.#rate * RISE);
  }

  #change(to: number): void {
    this.#rate = Math.min(this.#limit, Math.max(this.#floor, to));
    assert(this.#rate >= this.#floor && this.#floor > 0, `C1 a transfer always goes on, at ${this.#rate} bytes a second`);
    for (const rate of [this.out, this.in]) rate.change(this.#rate);
  }

  /** On average since it was last asked for; one that has not returned counts if it is slower. */
  #takeSyncMs({ syncs, syncsMs, inFlightMs }: DiskTimes): number | undefined {
    const before = syncs < this.#seen.syncs ? { syncs: 0, syncsMs: 0 } : this.#seen;
    this.#seen = { syncs, syncsMs };
    const mean = syncs > before.syncs ? (syncsMs - before.syncsMs) / (syncs - before.syncs) : 0;
    const ms = Math.max(mean, inFlightMs);
    return ms > 0 ? ms : undefined;
  }

  /** In this window. */
  get #isMoving(): boolean {
    return this.out.taken > this.#moved.out || this.in.taken > this.#moved.in;
  }

  #isStalled(ms: number): boolean {
    return this.#isMoving && this.#quietMs !== undefined && ms >= STALLED * this.#quietMs && ms >= STALLED_MS;
  }

  #isSlow(ms: number | undefined): boolean {
    const quiet = this.#quietMs;
    return ms !== undefined && quiet !== undefined && ms >= SLOWER * quiet && ms >= quiet + SLOWER_BY_MS;
  }

  #learn(ms: number | undefined, isMoving: boolean): void {
    if (ms === undefined) return;
    const quiet = this.#quietMs ?? ms;
    // A stall is no measure of what is usual.
    this.#quietMs = isMoving ? Math.min(quiet, ms) : quiet + (Math.min(ms, SLOWER * quiet) - quiet) * WEIGHT;
  }
}
