/**
 * The oldest changes of a stretch of history, as many as fit, from a walk that gives them in no
 * order: while it is filled its upper end comes down, so that memory is bounded whatever the
 * stretch. What it holds at the end is whole: every change from its beginning to where it reaches,
 * each once, in order.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { HistorySink } from '../../storage/base/history-sink.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import type { Pace } from '../kv/pace.js';
import { sortSliced } from '../kv/sort.js';
import { ChangeBuffer } from './change-buffer.js';

export const WINDOW_BYTES = 4 * MiB;

/** A place in history: before the change `sub` of `revision`. Changes are numbered from 0. */
export interface Place {
  readonly revision: Revision;
  readonly sub: number;
}

export function comparePlaces(a: Place, b: Place): number {
  return a.revision - b.revision || a.sub - b.sub;
}

export interface HistoryPart {
  /** In order. */
  readonly changes: Pick<ChangeBuffer, 'length' | 'bytes' | 'revisionAt' | 'slice'>;
  /** All before it is here. Within a revision (sub > 0) only if one alone does not fit. */
  readonly end: Place;
}

export class HistoryWindow implements HistorySink {
  readonly #from: Place;
  readonly #bytesMax: number;
  #end: Place;
  #changes = new ChangeBuffer();

  /** From `from` up to the revision `max`, inclusive. */
  constructor(from: Place, max: Revision, bytesMax = WINDOW_BYTES) {
    assert(from.revision <= max, `W1 history is read from ${from.revision} on, and ends at ${max}`);
    this.#from = from;
    this.#end = { revision: max + 1, sub: 0 };
    this.#bytesMax = bytesMax;
  }

  get min(): Revision {
    return this.#from.revision;
  }

  get max(): Revision {
    const { revision, sub } = this.#end;
    return sub === 0 ? revision - 1 : revision;
  }

  /** Of memory: the walk is cut down by `trim` when there is twice what fits. */
  get overfull(): boolean {
    return this.#changes.bytes > 2 * this.#bytesMax;
  }

  add(slot: VersionSlot): void {
    if (comparePlaces(slot, this.#from) >= 0 && comparePlaces(slot, this.#end) < 0) this.#changes.push(slot);
  }

  /** Lets go what does not fit, the newest first. Between two steps of the walk. */
  *trim(pace: Pace): Generator<void, void> {
    const changes = this.#changes;
    const order = yield* this.#order(pace);
    let bytes = 0;
    let fit = 0;
    for (; fit < order.length; fit++) {
      const more = changes.bytesAt(order[fit] as number);
      if (fit > 0 && bytes + more > this.#bytesMax) break;
      bytes += more;
    }
    const cut = order[fit];
    if (cut !== undefined) {
      const revision = changes.revisionAt(cut);
      // A revision stays whole, unless it is the first one.
      let keep = fit;
      while (keep > 0 && changes.revisionAt(order[keep - 1] as number) === revision) keep--;
      this.#end = { revision, sub: keep === 0 ? changes.subAt(cut) : 0 };
      order.length = keep === 0 ? fit : keep;
    }
    this.#changes = yield* inOrder(changes, order, pace);
    assert(comparePlaces(this.#end, this.#from) > 0, 'W1 a part of history holds a change, or all there is');
  }

  /** Once the walk is at its end. */
  *take(pace: Pace): Generator<void, HistoryPart> {
    if (this.#changes.bytes > this.#bytesMax) yield* this.trim(pace);
    else this.#changes = yield* inOrder(this.#changes, yield* this.#order(pace), pace);
    const changes = this.#changes;
    for (let i = 1; i < changes.length; i++) {
      assert(changes.compare(i - 1, i) < 0, 'W1 no change is read twice');
      if (pace.step()) yield;
    }
    return { changes, end: this.#end };
  }

  /** Of the changes, by their places. */
  *#order(pace: Pace): Generator<void, number[]> {
    const changes = this.#changes;
    const order: number[] = [];
    for (let i = 0; i < changes.length; i++) order.push(i);
    return yield* sortSliced(order, (a, b) => changes.compare(a, b), pace);
  }
}

function* inOrder(changes: ChangeBuffer, order: readonly number[], pace: Pace): Generator<void, ChangeBuffer> {
  const ordered = new ChangeBuffer();
  for (const i of order) {
    ordered.append(changes, i);
    if (pace.step(changes.bytesAt(i))) yield;
  }
  return ordered;
}
