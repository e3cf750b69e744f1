/**
 * Changes that were read from history go to the streams of the watchers they were read for, as
 * bytes. As `deliver.ts` does with those of memory: first everything is looked up, then it is
 * queued, so that who fails on the way has queued nothing. Done at once: a step is short.
 */

import { KiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import { compareFrom } from '../../storage/base/key-head.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import type { FullStreams } from './deliver.js';
import { EventPacker } from './event-packer.js';
import type { OrderedChanges } from './history-window.js';
import { keyText, type Watcher } from './watcher.js';
import type { WatcherIndex } from './watcher-index.js';

/** Changes, or bytes of events, that are delivered in one step: then others have their turn. */
const STEP_CHANGES = 256;
const STEP_BYTES = 256 * KiB;
/** So many watchers are asked one by one; of more, the index knows whom a key concerns. */
const ASKED = 8;
const KEPT_MATCHES = 1_024;

/** What a key was before a revision, into a slot. Throws StorageError. */
export interface EarlierVersions {
  find(key: Uint8Array, revision: Revision, into: VersionSlot): boolean;
}

/** Who takes part in a round of reading. */
export interface Round {
  readonly round: number;
  readonly members: readonly Watcher[];
  readonly lagging: WatcherIndex;
  readonly earlier: EarlierVersions;
}

/**
 * The events of a step, and whose each is: [at, end) of what is packed. The lists keep their room:
 * one that is cut to nothing is allocated anew by the next event.
 */
class Matches {
  readonly watchers: (Watcher | undefined)[] = [];
  readonly subs: number[] = [];
  readonly ats: number[] = [];
  readonly ends: number[] = [];
  count = 0;

  add(watcher: Watcher, sub: number, at: number, end: number): void {
    const n = this.count++;
    this.watchers[n] = watcher;
    this.subs[n] = sub;
    this.ats[n] = at;
    this.ends[n] = end;
  }

  /** Of a large step nothing is kept, and of no watcher. */
  clear(): void {
    if (this.count > KEPT_MATCHES) this.watchers.length = this.subs.length = this.ats.length = this.ends.length = 0;
    else for (let n = 0; n < this.count; n++) this.watchers[n] = undefined;
    this.count = 0;
  }
}

export class HistoryDelivery {
  readonly #hub: FullStreams;
  readonly #packer = new EventPacker();
  readonly #slot = new VersionSlot();
  readonly #prev = new VersionSlot();
  readonly #matches = new Matches();

  constructor(hub: FullStreams) {
    this.#hub = hub;
  }

  /**
   * Of the changes from `at` on, those of one revision, or the first of them; gives where it ended.
   * `continues`: the last revision of `changes` is not whole. A revision that this step ends is
   * queued whole. Throws StorageError: nothing was queued.
   */
  step(changes: OrderedChanges, at: number, continues: boolean, to: Round): number {
    const revision = changes.revisionAt(at);
    const end = this.#look(changes, at, to);
    const over = end === changes.length ? !continues : changes.revisionAt(end) !== revision;
    if (over && end === at + 1) this.#queueOne(revision, to.round);
    else this.#queue(revision, to.round);
    this.#matches.clear();
    if (over) for (const watcher of to.members) if (watcher.round === to.round) watcher.stream.complete(watcher, revision);
    return end;
  }

  /** Does the change that was looked at last concern it? The one at which a step threw. */
  isAbout(watcher: Watcher): boolean {
    return isIn(watcher, this.#packer.key, this.#packer.keyEnd);
  }

  /** Where it ended. */
  #look(changes: OrderedChanges, from: number, to: Round): number {
    this.#matches.clear();
    this.#packer.clear();
    const revision = changes.revisionAt(from);
    const last = Math.min(changes.length, from + STEP_CHANGES);
    let at = from;
    while (at < last && changes.revisionAt(at) === revision && (at === from || this.#packer.end < STEP_BYTES)) {
      changes.fill(at++, this.#slot);
      this.#match(to);
    }
    return at;
  }

  /** The change in the slot. */
  #match(to: Round): void {
    const packer = this.#packer;
    const slot = this.#slot;
    packer.take(slot);
    let plainAt = -1;
    let plainEnd = -1;
    let prevAt = -1;
    let prevEnd = -1;
    const { members, lagging } = to;
    const asked = members.length <= ASKED;
    const some = asked ? members : this.#found(lagging);
    for (const watcher of some) {
      if (watcher.round !== to.round || !watcher.wantsAt(slot.revision, slot.sub, slot.tombstone)) continue;
      if (asked && !this.isAbout(watcher)) continue;
      const withPrev = watcher.prevKv && !packer.isCreate;
      if (withPrev && prevAt < 0) {
        const key = packer.key.subarray(0, packer.keyEnd);
        const prev = to.earlier.find(key, slot.revision, this.#prev) ? this.#prev : undefined;
        prevAt = packer.end;
        packer.pack(prev);
        prevEnd = packer.end;
      } else if (!withPrev && plainAt < 0) {
        plainAt = packer.end;
        packer.pack(undefined);
        plainEnd = packer.end;
      }
      this.#matches.add(watcher, slot.sub, withPrev ? prevAt : plainAt, withPrev ? prevEnd : plainEnd);
    }
  }

  /** All whom the key at hand concerns, also such as are not of the round. */
  #found(lagging: WatcherIndex): readonly Watcher[] {
    const found: Watcher[] = [];
    lagging.matching(keyText(this.#packer.key.subarray(0, this.#packer.keyEnd)), found);
    return found;
  }

  /** The one change of a revision. */
  #queueOne(revision: Revision, round: number): void {
    const { watchers, subs, ats, ends, count } = this.#matches;
    for (let n = 0; n < count; n++) {
      const watcher = watchers[n] as Watcher;
      const { stream } = watcher;
      if (watcher.round !== round) continue;
      // Of a revision that was begun in the part before, the stream has taken the rest upon itself.
      if (watcher.admitted === revision) stream.addPacked(watcher, revision, this.#packer.bytes, ats[n] as number, ends[n] as number);
      else if (this.#hub.isFull(stream)) this.#hub.fallBehind(watcher, { revision, sub: subs[n] as number });
      else stream.putPacked(watcher, revision, this.#packer.bytes, ats[n] as number, ends[n] as number);
    }
  }

  #queue(revision: Revision, round: number): void {
    const { watchers, subs, ats, ends, count } = this.#matches;
    for (let n = 0; n < count; n++) {
      const watcher = watchers[n] as Watcher;
      if (watcher.round !== round) continue;
      if (watcher.admitted !== revision) {
        if (this.#hub.isFull(watcher.stream)) {
          this.#hub.fallBehind(watcher, { revision, sub: subs[n] as number });
          continue;
        }
        watcher.admitted = revision;
      }
      watcher.stream.addPacked(watcher, revision, this.#packer.bytes, ats[n] as number, ends[n] as number);
    }
  }
}

/** Is the key [0, end) of `bytes` one of the watcher's? */
function isIn({ key, keyEnd }: Watcher, bytes: Uint8Array, end: number): boolean {
  if (compareFrom(bytes, end, key, key.length, 0) < 0) return false;
  return keyEnd === undefined || compareFrom(bytes, end, keyEnd, keyEnd.length, 0) < 0;
}
