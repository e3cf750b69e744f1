/**
 * H1: what a read saw becomes a hint only when a second read confirms it. A corrected block is read again past the caches:
 * still bad is a hint, clean is a transient fault, and three of those at one block are a hint too. A block beyond
 * parity has its whole file verified, once, which is the second read and finds its neighbours.
 *
 * Readers only leave a note: notes are deduplicated, bounded, and looked at from a later turn, two at a time. A note that
 * finds no room, or that could not be confirmed either way, is dropped; the block's next read leaves another: once all others
 * are dealt with, no corrected block stays in the cache, where that read would not see its fault.
 */

import type { Env } from '../../base/env.js';
import { digest64 } from '../../base/digest.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { HealCounters } from '../status/heal-counters.js';
import type { BlockFaults, Region } from '../../storage/table/block-faults.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { recheckRegion, type VerifyReport } from '../../storage/table/verify-table.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { confirmFaults, type ConfirmedFaults } from '../hints/confirm-faults.js';
import type { HintKind } from '../status/hint-status.js';

export interface FaultSinks extends ConfirmedFaults {
  /** Is this block of the table, at least this bad, in a hint already? */
  known(meta: TableMeta, kind: HintKind, offset: number): boolean;
  /** A block is beyond parity: obtain it from a peer, whether or not a reader waits for it. */
  wanted(meta: TableMeta, offset: number): void;
  verify(meta: TableMeta): Promise<VerifyReport>;
  repaired(meta: TableMeta, offset: number): Uint8Array | undefined;
}

interface Note {
  readonly meta: TableMeta;
  readonly region: Region;
  readonly beyondParity: boolean;
}

const NOTES_MAX = 256;
const CONFIRMING_MAX = 2;
const TRANSIENTS_MAX = 4096;
const TRANSIENTS_UNTIL_HINT = 3;
/** A block that stays unreadable is not looked at again before this. */
const UNREADABLE_PAUSE_MS = 2_000;

export class FaultMonitor implements BlockFaults {
  readonly #env: Env;
  readonly #counters: HealCounters;
  readonly #sinks: FaultSinks;
  /** By table and offset; those that are being looked at included. */
  readonly #notes = new Map<string, Note>();
  readonly #waiting: string[] = [];
  readonly #transients = new Map<string, number>();
  readonly #seenUnreadable = new Map<string, number>();
  #tables: TableStore | undefined;
  #confirming = 0;
  /** A note was dropped since the cache was last rid of corrected blocks. */
  #missed = false;
  /** The block that this monitor itself reads just now: what that read sees is not news. */
  #looking = '';
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(env: Env, counters: HealCounters, sinks: FaultSinks) {
    this.#env = env;
    this.#counters = counters;
    this.#sinks = sinks;
  }

  /** Confirmations begin; what was noted before is looked at now. */
  start(tables: TableStore): void {
    this.#tables = tables;
    this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
    this.#notes.clear();
  }

