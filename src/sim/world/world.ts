/**
 * Virtual time. Everything in a run is an event at a microsecond; events of one microsecond run in
 * the order in which they were scheduled. Between two events all promise callbacks that are due run
 * to their end (the pump sees to that), so that one event is one turn of an event loop. The world
 * knows no clock and no chance but its own: a seed is a run.
 *
 * A process is a node's event loop: while it is stalled (a slow synchronous call, a pause) its
 * events wait, in order; once it is dead they never run.
 */

import { assert } from '../../base/assert.js';
import type { Timer } from '../../base/env.js';
import { Stream } from './random.js';
import { Trace } from './trace.js';

/** One life of a node, from its start to its crash. */
export interface Process {
  /** 0 for what belongs to no node. */
  readonly node: number;
  alive: boolean;
  /** Its event loop does nothing before this time. Infinity: paused. */
  stalledUntilUs: number;
}

/**
 * Calls `step` again and again, letting all promise callbacks that are due run between two calls,
 * until it returns false. The shell has it: only a host's event loop can tell when no promise
 * callback is left.
 */
export type Pump = (step: () => boolean) => Promise<void>;

/** Its own timer: some hundred thousand are made in a run. */
class Event implements Timer {
  atUs: number;
  seq: number;
  readonly process: Process | undefined;
  fn: (() => void) | undefined;

  constructor(atUs: number, seq: number, process: Process | undefined, fn: () => void) {
    this.atUs = atUs;
    this.seq = seq;
    this.process = process;
    this.fn = fn;
  }

  cancel(): void {
    this.fn = undefined;
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly trace?: Trace;
  /** An event threw: a real process would have died of it. Default: rethrown. */
  readonly onThrow?: (process: Process | undefined, error: unknown) => void;
}

/** So many events are a run that goes in circles. */
const MAX_EVENTS = 20_000_000;

export class World {
  readonly seed: number;
  readonly trace: Trace;
  readonly #onThrow: (process: Process | undefined, error: unknown) => void;
  readonly #heap: Event[] = [];
  readonly #parked = new Map<Process, Event[]>();
  #nowUs = 0;
  #seq = 0;
  #events = 0;
  #running: Process | undefined;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.trace = options.trace ?? new Trace();
    this.#onThrow = options.onThrow ?? ((_, error) => {
      throw error;
    });
  }

  /** Microseconds since the start of the run. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** Whose event runs now. */
  get running(): Process | undefined {
    return this.#running;
  }

  /** An independent stream of chance; the same name gives the same stream from its start. */
  stream(name: string): Stream {
    return new Stream(this.seed, name);
  }

  /**
   * Calls `fn` once, `delayUs` (rounded down to whole microseconds) from now, unless `process` is
   * dead by then.
   */
  schedule(delayUs: number, fn: () => void, process?: Process): Timer {
    const event = new Event(this.#nowUs + Math.max(0, Math.floor(delayUs)), this.#seq++, process, fn);
    this.#push(event);
    return event;
  }

  /** Resolves `delayUs` from now; never if `process` is dead by then. */
  sleep(delayUs: number, process?: Process): Promise<void> {
    return new Promise((resolve) => void this.schedule(delayUs, resolve, process));
  }

  /** The running event of `process` took `costUs` of its event loop. */
  stall(process: Process, costUs: number): void {
    process.stalledUntilUs = Math.max(process.stalledUntilUs, this.#nowUs) + costUs;
  }

  /** Time as `process` sees it: a stall is felt at once. Microseconds. */
  timeOf(process: Process): number {
    return process.stalledUntilUs === Infinity ? this.#nowUs : Math.max(this.#nowUs, process.stalledUntilUs);
  }

  pause(process: Process): void {
    process.stalledUntilUs = Infinity;
  }

  resume(process: Process): void {
    if (process.stalledUntilUs !== Infinity) return;
    process.stalledUntilUs = this.#nowUs;
    const parked = this.#parked.get(process) ?? [];
    this.#parked.delete(process);
    for (const event of parked) {
      event.atUs = this.#nowUs;
      event.seq = this.#seq++;
      this.#push(event);
    }
  }

  /** What waited for a dead process is let go. */
  forget(process: Process): void {
    this.#parked.delete(process);
  }

  /** Runs until the time, or until `done` says so (it is asked after each event). */
  async run(pump: Pump, untilUs: number, done: () => boolean = () => false): Promise<void> {
    await pump(() => {
      const next = this.#heap[0];
      if (next === undefined || next.atUs > untilUs) {
        this.#nowUs = Math.max(this.#nowUs, untilUs);
        return false;
      }
      this.#step(next);
      return !done();
    });
  }

  #step(event: Event): void {
    this.#pop();
    const { process, fn } = event;
    if (fn === undefined || process?.alive === false) return;
    assert(event.atUs >= this.#nowUs, 'time does not go back');
    if (process !== undefined && process.stalledUntilUs > event.atUs) return this.#delay(event, process);
    this.#nowUs = event.atUs;
    assert(++this.#events <= MAX_EVENTS, `a run has at most ${MAX_EVENTS} events: this one goes in circles`);
    this.trace.fold(event.atUs, (process?.node ?? 0) + 1);
    this.#running = process;
    try {
      fn();
    } catch (error) {
      this.#onThrow(process, error);
    }
    this.#running = undefined;
  }

  #delay(event: Event, process: Process): void {
    if (process.stalledUntilUs === Infinity) {
      const parked = this.#parked.get(process);
      if (parked === undefined) this.#parked.set(process, [event]);
      else parked.push(event);
      return;
    }
    event.atUs = process.stalledUntilUs;
    event.seq = this.#seq++;
    this.#push(event);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as Event;
      if (!before(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq);
}
