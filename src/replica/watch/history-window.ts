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
import type { KeyChange } from '../kv/key-change.js';
import type { Pace } from '../kv/pace.js';
import { ChangeBuffer } from './change-buffer.js';
import { PlaceOrder } from './place-order.js';

export const WINDOW_BYTES = 4 * MiB;
/** Of a window, to be filled by what is expected: rarely too much of it is collected then. */
const FILL = 0.9;
/** Of which nothing is known yet. */
const FIRST_REVISIONS = 1_024;

/** A place in history: before the change `sub` of `revision`. Changes are numbered from 0. */
export interface Place {
  readonly revision: Revision;
  readonly sub: number;
}

export function comparePlaces(a: Place, b: Place): number {
  return a.revision - b.revision || a.sub - b.sub;
}

/**
 * The first changes of a buffer in the order of their places, where they lie: nothing is moved.
 */
export class OrderedChanges {
  readonly #changes: ChangeBuffer;
  readonly #order: PlaceOrder;
  readonly length: number;

  constructor(changes: ChangeBuffer, order: PlaceOrder, length: number) {
    this.#changes = changes;
    this.#order = order;
    this.length = length;
  }

  revisionAt(n: number): Revision {
    return this.#changes.revisionAt(this.#order.at(n));
  }

  /** As a version in a slot. */
  fill(n: number, slot: VersionSlot): void {
    this.#changes.fill(this.#order.at(n), slot);
  }

  bytesAt(n: number): number {
    return this.#changes.bytesAt(this.#order.at(n));
  }

  /** As an object, which nobody writes over. */
  change(n: number): KeyChange {
    return this.#changes.change(this.#order.at(n));
  }
}

export interface HistoryPart {
  /** In order. They lie in the window's room: as long as no other window has that. */
  readonly changes: OrderedChanges;
  /** All before it is here. Within a revision (sub > 0) only if one alone does not fit. */
  readonly end: Place;
}

/**
 * Where a window puts its changes. It is large, and one part of history follows the other: who
 * reads several gives it to one window after the other, and is done with each part before the next.
 */
export class WindowRoom {
  changes = new ChangeBuffer();
  /** Only once a walk gave much more than fits. */
  spare: ChangeBuffer | undefined;
  readonly order = new PlaceOrder();
  /** Bytes of changes for each revision of the last part; undefined: there was no part. */
  #density: number | undefined;

  /**
   * Revisions that are likely to fill a window: more of them would be collected only to be let go
   * again. The first part has few, to see how much there is in them. Where there are fewer changes
   * than before, a part holds less, and the next reaches further.
   */
  reach(bytesMax: number): number {
    if (this.#density === undefined) return FIRST_REVISIONS;
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
    const room = this.#room;
    const { changes, order } = room;
    yield* order.sort(changes, pace);
    const kept = this.#cut();
    const left = room.spare ?? new ChangeBuffer();
    left.clear();
    for (let n = 0; n < kept; n++) {
      const i = order.at(n);
      left.append(changes, i);
      if (pace.step(changes.bytesAt(i))) yield;
    }
    room.changes = left;
    room.spare = changes;
  }

  /** So many of the first changes, in order, fit: there the part ends. */
  #cut(): number {
    const { changes, order } = this.#room;
    let bytes = 0;
    let fit = 0;
    for (; fit < changes.length; fit++) {
      const more = changes.bytesAt(order.at(fit));
      if (fit > 0 && bytes + more > this.#bytesMax) break;
      bytes += more;
    }
    if (fit === changes.length) return fit;
    const cut = order.at(fit);
    const revision = changes.revisionAt(cut);
    // A revision stays whole, unless it is the first one.
    let keep = fit;
    while (keep > 0 && changes.revisionAt(order.at(keep - 1)) === revision) keep--;
    this.#end = { revision, sub: keep === 0 ? changes.subAt(cut) : 0 };
    assert(comparePlaces(this.#end, this.#from) > 0, 'W1 a part of history holds a change, or all there is');
    return keep === 0 ? fit : keep;
  }

  /** Once the walk is at its end. */
  *take(pace: Pace): Generator<void, HistoryPart> {
    const { changes: all, order } = this.#room;
    yield* order.sort(all, pace);
    const changes = new OrderedChanges(all, order, this.#cut());
    let bytes = 0;
    for (let n = 0; n < changes.length; n++) {
      assert(n === 0 || all.compare(order.at(n - 1), order.at(n)) < 0, 'W1 no change is read twice');
      bytes += changes.bytesAt(n);
      if (pace.step()) yield;
    }
    this.#room.learn(bytes, this.#end.revision - this.#from.revision);
    return { changes, end: this.#end };
  }
}