  /** Resolves when nothing is noted or being confirmed. */
  async idle(): Promise<void> {
    while (this.#notes.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  corrected(meta: TableMeta, region: Region, _how: string): void {
    if (this.#looking === `${meta.id}:${region.offset}`) return;
    this.#counters.correctedBlocks++;
    if (!this.#sinks.known(meta, 'corrected', region.offset)) this.#note(meta, region, false);
  }

  unreadable(meta: TableMeta, region: Region, why: string): void {
    const key = `${meta.id}:${region.offset}`;
    const now = this.#env.clock.now();
    const seen = this.#seenUnreadable.get(key);
    if (seen !== undefined && now - seen < UNREADABLE_PAUSE_MS) return;
    remember(this.#seenUnreadable, key, now);
    this.#counters.uncorrectableBlocks++;
    this.#env.events.emit({ type: 'block-unreadable', table: meta.id, offset: region.offset, why });
    this.#note(meta, region, true);
  }

  patch(meta: TableMeta, offset: number): Uint8Array | undefined {
    return this.#sinks.repaired(meta, offset);
  }

  #note(meta: TableMeta, region: Region, beyondParity: boolean): void {
    const key = `${meta.id}:${region.offset}`;
    if (this.#stopped || this.#notes.has(key)) return;
    if (this.#notes.size >= NOTES_MAX) {
      this.#missed = true;
      return;
    }
    this.#notes.set(key, { meta, region, beyondParity });
    this.#waiting.push(key);
    this.#pump();
  }

  /** From a later turn: the reader's stack is not the place. */
  #pump(): void {
    if (this.#tables !== undefined && this.#waiting.length > 0) this.#env.clock.defer(() => this.#startSome());
  }

  #startSome(): void {
    while (this.#confirming < CONFIRMING_MAX) {
      const key = this.#waiting.shift();
      const note = key === undefined ? undefined : this.#notes.get(key);
      if (key === undefined || note === undefined) return;
      this.#confirming++;
      void this.#confirm(note).finally(() => {
        this.#confirming--;
        this.#notes.delete(key);
        if (this.#notes.size === 0) this.#allSeen();
        this.#pump();
      });
    }
  }

  #allSeen(): void {
    if (this.#missed) this.#tables?.cache.dropCorrected();
    this.#missed = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #confirm(note: Note): Promise<void> {
    const { meta, region } = note;
    try {
      if (note.beyondParity) await this.#confirmFile(meta, region);
      else await this.#confirmBlock(meta, region);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      this.#missed = true;
      this.#env.events.emit({
        type: 'warning', message: 'a fault could not be confirmed', data: { table: meta.id, offset: region.offset, why: messageOf(error) },
      });
    }
  }

  /** The good payload is at hand (the read was corrected), so its digest tells what the raw bytes are worth. */
  async #confirmBlock(meta: TableMeta, region: Region): Promise<void> {
    const tables = this.#tables;
    if (tables === undefined) return;
    const payload = this.#goodPayload(tables, meta, region);
    const digest = region.kind === 'footer' ? meta.rootDigest : digest64(payload);
    const spec = { type: region.kind, codec: 'none', scheme: meta.scheme, payloadBytes: payload.length, digest } as const;
    // A sector that cannot be read is damage here too: a disk that refuses a second time confirms the first.
    const { fault, pastCache } = await recheckRegion(this.#env.disk, tables.pathOf(meta.id), meta, { ...region, spec });
    if (fault === undefined) return this.#transient(meta, region, pastCache);
    this.#emitCorrected(meta, region, true);
    this.#sinks.confirmed(meta, fault.kind, fault.kind === 'missing' ? undefined : [region.offset], pastCache);
  }

  #goodPayload(tables: TableStore, meta: TableMeta, region: Region): Uint8Array {
    this.#looking = `${meta.id}:${region.offset}`;
    try {
      return tables.reader(meta).readPayload(region.offset);
    } finally {
      this.#looking = '';
    }
  }

  async #confirmFile(meta: TableMeta, region: Region): Promise<void> {
    this.#sinks.wanted(meta, region.offset);
    // Confirmed before: whoever asks for the block again and again does not have the file read each time.
    if (this.#sinks.known(meta, 'unreadable', region.offset)) return;
    const report = await this.#sinks.verify(meta);
    if (report.faults.length === 0) this.#transient(meta, region, report.pastCache);
    else confirmFaults(this.#sinks, meta, report.faults, report.pastCache);
  }

  #transient(meta: TableMeta, region: Region, pastCache: boolean): void {
    this.#counters.transientFaults++;
    this.#emitCorrected(meta, region, false);
    const key = `${meta.id}:${region.offset}`;
    const count = (this.#transients.get(key) ?? 0) + 1;
    if (count < TRANSIENTS_UNTIL_HINT) {
      remember(this.#transients, key, count);
      return;
    }
    this.#transients.delete(key);
    this.#sinks.confirmed(meta, 'corrected', [region.offset], pastCache);
  }

  #emitCorrected(meta: TableMeta, region: Region, persistent: boolean): void {
    this.#env.events.emit({ type: 'block-corrected', table: meta.id, offset: region.offset, scheme: meta.scheme.kind, persistent });
  }
}

/** Sets an entry of a map that forgets its oldest beyond a bound. */
function remember(map: Map<string, number>, key: string, value: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= TRANSIENTS_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    break;
  }
}

