/**
 * Turns appends into batches: which segment and area, which sequence number, which identities go
 * along. R6 an identity leaves only after the sync of its batch returned: `#fresh` are those whose
 * batch is being written, `#pending` those whose batch is durable. And it goes to the other area
 * than its batch: so all batches of one sync go to one area, and those of the next, with the
 * identities before them, to the other (see segment-layout).
 */

import { assert } from '../../base/assert.js';
import { codeOf } from '../../base/errors.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { BATCH_HEADER, BatchEncoder, MAX_BATCH_BYTES, RECORD_HEADER, recordLength, type BatchContext } from './batch-codec.js';
import type { EntryTable } from './entry-table.js';
import { identityBound, IdentityEncoder } from './identity-codec.js';
import type { SegmentChain } from './segment-chain.js';
import { writeLarge } from './large-batch.js';
import { hasRoomForMark } from './end-mark.js';
import { align8, areaAt, otherArea, STRIPED, type AreaIndex } from './segment-layout.js';

const NO_ENTRIES: readonly Entry[] = [];

interface PlacedBatch {
  readonly generation: number;
  readonly offset: number;
  /** In the entries of the append. */
  readonly from: number;
  readonly to: number;
}

/** Where batches go. */
export type WrittenTo = Pick<SegmentChain, 'active' | 'outdated' | 'roll' | 'enlargeActive' | 'reformatActive'>;

export class LogWriter {
  readonly #chain: WrittenTo;
  readonly #encoder = new BatchEncoder();
  #pending = new IdentityEncoder();
  #fresh = new IdentityEncoder();
  /** Where the batches of the next sync go. */
  #target: AreaIndex = 0;
  /** Where the pending identities go: the other area than that of their batches. */
  #pendingArea: AreaIndex = 1;
  /** Of the last batch: grows by one with each. */
  #sequence: number;
  /** The last sequence whose sync returned: synced <= sequence. */
  #synced: number;
  /** Only grows. */
  #snapshotThrough: LogIndex;
  /** Of the last `write`. */
  #placed: PlacedBatch[] = [];

  constructor(chain: WrittenTo, lastSequence: number, snapshotThrough: LogIndex) {
    this.#chain = chain;
    this.#sequence = lastSequence;
    this.#synced = lastSequence;
    this.#snapshotThrough = snapshotThrough;
  }

