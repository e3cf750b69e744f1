/**
 * H1: what a read saw becomes a hint only when a second read confirms it. A corrected block is read
 * again past the caches: still bad is a hint, clean is a transient fault, and three of those at one
 * block are a hint too. A block beyond parity has its whole file verified, once, which is the
 * second read and finds its neighbours.
 *
 * Notes are looked at from a later turn than the read's, two at a time. Once all are dealt with,
 * and some were missed, no corrected block stays in the cache, where the next read would not see
 * its fault.
 */

import { assert } from '../../base/assert.js';
import type { Env } from '../../base/env.js';
import { digest64 } from '../../base/digest.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { TableStore } from '../../storage/table/table-store.js';
import { recheckRegion } from '../../storage/table/verify-table.js';
import { Recent } from '../base/recent.js';
import { TRANSIENTS_UNTIL_HINT, worstOf } from '../hints/confirmed-fault.js';
import type { HintRecorder } from '../hints/hint-recorder.js';
import type { HintStore } from '../hints/hint-store.js';
import type { Repairer } from '../repair/repairer.js';
import type { TableCopies } from '../repair/table-copies.js';
import type { HealCounters } from '../status/heal-counters.js';
import { blockKey, type FaultNotes, type Note } from './fault-notes.js';

interface ConfirmerParts {
  readonly env: Env;
  readonly counters: HealCounters;
  readonly notes: FaultNotes;
  readonly hints: HintStore;
  readonly recorder: HintRecorder;
  readonly tables: TableStore;
  readonly copies: Pick<TableCopies, 'verify'>;
  readonly repairer: Pick<Repairer, 'want'>;
}

const CONFIRMING_MAX = 2;
const TRANSIENTS_MAX = 4096;

export class FaultConfirmer {
  readonly #parts: ConfirmerParts;
  readonly #transients = new Recent<string, number>(TRANSIENTS_MAX);
  #confirming = 0;

  constructor(parts: ConfirmerParts) {
    this.#parts = parts;
  }

  /** Confirmations begin; what was noted before is looked at now. */
  start(): void {
    this.#parts.notes.subscribe(() => this.#pump());
    this.#pump();
  }

  /** From a later turn: the reader's stack is not the place. */
  #pump(): void {
    const { env, notes } = this.#parts;
    if (notes.waiting) env.clock.defer(() => this.#startSome());
  }

  #startSome(): void {
    const { notes } = this.#parts;
    while (this.#confirming < CONFIRMING_MAX) {
      const note = notes.take();
      if (note === undefined) return;
      this.#confirming++;
      assert(this.#confirming <= CONFIRMING_MAX, `H1 ${this.#confirming} notes are looked at, not ${CONFIRMING_MAX}`);
      void this.#confirm(note).finally(() => this.#confirmed(note));
    }
  }

  #confirmed(note: Note): void {
    const { notes, tables } = this.#parts;
    this.#confirming--;
    assert(this.#confirming >= 0, 'H1 each note is dealt with once');
    notes.done(note);
    if (notes.empty && notes.settle() > 0) tables.cache.dropCorrected();
    this.#pump();
  }

  async #confirm(note: Note): Promise<void> {
    try {
      if (note.read === 'unreadable') await this.#confirmFile(note);
      else await this.#confirmBlock(note);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      const { env, notes } = this.#parts;
      notes.miss();
      const data = { table: note.meta.id, offset: note.region.offset, why: messageOf(error) };
      env.events.emit({ type: 'warning', message: 'a fault could not be confirmed', data });
    }
  }

  /**
   * The good payload is at hand (the read was corrected), so its digest tells what the raw bytes
   * are worth.
   */
  async #confirmBlock(note: Note): Promise<void> {
    const { env, notes, recorder, tables } = this.#parts;
    const { meta, region } = note;
    const payload = notes.unheard(note, () => tables.reader(meta).readPayload(region.offset));
    const digest = region.kind === 'footer' ? meta.rootDigest : digest64(payload);
    const spec = { type: region.kind, codec: 'none', scheme: meta.scheme, payloadBytes: payload.length, digest } as const;
    // A sector that cannot be read is damage here too: a disk that refuses a second time confirms
    // the first.
    const { fault, pastCache } = await recheckRegion(env.disk, tables.pathOf(meta.id), meta, { ...region, spec });
    if (fault === undefined) return this.#transient(note, pastCache);
    assert(fault.offset === region.offset, `H1 the second read is of the block at ${region.offset}, not at ${fault.offset}`);
    this.#emitCorrected(note, true);
    const offsets = fault.kind === 'missing' ? undefined : [region.offset];
    recorder.record(meta, { kind: fault.kind, offsets, confirmation: { by: 'second-read', pastCache } });
  }

  async #confirmFile(note: Note): Promise<void> {
    const { hints, recorder, copies, repairer } = this.#parts;
    const { meta, region } = note;
    repairer.want(meta, region.offset);
    // Confirmed before: whoever asks for the block again and again does not have the file read each
    // time.
    if (hints.covers(meta, 'unreadable', region.offset)) return;
    const report = await copies.verify(meta, this.#parts.tables.pathOf(meta.id));
    assert(report.pristine === (report.faults.length === 0), `H1 table ${meta.id} is pristine, or has faults`);
    if (report.faults.length === 0) this.#transient(note, report.pastCache);
    else recorder.record(meta, worstOf(report.faults, report));
  }

  #transient(note: Note, pastCache: boolean): void {
    const { counters, recorder } = this.#parts;
    const { meta, region } = note;
    counters.transientFaults++;
    this.#emitCorrected(note, false);
    const key = blockKey(meta, region);
    const times = (this.#transients.get(key) ?? 0) + 1;
    assert(times <= TRANSIENTS_UNTIL_HINT, `H1 a hint comes after ${TRANSIENTS_UNTIL_HINT} transient faults, not after ${times}`);
    if (times < TRANSIENTS_UNTIL_HINT) {
      this.#transients.set(key, times);
      return;
    }
    this.#transients.delete(key);
    recorder.record(meta, { kind: 'corrected', offsets: [region.offset], confirmation: { by: 'transients', times, pastCache } });
  }

  #emitCorrected({ meta, region }: Note, persistent: boolean): void {
    const { env } = this.#parts;
    env.events.emit({ type: 'block-corrected', table: meta.id, offset: region.offset, scheme: meta.scheme.kind, persistent });
  }
}
