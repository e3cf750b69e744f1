/**
 * Turns appends into batches: which segment, which sequence number, which identities go along. R6
 * an identity leaves only after the sync of its batch returned: `#fresh` are those whose batch is
 * being written, `#pending` those whose batch is durable.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { BATCH_HEADER, BatchEncoder, RECORD_HEADER, recordLength, type BatchContext } from './batch-codec.js';
import type { EntryTable } from './entry-table.js';
import { identityBound, IdentityEncoder } from './identity-codec.js';
import type { SegmentChain } from './segment-chain.js';
import { writeLarge } from './large-batch.js';
import { align8 } from './segment-layout.js';

/** A batch holds at most this much unless a single entry is larger. */
const MAX_BATCH_BYTES = 4 * MiB;
const NO_ENTRIES: readonly Entry[] = [];

interface PlacedBatch {
  readonly generation: number;
  readonly offset: number;
  /** In the entries of the append. */
  readonly from: number;
  readonly to: number;
}

export class LogWriter {
  readonly #chain: SegmentChain;
  readonly #encoder = new BatchEncoder();
  #pending = new IdentityEncoder();
  #fresh = new IdentityEncoder();
  /** Of the last batch: grows by one with each. */
  #sequence: number;
  /** The last sequence whose sync returned: synced <= sequence. */
  #synced: number;
  /** Only grows. */
  #snapshotThrough: LogIndex;
  /** Of the last `write`. */
  #placed: PlacedBatch[] = [];

  constructor(chain: SegmentChain, lastSequence: number, snapshotThrough: LogIndex) {
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
      this.#putIdentities();
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
    if (!this.#hasRoom(BATCH_HEADER, 0)) await this.#roll(BATCH_HEADER);
    this.#snapshotThrough = Math.max(this.#snapshotThrough, snapshotThrough);
    this.#putIdentities();
    await this.#putBatch(this.#context(index, term, commit, reset), NO_ENTRIES, 0, 0);
    await this.#sync();
    await this.flush();
    assert(!this.hasPending, `R6 the identity of mark ${this.#sequence} is durable with it`);
  }

  /** Makes the identities of durable batches durable. */
  async flush(): Promise<void> {
    if (!this.hasPending) return;
    this.#putIdentities();
    await this.#chain.active.file.sync();
  }

  #context(previousIndex: LogIndex, previousTerm: Term, commit: LogIndex, reset: boolean): BatchContext {
    return {
      generation: this.#chain.active.generation, sequence: this.#sequence + 1, synced: this.#synced,
      previousIndex, previousTerm, commit, snapshotThrough: this.#snapshotThrough, reset,
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

  #hasRoom(batchBytes: number, entries: number): boolean {
    const { layout, dataCursor, identityCursor } = this.#chain.active;
    const waiting = this.#pending.length + this.#fresh.length;
    return dataCursor + batchBytes <= layout.dataEnd && identityCursor + waiting + identityBound(entries) <= layout.identityEnd;
  }

  async #putBatch(context: BatchContext, entries: readonly Entry[], from: number, to: number): Promise<number> {
    const segment = this.#chain.active;
    const offset = segment.dataCursor;
    const large = entries[from];
    let length: number;
    if (to === from + 1 && large !== undefined && large.data.length > MAX_BATCH_BYTES) {
      length = await writeLarge(this.#encoder, segment, context, large);
    } else {
      const bytes = this.#encoder.encode(context, segment.seed, entries, from, to);
      segment.file.writeSync(bytes, offset);
      length = bytes.length;
    }
    segment.dataCursor = align8(offset + length);
    assert(segment.dataCursor <= segment.layout.dataEnd, 'R6 batches keep to the data area');
    this.#sequence = context.sequence;
    this.#fresh.add(context, segment.seed, offset, entries, from, to, this.#encoder.lengths, this.#encoder.checksums);
    return offset;
  }

  #putIdentities(): void {
    if (this.#pending.length === 0) return;
    const segment = this.#chain.active;
    assert(segment.identityCursor + this.#pending.length <= segment.layout.identityEnd, 'R6 identities keep to their area');
    segment.file.writeSync(this.#pending.view(), segment.identityCursor);
    segment.identityCursor += this.#pending.length;
    this.#pending.clear();
  }

  async #sync(): Promise<void> {
    const { active } = this.#chain;
    await active.file.sync();
    active.durable = true;
    this.#synced = this.#sequence;
    assert(this.#pending.length === 0, 'R6 identities leave in order');
    [this.#pending, this.#fresh] = [this.#fresh, this.#pending];
  }

  /**
   * On to the next segment. All batches of this one are durable before the next one's first is
   * written, so that unproven ones are only ever in one segment, and their identities stay in the
   * same file. An empty one that has no room for a batch of `batchBytes` gives way to a larger one.
   */
  async #roll(batchBytes: number): Promise<void> {
    const { active } = this.#chain;
    if (active.dataCursor === active.layout.dataStart) return this.#chain.enlargeActive(batchBytes);
    if (this.#fresh.length > 0) await this.#sync();
    await this.flush();
    await this.#chain.roll();
  }
}
