/**
 * The segments in use and the two that come next. Two, and both durable before the first is written
 * to: then at least one file without entries stands behind the last with entries at all times, and
 * a lost file shows. Generations ascend; new ones follow on without a gap.
 */

import type { Keep } from '../../base/acquiring.js';
import { assert, must } from '../../base/assert.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { EventSink } from '../../base/events.js';
import { LogError } from './errors.js';
import { STRIPED, type SegmentFormat } from './segment-layout.js';
import type { Segment, SegmentStore } from './segment-store.js';

const PREPARED = 2;

export class SegmentChain {
  readonly #store: SegmentStore;
  readonly #events: EventSink;
  /** Oldest first, generations ascend; the last is written to. Never empty once open. */
  readonly #segments: Segment[];
  /** Durable and without entries; their generations follow that of the last segment. */
  readonly #prepared: Segment[];
  #preparing: Promise<void> | undefined;
  #retiring: Promise<void> = Promise.resolve();
  #retireFailed = false;
  #closed = false;

  private constructor(store: SegmentStore, events: EventSink, segments: Segment[], prepared: Segment[]) {
    this.#store = store;
    this.#events = events;
    this.#segments = segments;
    this.#prepared = prepared;
  }

  /** The files of new segments are kept with `keep`; the chain closes them as all others. */
  static async open(store: SegmentStore, events: EventSink, segments: Segment[], prepared: Segment[], keep: Keep): Promise<SegmentChain> {
    const chain = new SegmentChain(store, events, segments, prepared);
    // Once there was a striped one, the version of the cluster allows it.
    if ([...segments, ...prepared].some(({ layout }) => layout.format === STRIPED)) store.useFormat(STRIPED);
    const prepare = async (generation: number): Promise<Segment> => {
      const segment = await store.prepare(generation);
      keep(segment.file);
      return segment;
    };
    if (segments.length === 0) segments.push(await prepare(1));
    // One more before the first entry; the other may come in the meantime.
    if (prepared.length === 0) prepared.push(await prepare(chain.active.generation + 1));
    if (segments.length > 1) chain.dropUndurable();
    chain.#prepareAhead();
    return chain;
  }

  get active(): Segment {
    return this.#segments[this.#segments.length - 1] as Segment;
  }

  /** Of the segments that are made from now on. */
  useFormat(format: SegmentFormat): void {
    this.#store.useFormat(format);
  }

  /** The segment that is written to is of another format than those made now, or spoiled. */
  get outdated(): boolean {
    return !this.#conforms(this.active);
  }

