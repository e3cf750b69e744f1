/**
 * Is there an order of the operations that respects real time and that the model accepts? The
 * search of Wing and Gong with Lowe's memory of (set of operations done, state). Intervals are
 * closed: equal times count as concurrent. It succeeds when every operation that returned is
 * placed; one that never returned may stay out. Its cost grows with the concurrency on one object,
 * so histories are split by key first.
 */

import { assert, must } from '../base/assert.js';
import { ILLEGAL, type Interval, type Model, type SearchLimits, type Verdict } from './model.js';

interface Remembered {
  readonly state: number;
  readonly low: number;
  readonly words: Uint32Array;
  readonly open: Uint32Array;
  readonly next: Remembered | undefined;
}

/**
 * The set of operations already placed. Operations that returned come in the order of their calls,
 * so the set is ones, then a short ragged window, then zeros: only the window is remembered. Those
 * that never returned have words of their own.
 */
class PlacedSet {
  readonly #closed: Uint32Array;
  readonly #open: Uint32Array;
  readonly #zobrist: Uint32Array;
  readonly #memo = new Map<number, Remembered>();
  #hashA = 0;
  #hashB = 0;
  #low = 0;
  #high = -1;
  #remembered = 0;

  constructor(closed: number, open: number) {
    this.#closed = new Uint32Array((closed + 31) >>> 5);
    this.#open = new Uint32Array((open + 31) >>> 5);
    this.#zobrist = new Uint32Array(2 * (closed + open));
    let x = 0x9e3779b9;
    for (let i = 0; i < this.#zobrist.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      this.#zobrist[i] = Math.imul(x, 0x85ebca6b) ^ (x >>> 15);
    }
  }

  get remembered(): number {
    return this.#remembered;
  }

  get high(): number {
    return this.#high;
  }