  /** Of the last batch. */
  get sequence(): number {
    return this.#sequence;
  }

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Resolves when all are durable. `before` is what precedes the first one. */
  async write(entries: readonly Entry[], before: LogIndex, beforeTerm: Term, commit: LogIndex): Promise<void> {
    assert(this.#fresh.length === 0 && this.#synced === this.#sequence, `R6 batch ${this.#sequence} is synced before the next append`);
    this.#placed = [];
    await this.#renew();
    this.#aim();
    let from = 0;
    let term = beforeTerm;
    while (from < entries.length) {
      const to = this.#fit(entries, from);
      if (to === from) {
        await this.#roll(BATCH_HEADER + recordLength(entries[from] as Entry));
        continue;
      }
      const { index } = entries[to - 1] as Entry;
      assert(index === before + to, 'R3 an entry follows the one before');
      const offset = await this.#putBatch(this.#context(before + from, term, commit, false), entries, from, to);
      this.#placed.push({ generation: this.#chain.active.generation, offset, from, to });
      term = (entries[to - 1] as Entry).term;
      from = to;
    }
    await this.#sync();
  }

  /** Says where the entries of the last `write` lie. */
  place(entries: readonly Entry[], table: EntryTable): void {
    assert(this.#placed.at(-1)?.to === entries.length, `R3 each of ${entries.length} entries has a place`);
    for (const batch of this.#placed) {
      let offset = batch.offset + BATCH_HEADER;
      for (let i = batch.from; i < batch.to; i++) {
        const entry = entries[i] as Entry;
        const length = recordLength(entry);
        table.push(entry.term, batch.generation, offset, length);
        offset += length;
      }
    }
  }

  /**
   * A batch without entries, and at once its identity: it must be known even if its bytes go bad.
   */
  async writeMark(index: LogIndex, term: Term, commit: LogIndex, snapshotThrough: LogIndex, reset: boolean): Promise<void> {
    await this.#renew();
    this.#aim();
    if (!this.#hasRoom(BATCH_HEADER, 0)) await this.#roll(BATCH_HEADER);
    this.#snapshotThrough = Math.max(this.#snapshotThrough, snapshotThrough);
    await this.#putBatch(this.#context(index, term, commit, reset), NO_ENTRIES, 0, 0);
    await this.#sync();
    await this.flush();
    assert(!this.hasPending, `R6 the identity of mark ${this.#sequence} is durable with it`);
  }

  /**
   * After a failure, and before the first batch of a fresh segment: what left for the disk and was
   * not synced may be there or not. The number that a failed write may have used is not used again.
   */
  forgetUnsynced(): void {
    this.#pending.clear();
    this.#fresh.clear();
    this.#placed = [];
    this.#sequence++;
  }

  /** Makes the identities of durable batches durable. */
  async flush(): Promise<void> {
    if (!this.hasPending) return;
    this.#putIdentities(this.#pendingArea);
    await this.#chain.active.file.sync();
  }

  #context(previousIndex: LogIndex, previousTerm: Term, commit: LogIndex, reset: boolean): BatchContext {
    return {
      generation: this.#chain.active.generation, sequence: this.#sequence + 1, synced: this.#synced,
      previousIndex, previousTerm, commit, snapshotThrough: this.#snapshotThrough, reset, ended: true,
    };
  }

  /** How far the entries from `from` on fit into the segment; `from` if none does. */
  #fit(entries: readonly Entry[], from: number): number {
    let bytes = BATCH_HEADER;
    let to = from;
    while (to < entries.length) {
      bytes += RECORD_HEADER + (entries[to] as Entry).data.length;
      if ((to > from && bytes > MAX_BATCH_BYTES) || !this.#hasRoom(bytes, to + 1 - from)) break;
      to++;
    }
    return to;
  }

  /** Also for the identities that the batch will have. */
  #hasRoom(batchBytes: number, entries: number): boolean {
    const { layout, cursors } = this.#chain.active;
    const [target, other] = [this.#target, otherArea(this.#target)];
    const front = layout.format === STRIPED ? this.#pending.length : 0;
    const waiting = this.#pending.length - front + this.#fresh.length;
    return cursors[target] + front + batchBytes <= layout.areas[target].end
      && cursors[other] + waiting + identityBound(entries) <= layout.areas[other].end;
  }

  /**
   * Into which area the batches of the next sync go: in a striped segment by turns, beginning with
   * the first. R6 so there is one place at which the next may stand, and one that says whether
   * there is one (see `log-end.ts`).
   */
  #aim(): void {
    const { layout, lastArea } = this.#chain.active;
    this.#target = layout.format !== STRIPED || lastArea === undefined ? 0 : otherArea(lastArea);
    assert(layout.format !== STRIPED || !this.hasPending || this.#target === this.#pendingArea, 'R6 identities leave in front of the next batch');
  }

  /** The batch and, before it, what of identities waits: in a striped segment in one piece. */
  async #putBatch(context: BatchContext, entries: readonly Entry[], from: number, to: number): Promise<number> {
    const segment = this.#chain.active;
    const { cursors, layout } = segment;
    const target = this.#target;
    const large = entries[from];
    const isLarge = to === from + 1 && large !== undefined && large.data.length > MAX_BATCH_BYTES;
    const together = layout.format === STRIPED && !isLarge;
    if (!together && this.hasPending) this.#putIdentities(this.#pendingArea);
    const offset = cursors[target] + this.#pending.length;
    assert(areaAt(layout, offset) === target, `R6 a batch keeps to its area, at ${offset}`);
    let end: number;
    if (isLarge) {
      end = offset + (await writeLarge(this.#encoder, segment, offset, context, large));
    } else {
      const bytes = this.#encoder.encode(context, segment.seed, entries, from, to, this.#pending.view());
      end = cursors[target] + bytes.length;
      const isMarked = hasRoomForMark(layout.areas[target], align8(end));
      const written = isMarked ? this.#encoder.withEndMark(bytes.length, segment.seed, cursors[target]) : bytes;
      segment.file.writeSync(written, cursors[target]);
      this.#pending.clear();
    }
    cursors[target] = align8(end);
    segment.lastArea = target;
    assert(cursors[target] <= layout.areas[target].end, 'R6 batches keep to their area');
    this.#sequence = context.sequence;
    this.#fresh.add(context, segment.seed, offset, entries, from, to, this.#encoder.lengths, this.#encoder.checksums);
    return offset;
  }

  #putIdentities(area: AreaIndex): void {
    const { layout, cursors, file, seed } = this.#chain.active;
    const end = cursors[area] + this.#pending.length;
    assert(end <= layout.areas[area].end, 'R6 identities keep to their area');
    const isMarked = hasRoomForMark(layout.areas[area], end);
    file.writeSync(isMarked ? this.#pending.viewWithEndMark(seed, cursors[area]) : this.#pending.view(), cursors[area]);
    cursors[area] = end;
    this.#pending.clear();
  }

  async #sync(): Promise<void> {
    const { active } = this.#chain;
    await active.file.sync();
    active.durable = true;
    this.#synced = this.#sequence;
    assert(this.#pending.length === 0, 'R6 identities leave in order');
    [this.#pending, this.#fresh] = [this.#fresh, this.#pending];
    this.#pendingArea = otherArea(this.#target);
  }

  /**
   * What is not yet full but of another format, or is to be left, is written no further if there is
   * room for another segment, which is of the format of the cluster's version. One that was made
   * for a large entry ends with it.
   */
  async #renew(): Promise<void> {
    const { active, outdated } = this.#chain;
    if (!outdated && !active.closing) return;
    if (active.empty) return outdated ? this.#chain.reformatActive() : undefined;
    try {
      await this.#rollOn();
    } catch (error) {
      if (codeOf(error) !== 'NO_SPACE') throw error;
    }
  }

  /**
   * On to the next segment. All batches of this one are durable before the next one's first is
   * written, so that unproven ones are only ever in one segment, and their identities stay in the
   * same file. An empty one that has no room for a batch of `batchBytes` gives way to a larger one.
   */
  async #roll(batchBytes: number): Promise<void> {
    if (this.#chain.active.empty) await this.#chain.enlargeActive(batchBytes);
    else await this.#rollOn();
    this.#aim();
  }

  async #rollOn(): Promise<void> {
    if (this.#fresh.length > 0) await this.#sync();
    await this.flush();
    await this.#chain.roll();
  }
}
