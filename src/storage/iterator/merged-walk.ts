/**
 * The newest visible version of each key over all sources, in key order or against it. Sources come
 * newest first, and of any key a newer source holds only newer versions than an older one: so the
 * first source that has a visible version of a key has the right one, and the others are not asked.
 *
 * Of each source's key six bytes are kept as a number, taken behind what the range's borders (and
 * so all keys of the range) have in common: comparing two of them decides nearly always. As long as
 * the leading source stays before the second, the others are not looked at.
 *
 * After a block could not be read, the walk goes on where it was if it is asked again (the block
 * may be repaired).
 */

import { assert } from '../../base/assert.js';
import { afterKey } from '../base/key.js';
import { compareFrom, HEAD_BYTES, headOf } from '../base/key-head.js';
import type { KeyWalk } from '../base/read-view.js';
import { VersionSlot } from '../base/version-slot.js';
import type { KeyCursor } from './key-cursor.js';

interface MergedWalkOptions {
  /** Newest first. */
  readonly sources: readonly KeyCursor[];
  /** Prefixes, or anything between two keys. */
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly atRevision: number;
  readonly reverse: boolean;
  readonly tombstones: boolean;
}

/** The head of a source that stands at no key of the range. */
const OUT = Infinity;

export class MergedWalk implements KeyWalk {
  readonly slot = new VersionSlot();
  visible = false;
  readonly #sources: readonly KeyCursor[];
  readonly #from: Uint8Array;
  readonly #to: Uint8Array;
  readonly #atRevision: number;
  readonly #reverse: boolean;
  readonly #tombstones: boolean;
  /** Bytes that all keys of the range begin with. */
  readonly #common: number;
  /** Of the border that the walk may not pass. */
  readonly #borderHead: number;
  /** Of each source, negative when walking backward: the least leads. */
  readonly #heads: Float64Array;
  /** The sources that stand at the leading key, newest first. */
  readonly #leaders: Int32Array;
  #leading = 0;
  /** One of the sources that come next after the leaders; -1: none does. */
  #second = -1;
  /** The cursors stand at the slot's key or behind it. */
  #positioned = false;
  /** The slot's key was dealt with; if not, it is the next one. */
  #taken = false;
  #started = false;
  #done = false;

  constructor(options: MergedWalkOptions) {
    this.#sources = options.sources;
    this.#from = options.from;
    this.#to = options.to;
    this.#atRevision = options.atRevision;
    this.#reverse = options.reverse;
    this.#tombstones = options.tombstones;
    this.#common = commonBytes(options.from, options.to);
    this.#heads = new Float64Array(options.sources.length);
    this.#leaders = new Int32Array(options.sources.length);
    const border = options.reverse ? options.from : options.to;
    this.#borderHead = this.#headOf(border, border.length);
  }

  next(): boolean {
    if (this.#done) return false;
    if (this.#positioned) this.#advance();
    else this.#position();
    if (this.#leading === 0) {
      this.#done = true;
      return false;
    }
    const leader = this.#sources[this.#leaders[0] as number] as KeyCursor;
    this.slot.copyKey(leader.keyBytes, 0, leader.keyEnd);
    this.#started = true;
    this.#taken = false;
    this.visible = this.#resolve() && (!this.slot.tombstone || this.#tombstones);
    this.#taken = true;
    this.#positioned = true;
    return true;
  }

  /** All cursors from anew: at the start, and after a move that threw. */
  #position(): void {
    const sources = this.#sources;
    const target = this.#target();
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] as KeyCursor;
      if (this.#reverse) source.seekBefore(target);
      else source.seek(target);
      this.#takeHead(i);
    }
    this.#elect();
  }

  #target(): Uint8Array {
    if (!this.#started) return this.#reverse ? this.#to : this.#from;
    const last = this.slot.keyBytes.slice(0, this.slot.keyEnd);
    return this.#taken === this.#reverse ? last : afterKey(last);
  }

  /** Past the slot's key. Leaves `#positioned` false while anything may throw. */
  #advance(): void {
    this.#positioned = false;
    const leading = this.#leading;
    for (let n = 0; n < leading; n++) {
      const i = this.#leaders[n] as number;
      (this.#sources[i] as KeyCursor).pass(this.slot);
      this.#takeHead(i);
    }
    const leader = this.#leaders[0] as number;
    if (leading === 1 && this.#heads[leader] !== OUT && (this.#second < 0 || this.#order(leader, this.#second) < 0)) return;
    this.#elect();
  }

  /** The visible version of the slot's key. */
  #resolve(): boolean {
    for (let n = 0; n < this.#leading; n++) {
      const source = this.#sources[this.#leaders[n] as number] as KeyCursor;
      if (source.resolve(this.#atRevision, this.slot)) return true;
    }
    return false;
  }

  #elect(): void {
    const heads = this.#heads;
    const leaders = this.#leaders;
    let leading = 0;
    let second = -1;
    for (let i = 0; i < heads.length; i++) {
      if (heads[i] === OUT) continue;
      const order = leading === 0 ? -1 : this.#order(i, leaders[0] as number);
      if (order < 0) {
        if (leading > 0) second = leaders[0] as number;
        leaders[0] = i;
        leading = 1;
      } else if (order === 0) {
        leaders[leading++] = i;
      } else if (second < 0 || this.#order(i, second) < 0) {
        second = i;
      }
    }
    assert(leading <= heads.length, 'a source leads once');
    this.#leading = leading;
    this.#second = second;
  }

  /** Negative if source i comes before source j. */
  #order(i: number, j: number): number {
    const difference = (this.#heads[i] as number) - (this.#heads[j] as number);
    if (difference !== 0) return difference;
    const a = this.#sources[i] as KeyCursor;
    const b = this.#sources[j] as KeyCursor;
    const order = compareFrom(a.keyBytes, a.keyEnd, b.keyBytes, b.keyEnd, this.#common + HEAD_BYTES);
    return this.#reverse ? -order : order;
  }

  #takeHead(i: number): void {
    const source = this.#sources[i] as KeyCursor;
    this.#heads[i] = source.valid ? this.#headWithin(source.keyBytes, source.keyEnd) : OUT;
  }

  /** OUT for a key beyond the border. */
  #headWithin(key: Uint8Array, end: number): number {
    // Before the first key of the range a cursor never stands, so all keys up to the border share.
    const shared = this.#beyondCommon(key, end);
    if (shared) return OUT;
    const head = this.#headOf(key, end);
    const border = this.#borderHead;
    if (head < border) return head;
    if (head > border) return OUT;
    const limit = this.#reverse ? this.#from : this.#to;
    const order = compareFrom(key, end, limit, limit.length, this.#common + HEAD_BYTES);
    return (this.#reverse ? order >= 0 : order < 0) ? head : OUT;
  }

  /** Does the key lack what all keys of the range begin with? Then it lies behind the border. */
  #beyondCommon(key: Uint8Array, end: number): boolean {
    const common = this.#common;
    const from = this.#from;
    if (end < common) return true;
    for (let i = common - 1; i >= 0; i--) if (key[i] !== from[i]) return true;
    return false;
  }

  #headOf(key: Uint8Array, end: number): number {
    const head = headOf(key, this.#common, end);
    return this.#reverse ? -head : head;
  }
}

function commonBytes(a: Uint8Array, b: Uint8Array): number {
  const n = a.length < b.length ? a.length : b.length;
  let i = 0;
  while (i < n && a[i] === b[i]) i++;
  return i;
}
