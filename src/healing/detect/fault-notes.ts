/**
 * What reads saw of faults, left as notes. Readers only leave a note: notes are deduplicated,
 * bounded, and looked at from a later turn by the confirmer. They are taken from before the first
 * table is opened, when nobody can confirm them yet.
 *
 * A note that finds no room, or that could not be confirmed either way, is dropped and counts as
 * missed; the block's next read leaves another.
 */

import { assert, must } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import type { TableId } from '../../base/ids.js';
import type { BlockFaults, Region } from '../../storage/table/block-faults.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { Recent } from '../base/recent.js';
import type { StopToken } from '../base/stop-token.js';
import type { HintStore } from '../hints/hint-store.js';
import type { RepairStore } from '../repair/repair-store.js';
import type { HealCounters } from '../status/heal-counters.js';

export interface Note {
  readonly meta: TableMeta;
  readonly region: Region;
  /** corrected: by parity, the read went well. unreadable: beyond parity, it failed. */
  readonly read: 'corrected' | 'unreadable';
}

interface NotesParts {
  readonly env: Env;
  readonly counters: HealCounters;
  readonly hints: HintStore;
  readonly repairs: RepairStore;
  /** Tables that readers met unreadable blocks in. */
  readonly seen: Recent<TableId, TableMeta>;
  readonly token: StopToken;
}

const NOTES_MAX = 256;
const UNREADABLE_MAX = 4096;
/** A block that stays unreadable is not looked at again before this. */
const UNREADABLE_PAUSE_MS = 2_000;

export function blockKey(meta: TableMeta, region: Region): string {
  return `${meta.id}:${region.offset}`;
}

export class FaultNotes implements BlockFaults {
  readonly #parts: NotesParts;
  /** By table and offset; those that are being looked at included. */
  readonly #notes = new Map<string, Note>();
  readonly #waiting: string[] = [];
  readonly #seenUnreadable = new Recent<string, number>(UNREADABLE_MAX);
  readonly #subscribers: (() => void)[] = [];
  #missed = 0;
  /** The block that the confirmer itself reads just now: what that read sees is not news. */
  #looking: string | undefined;
  #idle: (() => void)[] = [];

  constructor(parts: NotesParts) {
    this.#parts = parts;
  }

  /** After each new note: at once, within the read that left it. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  stop(): void {
    assert(this.#parts.token.cancelled, 'notes are dropped only when the node stops');
    this.#waiting.length = 0;
    this.#notes.clear();
  }

  // From within reads.

  corrected(meta: TableMeta, region: Region, _how: string): void {
    if (this.#looking === blockKey(meta, region)) return;
    const { counters, hints } = this.#parts;
    counters.correctedBlocks++;
    if (!hints.covers(meta, 'corrected', region.offset)) this.#leave({ meta, region, read: 'corrected' });
  }

  unreadable(meta: TableMeta, region: Region, why: string): void {
    const { env, counters, seen } = this.#parts;
    seen.set(meta.id, meta);
    const key = blockKey(meta, region);
    const now = env.clock.now();
    const before = this.#seenUnreadable.get(key);
    if (before !== undefined && now - before < UNREADABLE_PAUSE_MS) return;
    this.#seenUnreadable.set(key, now);
    counters.uncorrectableBlocks++;
    env.events.emit({ type: 'block-unreadable', table: meta.id, offset: region.offset, why });
    this.#leave({ meta, region, read: 'unreadable' });
  }

  patch(meta: TableMeta, offset: number): Uint8Array | undefined {
    return this.#parts.repairs.get(meta.fileDigest, offset);
  }

  #leave(note: Note): void {
    const key = blockKey(note.meta, note.region);
    if (this.#parts.token.cancelled || this.#notes.has(key)) return;
    if (this.#notes.size >= NOTES_MAX) {
      this.#missed++;
      return;
    }
    this.#notes.set(key, note);
    this.#waiting.push(key);
    assert(this.#notes.size <= NOTES_MAX, `H1 ${this.#notes.size} notes are kept`);
    assert(this.#waiting.length <= this.#notes.size, `H1 ${this.#waiting.length} notes wait, of ${this.#notes.size}`);
    for (const subscriber of this.#subscribers) subscriber();
  }

  // The confirmer's.

  /** Notes wait to be looked at. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The next one to be looked at; the taker says when it is {@link done}. */
  take(): Note | undefined {
    const key = this.#waiting.shift();
    return key === undefined ? undefined : must(this.#notes.get(key), `H1 the note of ${key} waits`);
  }

  /** From now on the block may be noted again. */
  done(note: Note): void {
    const wasNoted = this.#notes.delete(blockKey(note.meta, note.region));
    assert(wasNoted || this.#parts.token.cancelled, 'H1 a note is dealt with once');
  }

  /** A note was dealt with, and neither fault nor transient was found. */
  miss(): void {
    this.#missed++;
  }

  /**
   * Nothing is noted: how many were missed since this was asked last. Whoever waits for it goes on.
   */
  settle(): number {
    assert(this.#notes.size === 0, `H1 ${this.#notes.size} notes are left`);
    const missed = this.#missed;
    this.#missed = 0;
    for (const resolve of this.#idle.splice(0)) resolve();
    return missed;
  }

  get empty(): boolean {
    return this.#notes.size === 0;
  }

  /** Reads a block of which notes must not be left: the confirmer's own look. */
  unheard<T>({ meta, region }: Note, read: () => T): T {
    assert(this.#looking === undefined, 'H1 one block is looked at at a time');
    this.#looking = blockKey(meta, region);
    try {
      return read();
    } finally {
      this.#looking = undefined;
    }
  }

  /** Resolves when nothing is noted or being confirmed. */
  async idle(): Promise<void> {
    while (this.#notes.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
