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
import { ChangeBuffer } from './change-buffer.js';
import { PlaceOrder } from './place-order.js';

export const WINDOW_BYTES = 4 * MiB;
/** Of a window, to be filled by what is expected: rarely too much of it is collected then. */
const FILL = 0.9;

/** A place in history: before the change `sub` of `revision`. Changes are numbered from 0. */
export interface Place {
  readonly revision: Revision;
  readonly sub: number;
}

export function comparePlaces(a: Place, b: Place): number {
  return a.revision - b.revision || a.sub - b.sub;
}

export interface HistoryPart {
  /** In order. They lie in the window's room: as long as no other window has that. */
  readonly changes: Pick<ChangeBuffer, 'length' | 'bytes' | 'revisionAt' | 'fill' | 'slice'>;
  /** All before it is here. Within a revision (sub > 0) only if one alone does not fit. */
  readonly end: Place;
}

/**
 * Where a window puts its changes. It is large, and one part of history follows the other: who
 * reads several gives it to one window after the other, and is done with each part before the next.
 */
export class WindowRoom {
  changes = new ChangeBuffer();
  spare = new ChangeBuffer();
  readonly order = new PlaceOrder();
  /** Bytes of changes for each revision of the last part; 0: it is not known. */
  #density = 0;

  /**
   * Revisions that are likely to fill a window: more of them would be collected only to be let go
   * again. Where there are fewer changes than before, a part holds less, and the next reaches
   * further.
   */
  reach(bytesMax: number): number {
    return this.#density === 0 ? Infinity : Math.max(1, Math.floor((FILL * bytesMax) / this.#density));
  }

  /** So many bytes were in so many revisions; 0: in a part of one. */
  learn(bytes: number, revisions: number): void {
    this.#density = revisions === 0 ? Infinity : bytes / revisions;
  }
}

export class HistoryWindow implements HistorySink {
  readonly #from: Place;
  readonly #bytesMax: number;
  readonly #room: WindowRoom;
  #end: Place;

  /** From `from` up to the revision `max`, inclusive, or as far as is likely to fit. */
  constructor(from: Place, max: Revision, bytesMax = WINDOW_BYTES, room = new WindowRoom()) {
    assert(from.revision <= max, `W1 history is read from ${from.revision} on, and ends at ${max}`);
    this.#from = from;
    this.#end = { revision: Math.min(max, from.revision + room.reach(bytesMax) - 1) + 1, sub: 0 };
    this.#bytesMax = bytesMax;
    this.#room = room;
    room.changes.clear();
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
    return this.#room.changes.bytes > 2 * this.#bytesMax;
  }

  add(slot: VersionSlot): void {
    if (comparePlaces(slot, this.#from) >= 0 && comparePlaces(slot, this.#end) < 0) this.#room.changes.push(slot);
  }

  /** Lets go what does not fit, the newest first. Between two steps of the walk. */
  *trim(pace: Pace): Generator<void, void> {
    const { changes, order } = this.#room;
    yield* order.sort(changes, pace);
    let bytes = 0;
    let fit = 0;
    for (; fit < changes.length; fit++) {
      const more = changes.bytesAt(order.at(fit));
      if (fit > 0 && bytes + more > this.#bytesMax) break;
      bytes += more;
    }
    let kept = fit;
    if (fit < changes.length) {
      const cut = order.at(fit);
      const revision = changes.revisionAt(cut);
      // A revision stays whole, unless it is the first one.
      let keep = fit;
      while (keep > 0 && changes.revisionAt(order.at(keep - 1)) === revision) keep--;
      this.#end = { revision, sub: keep === 0 ? changes.subAt(cut) : 0 };
      kept = keep === 0 ? fit : keep;
    }
    yield* this.#keep(kept, pace);
    assert(comparePlaces(this.#end, this.#from) > 0, 'W1 a part of history holds a change, or all there is');
  }

  /** Once the walk is at its end. */
  *take(pace: Pace): Generator<void, HistoryPart> {
    const { order } = this.#room;
    if (this.#room.changes.bytes > this.#bytesMax) yield* this.trim(pace);
    else {
      yield* order.sort(this.#room.changes, pace);
      yield* this.#keep(this.#room.changes.length, pace);
    }
    const { changes } = this.#room;
    for (let i = 1; i < changes.length; i++) {
      assert(changes.compare(i - 1, i) < 0, 'W1 no change is read twice');
      if (pace.step()) yield;
    }
    this.#room.learn(changes.bytes, this.#end.revision - this.#from.revision);
    return { changes, end: this.#end };
  }

  /** The first so many, in order. */
  *#keep(count: number, pace: Pace): Generator<void, void> {
    const room = this.#room;
    const { changes, spare, order } = room;
    spare.clear();
    for (let n = 0; n < count; n++) {
      const i = order.at(n);
      spare.append(changes, i);
      if (pace.step(changes.bytesAt(i))) yield;
    }
    room.changes = spare;
    room.spare = changes;
  }
}
