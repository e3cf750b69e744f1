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
import { userKeyOfPrefix } from '../../storage/base/key.js';
import type { VersionSlot } from '../../storage/base/version-slot.js';
import { KeyChange } from '../kv/key-change.js';
import type { Pace } from '../kv/pace.js';
import { sortSliced } from '../kv/sort.js';

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
  readonly changes: readonly KeyChange[];
  /** All before it is here. Within a revision (sub > 0) only if one alone does not fit. */
  readonly end: Place;
}

export class HistoryWindow implements HistorySink {
  readonly #from: Place;
  readonly #bytesMax: number;
  #end: Place;
  #changes: KeyChange[] = [];
  #bytes = 0;

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
    return this.#bytes > 2 * this.#bytesMax;
  }

  add(slot: VersionSlot): void {
    if (comparePlaces(slot, this.#from) < 0 || comparePlaces(slot, this.#end) >= 0) return;
    const key = userKeyOfPrefix(slot.keyBytes.slice(0, slot.keyEnd));
    const record = slot.valueBytes.slice(slot.valueAt, slot.valueEnd);
    const change = new KeyChange(key, slot.revision, slot.sub, slot.tombstone, record);
    this.#changes.push(change);
    this.#bytes += change.bytes;
  }

  /** Lets go what does not fit, the newest first. Between two steps of the walk. */
  *trim(pace: Pace): Generator<void, void> {
    const sorted = yield* sortSliced(this.#changes, comparePlaces, pace);
    let bytes = 0;
    let fit = 0;
    for (; fit < sorted.length; fit++) {
      const change = sorted[fit] as KeyChange;
      if (fit > 0 && bytes + change.bytes > this.#bytesMax) break;
      bytes += change.bytes;
    }
    const cut = sorted[fit];
    if (cut !== undefined) {
      // A revision stays whole, unless it is the first one.
      let keep = fit;
      while (keep > 0 && (sorted[keep - 1] as KeyChange).revision === cut.revision) keep--;
      if (keep === 0) this.#end = { revision: cut.revision, sub: cut.sub };
      else this.#end = { revision: cut.revision, sub: 0 };
      sorted.length = keep === 0 ? fit : keep;
      bytes = 0;
      for (const change of sorted) bytes += change.bytes;
    }
    this.#changes = sorted;
    this.#bytes = bytes;
    assert(comparePlaces(this.#end, this.#from) > 0, 'W1 a part of history holds a change, or all there is');
  }

  /** Once the walk is at its end. */
  *take(pace: Pace): Generator<void, HistoryPart> {
    if (this.#bytes > this.#bytesMax) yield* this.trim(pace);
    else this.#changes = yield* sortSliced(this.#changes, comparePlaces, pace);
    const changes = this.#changes;
    for (let i = 1; i < changes.length; i++) {
      assert(comparePlaces(changes[i - 1] as KeyChange, changes[i] as KeyChange) < 0, 'W1 no change is read twice');
    }
    return { changes, end: this.#end };
  }
}