  #conforms({ layout, spoiled }: Segment): boolean {
    return layout.format === this.#store.layout.format && !spoiled;
  }

  /**
   * By its own number, not by its distance from the first: a lost file whose entries the tables
   * cover leaves a gap.
   */
  segment(generation: number): Segment {
    return must(this.#segments.find((segment) => segment.generation === generation), `segment ${generation} is in use`);
  }

  /**
   * The next segment becomes the one that is written to; all of the last one is durable. Throws
   * LogError NO_SPACE.
   */
  async roll(): Promise<void> {
    await this.makeRoom();
    const next = must(this.#prepared.shift(), 'a segment was prepared');
    assert(next.generation > this.active.generation, `R6 generations grow: ${next.generation} after ${this.active.generation}`);
    this.#segments.push(next);
    this.#prepareAhead();
    if (this.outdated) {
      await this.#conformPrepared();
      await this.reformatActive();
    }
  }

  /**
   * A write or a sync of the segment that is written to failed: nothing is written to it again, and
   * the next one takes its place. Throws LogError NO_SPACE, DiskError.
   */
  async abandonActive(): Promise<void> {
    this.active.worn = true;
    await this.roll();
  }

  /**
   * Once a batch of the segment that is written to is durable: others in which none is were
   * abandoned, hold nothing that counts, and go. They must not become the oldest, of which the
   * first batch says where the log begins.
   */
  dropUndurable(): void {
    assert(this.active.durable, `R6 segment ${this.active.generation} says what the ones before it hold`);
    for (let i = this.#segments.length - 2; i >= 0; i--) {
      const segment = this.#segments[i] as Segment;
      if (segment.durable) continue;
      this.#segments.splice(i, 1);
      this.#retiring = this.#retiring.then(() => this.#retire(segment));
    }
  }

  /** What the next roll needs is there. Throws LogError NO_SPACE. */
  async makeRoom(): Promise<void> {
    try {
      while (this.#prepared.length < PREPARED) {
        this.#prepareAhead();
        await this.#preparing;
      }
    } catch (error) {
      throw wantOfRoom(error);
    }
  }

  /**
   * The last segment that is not of the format of today, unless it is the one that is written to
   * and nothing was written to it yet.
   */
  get lastForeign(): Segment | undefined {
    const { format } = this.#store.layout;
    return this.#segments.findLast((segment) => segment.layout.format !== format && !(segment === this.active && segment.empty));
  }

  /** Nothing of another format than today's is there, not even an empty file. */
  get isUniform(): boolean {
    return [...this.#segments, ...this.#prepared].every((segment) => this.#conforms(segment));
  }

  /** Empty files of another format are made anew. Nothing is appended meanwhile. */
  async conform(): Promise<void> {
    await this.#preparing?.catch(() => undefined);
    await this.#conformPrepared();
    if (this.outdated && this.active.empty) await this.reformatActive();
  }

  async #conformPrepared(): Promise<void> {
    const { format } = this.#store.layout;
    for (let i = 0; i < this.#prepared.length; i++) {
      const segment = this.#prepared[i] as Segment;
      if (!this.#conforms(segment)) this.#prepared[i] = await this.#store.reformat(segment, format);
    }
  }

  /** The segment that is written to, and nothing was written to yet, gets the format of today. */
  async reformatActive(): Promise<void> {
    this.#replaceActive(await this.#store.reformat(this.active, this.#store.layout.format));
  }

  /** The oldest may have been dropped in the meantime. */
  #replaceActive(segment: Segment): void {
    assert(this.active.generation === segment.generation, `R6 segment ${segment.generation} keeps its place`);
    this.#segments[this.#segments.length - 1] = segment;
  }

  /**
   * The segment that is written to, and that nothing was written to yet, is made anew with room for
   * a batch of `batchBytes`. Throws LogError NO_SPACE.
   */
  async enlargeActive(batchBytes: number): Promise<void> {
    const { active } = this;
    try {
      this.#replaceActive(await this.#store.enlarge(active, batchBytes));
    } catch (error) {
      throw wantOfRoom(error);
    }
  }

  /**
   * The oldest segment, if the next one begins with a durable batch: that one then says where the
   * log begins.
   */
  droppable(): Segment | undefined {
    return this.#segments[1]?.durable === true && !this.#retireFailed ? this.#segments[0] : undefined;
  }

  /** No reader asks for it any more; its file goes in the background. */
  dropOldest(): void {
    const segment = must(this.#segments.shift(), 'there is an oldest segment');
    assert(this.#segments.length > 0, 'the segment that is written to stays');
    this.#retiring = this.#retiring.then(() => this.#retire(segment));
  }

  /** When the files of dropped segments are gone. */
  settled(): Promise<void> {
    return this.#retiring;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#retiring;
    await this.#preparing?.catch(() => undefined);
    for (const segment of [...this.#segments, ...this.#prepared]) segment.file.close();
  }

  async #retire(segment: Segment): Promise<void> {
    // Oldest first without a gap: what stays behind after a failure is dropped again after a
    // restart.
    if (this.#retireFailed) return segment.file.close();
    try {
      await this.#store.retire(segment);
    } catch (error) {
      this.#retireFailed = true;
      this.#events.emit({ type: 'warning', message: `a log segment cannot be recycled: ${messageOf(error)}`, data: { generation: segment.generation } });
    }
  }

  #prepareAhead(): void {
    if (this.#preparing !== undefined || this.#prepared.length >= PREPARED || this.#closed) return;
    const generation = (this.#prepared.at(-1) ?? this.active).generation + 1;
    const running = this.#store.prepare(generation).then((segment) => {
      const last = (this.#prepared.at(-1) ?? this.active).generation;
      assert(segment.generation > last, `R6 segment ${segment.generation} is prepared behind ${last}`);
      this.#prepared.push(segment);
      this.#preparing = undefined;
    });
    this.#preparing = running.catch((error: unknown) => {
      this.#preparing = undefined;
      throw error;
    });
    // Whoever rolls asks again and is told; until then a failure matters to nobody.
    this.#preparing.then(() => this.#prepareAhead(), () => undefined);
  }
}

function wantOfRoom(error: unknown): unknown {
  if (codeOf(error) !== 'NO_SPACE') return error;
  return new LogError('NO_SPACE', 'there is no room for another log segment', {}, error);
}