  #flip(id: number): void {
    this.#hashA ^= this.#zobrist[2 * id] as number;
    this.#hashB ^= this.#zobrist[2 * id + 1] as number;
  }

  /** `slot` is the position among its kind; `id` is unique among both kinds. */
  add(id: number, slot: number, open: boolean): void {
    this.#flip(id);
    const words = open ? this.#open : this.#closed;
    words[slot >>> 5] = (words[slot >>> 5] as number) | (1 << (slot & 31));
    if (open) return;
    if (slot > this.#high) this.#high = slot;
    while (this.#low < words.length && words[this.#low] === 0xffffffff) this.#low++;
  }

  /** Undoes the latest {@link add}; `high` is what it was before. */
  remove(id: number, slot: number, open: boolean, high: number): void {
    this.#flip(id);
    const words = open ? this.#open : this.#closed;
    words[slot >>> 5] = (words[slot >>> 5] as number) & ~(1 << (slot & 31));
    if (open) return;
    this.#high = high;
    if (slot >>> 5 < this.#low) this.#low = slot >>> 5;
  }

  /** False if this set was seen with this state before. */
  remember(state: number): boolean {
    const mixed = (this.#hashB ^ Math.imul(state + 1, 0x9e3779b1)) >>> 0;
    const key = (this.#hashA >>> 0) * 0x200000 + (mixed >>> 11);
    const first = this.#memo.get(key);
    for (let seen = first; seen !== undefined; seen = seen.next) if (this.#matches(seen, state)) return false;
    const end = (this.#high >>> 5) + 1;
    const words = this.#closed.slice(this.#low, this.#high < 0 ? this.#low : Math.max(end, this.#low));
    this.#memo.set(key, { state, low: this.#low, words, open: this.#open.slice(), next: first });
    this.#remembered++;
    return true;
  }

  #matches(seen: Remembered, state: number): boolean {
    if (seen.state !== state || seen.low !== this.#low) return false;
    for (let i = 0; i < seen.open.length; i++) if (seen.open[i] !== this.#open[i]) return false;
    const end = this.#high < 0 ? 0 : (this.#high >>> 5) + 1;
    if (Math.max(end, this.#low) - this.#low !== seen.words.length) return false;
    for (let i = 0; i < seen.words.length; i++) if (seen.words[i] !== this.#closed[this.#low + i]) return false;
    return true;
  }
}

interface Frame {
  readonly operation: number;
  readonly state: number;
  readonly high: number;
}

/**
 * Calls and returns in the order of time, as a doubly linked list from which placed operations are
 * lifted.
 */
class EventList {
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  /** Event number minus one -> operation, complemented for a return. */
  readonly #what: Int32Array;
  readonly #callAt: Int32Array;
  readonly #returnAt: Int32Array;

  constructor(history: readonly Interval<unknown>[]) {
    const n = history.length;
    const events: number[] = [];
    for (let i = 0; i < n; i++) {
      events.push(i);
      if (must(history[i], 'in range').ret !== Infinity) events.push(~i);
    }
    const timeOf = (e: number): number => (e >= 0 ? must(history[e], 'call').call : must(history[~e], 'return').ret);
    events.sort((a, b) => timeOf(a) - timeOf(b) || Number(a < 0) - Number(b < 0) || (a < 0 ? ~a - ~b : a - b));
    this.#what = Int32Array.from(events);
    this.#callAt = new Int32Array(n);
    this.#returnAt = new Int32Array(n);
    this.#next = new Int32Array(events.length + 2);
    this.#prev = new Int32Array(events.length + 2);
    for (let at = 0; at <= events.length; at++) {
      this.#next[at] = at + 1;
      this.#prev[at + 1] = at;
    }
    events.forEach((e, position) => {
      if (e >= 0) this.#callAt[e] = position + 1;
      else this.#returnAt[~e] = position + 1;
    });
  }

  /** Operations in the order of their calls. */
  calls(): number[] {
    return [...this.#what].filter((e) => e >= 0);
  }

  first(): number {
    return this.#next[0] as number;
  }

  after(event: number): number {
    return this.#next[event] as number;
  }

  afterCallOf(operation: number): number {
    return this.after(this.#callAt[operation] as number);
  }

  /** The operation whose call this is; complemented: the one that returns here. */
  at(event: number): number {
    return this.#what[event - 1] as number;
  }

  #unlink(event: number): void {
    const before = this.#prev[event] as number;
    const after = this.#next[event] as number;
    this.#next[before] = after;
    this.#prev[after] = before;
  }

  #relink(event: number): void {
    this.#next[this.#prev[event] as number] = event;
    this.#prev[this.#next[event] as number] = event;
  }

  lift(operation: number): void {
    this.#unlink(this.#callAt[operation] as number);
    const returns = this.#returnAt[operation] as number;
    if (returns !== 0) this.#unlink(returns);
  }

  unlift(operation: number): void {
    const returns = this.#returnAt[operation] as number;
    if (returns !== 0) this.#relink(returns);
    this.#relink(this.#callAt[operation] as number);
  }
}

const STEPS_BETWEEN_CLOCK_READS = 4096;

/** Searches for a linearization of one object's history. */
export function searchLinearization<Op>(
  history: readonly Interval<Op>[],
  model: Model<Op>,
  limits: SearchLimits,
): Verdict {
  return new Search(history, model).run(limits);
}

class Search<Op> {
  readonly #history: readonly Interval<Op>[];
  readonly #model: Model<Op>;
  readonly #events: EventList;
  readonly #isOpen: Uint8Array;
  readonly #slot: Int32Array;
  readonly #placed: PlacedSet;
  readonly #stack: Frame[] = [];
  #state: number;
  #left = 0;
  #fewestLeft = Infinity;
  #stuckAt: number[] = [];

  constructor(history: readonly Interval<Op>[], model: Model<Op>) {
    this.#history = history;
    this.#model = model;
    this.#state = model.initial;
    this.#events = new EventList(history);
    this.#isOpen = new Uint8Array(history.length);
    this.#slot = new Int32Array(history.length);
    let open = 0;
    for (const i of this.#events.calls()) {
      const { call, ret } = must(history[i], 'in range');
      assert(ret >= call, `operation ${i} returns before it is called`);
      this.#isOpen[i] = ret === Infinity ? 1 : 0;
      this.#slot[i] = ret === Infinity ? open++ : this.#left++;
    }
    this.#placed = new PlacedSet(this.#left, open);
  }

  run(limits: SearchLimits): Verdict {
    const deadline = limits.now() + limits.timeMs;
    let event = this.#events.first();
    for (let steps = 1; this.#left > 0; steps++) {
      if (steps % STEPS_BETWEEN_CLOCK_READS === 0) {
        if (limits.now() > deadline) return { kind: 'unknown', reason: `no answer within ${limits.timeMs} ms` };
        if (this.#placed.remembered > limits.memo) return { kind: 'unknown', reason: `more than ${limits.memo} states` };
      }
      const what = this.#events.at(event);
      if (what >= 0) {
        event = this.#place(what) ? this.#events.first() : this.#events.after(event);
        continue;
      }
      this.#noteStuck(~what);
      const frame = this.#stack.pop();
      if (frame === undefined) {
        const reason = `no order explains operation ${this.#stuckAt.join(', ')}`;
        return { kind: 'illegal', reason, stuck: this.#stuckAt };
      }
      this.#undo(frame);
      event = this.#events.afterCallOf(frame.operation);
    }
    return { kind: 'ok' };
  }

  #place(operation: number): boolean {
    const open = this.#isOpen[operation] === 1;
    const { op } = must(this.#history[operation], 'in range');
    const after = this.#model.step(this.#state, op, !open);
    if (after === ILLEGAL || (open && after === this.#state)) return false;
    const high = this.#placed.high;
    const slot = this.#slot[operation] as number;
    this.#placed.add(operation, slot, open);
    if (!this.#placed.remember(after)) {
      this.#placed.remove(operation, slot, open, high);
      return false;
    }
    this.#stack.push({ operation, state: this.#state, high });
    this.#state = after;
    this.#events.lift(operation);
    if (!open) this.#left--;
    return true;
  }

  #undo(frame: Frame): void {
    const open = this.#isOpen[frame.operation] === 1;
    this.#placed.remove(frame.operation, this.#slot[frame.operation] as number, open, frame.high);
    this.#events.unlift(frame.operation);
    this.#state = frame.state;
    if (!open) this.#left++;
  }

  #noteStuck(operation: number): void {
    if (this.#left > this.#fewestLeft) return;
    if (this.#left < this.#fewestLeft) this.#stuckAt = [];
    this.#fewestLeft = this.#left;
    if (this.#stuckAt.length < 8 && !this.#stuckAt.includes(operation)) this.#stuckAt.push(operation);
  }
}
