/**
 * All that one watch was told, on whatever streams and members: it goes on after the last revision
 * that it knows, until it is over. In stretches: between two of them is what a compaction took.
 */

import type { Kv } from '../../workload/history/operation.js';
import { describeWanted, wants, type Wanted } from './wanted.js';

export interface Told {
  /** `version` 0: it was deleted. `mod`: the revision. */
  readonly kv: Kv;
  readonly prev: Kv | undefined;
  readonly atUs: number;
  readonly node: number;
}

/** What a node sent of a watch. */
export interface Message {
  /** All up to it that the watch wants is here or was sent before. */
  readonly revision: number;
  /** More of the last revision is to come. */
  readonly fragment: boolean;
  readonly told: readonly Told[];
}

export interface Stretch {
  /** A revision. */
  readonly from: number;
  readonly told: Told[];
  /** It was said that nothing else that it wants happened up to here. */
  toldTo: number;
}

/** A rule that a message breaks. */
export interface Breach {
  readonly check: string;
  readonly why: string;
}

export const WATCH_ORDER = 'a watch is told in order';
export const WATCH_ONCE = 'a watch is told once';
export const WATCH_WHOLE = 'a watch is told whole revisions';
export const WATCH_WANTED = 'a watch is told what it asked for';
export const WATCH_PROGRESS = 'a watch is told the truth about progress';
export const WATCH_COMPACTED = 'a watch is told of compactions that were';

export class WatchLog {
  readonly name: string;
  readonly wanted: Wanted;
  readonly stretches: Stretch[] = [];
  /** Nobody listens any more. */
  over = false;
  /** The last that it heard is that what it needs is lost everywhere. */
  lost = false;
  #pieces: Told[] = [];

  /** `start`: a revision; 0: what comes from now on. */
  constructor(name: string, wanted: Wanted, start: number) {
    this.name = name;
    this.wanted = wanted;
    if (start > 0) this.#begin(start);
  }

  #begin(from: number): void {
    this.stretches.push({ from, told: [], toldTo: from - 1 });
  }

  /** The revision from which on it has heard nothing; 0: it has not begun. */
  get next(): number {
    const last = this.stretches.at(-1);
    return last === undefined ? 0 : last.toldTo + 1;
  }

  /** A node has taken it on, at this revision of its own. */
  created(revision: number): void {
    this.lost = false;
    this.#pieces = [];
    if (this.stretches.length === 0) this.#begin(revision + 1);
  }

  /** The stream is gone: what is not whole will be told anew. */
  disconnected(): void {
    this.#pieces = [];
  }

  take({ revision, fragment, told }: Message): Breach | undefined {
    const stretch = this.stretches.at(-1);
    if (stretch === undefined) return { check: WATCH_ORDER, why: 'events came before it was created' };
    let last = this.#pieces.at(-1)?.kv.mod ?? 0;
    for (const { kv, prev } of told) {
      if (kv.mod <= stretch.toldTo) return { check: WATCH_ONCE, why: `revision ${kv.mod} came after all up to ${stretch.toldTo} was told` };
      if (kv.mod < last) return { check: WATCH_ORDER, why: `revision ${kv.mod} came after ${last}` };
      if (!wants(this.wanted, kv)) return { check: WATCH_WANTED, why: `of key ${JSON.stringify(kv.key)} version ${kv.version} it wants nothing` };
      if (prev !== undefined && !this.wanted.prevKv) return { check: WATCH_WANTED, why: 'a previous value came that nobody asked for' };
      last = kv.mod;
    }
    if (last === 0) return { check: WATCH_WANTED, why: 'a message of events has none' };
    this.#pieces.push(...told);
    if (fragment) return this.wanted.fragment ? undefined : { check: WATCH_WHOLE, why: `revision ${last} came in pieces` };
    if (revision < last) return { check: WATCH_PROGRESS, why: `the header says revision ${revision}, the last event is of ${last}` };
    stretch.told.push(...this.#pieces);
    this.#pieces = [];
    stretch.toldTo = revision;
    return undefined;
  }

  progress(revision: number): Breach | undefined {
    const stretch = this.stretches.at(-1);
    if (stretch === undefined) return undefined;
    if (this.#pieces.length > 0) return { check: WATCH_PROGRESS, why: `progress to ${revision} was told within a revision` };
    stretch.toldTo = Math.max(stretch.toldTo, revision);
    return undefined;
  }

  /** What lies before `revision` is gone: it goes on from there. */
  compacted(revision: number): Breach | undefined {
    const { next } = this;
    this.#pieces = [];
    if (revision <= next) return { check: WATCH_COMPACTED, why: `it needs revision ${next}, and hears that it is compacted up to ${revision}` };
    this.#begin(revision);
    return undefined;
  }

  toString(): string {
    return `watch ${this.name} of ${describeWanted(this.wanted)}`;
  }
}
