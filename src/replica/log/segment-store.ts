/**
 * Segment files come and go so that a crash at any moment leaves one unbroken run of generations: a
 * file gets its final name only when its blocks are allocated, its headers written and both
 * durable; files leave oldest first, each one's going durable before the next. A file whose turn is
 * over becomes a spare and later a segment again: its blocks are allocated already, which makes a
 * durable write a third cheaper than one into a growing file. A segment that was made larger than
 * the others, for one large entry, has no second life.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import { encodeEndMark, hasRoomForMark } from './end-mark.js';
import { REST_NAME } from './rest-record.js';
import {
  APART, encodeHeader, generationSeed, layoutOf, middleCopy, middleOf, segmentBytesFor, segmentName, type Area, type AreaIndex,
  type SegmentFormat, type SegmentLayout,
} from './segment-layout.js';

/** Files kept for another life; what is beyond is deleted. */
const MAX_SPARES = 2;
const ZEROS_AT_ONCE = MiB;

export class Segment {
  readonly generation: number;
  readonly seed: number;
  readonly layout: SegmentLayout;
  readonly file: DiskFile;
  /** By area: where the next record goes. They only grow. */
  readonly cursors: [number, number];
  /** Where its last batch is. */
  lastArea: AreaIndex | undefined;
  /** Whether one of its batches is known to be durable. */
  durable = false;
  /**
   * A place of it could not be read: it serves no second time, for a write into a part of such a
   * page would fail.
   */
  worn = false;
  /** What is written next goes to the next segment, though there is room in this one. */
  closing = false;
  /**
   * A write or a sync of it failed before anything was appended: what the file holds is not known,
   * and a failed sync is never tried again. It is made anew in another file.
   */
  spoiled = false;

  constructor(generation: number, layout: SegmentLayout, file: DiskFile) {
    this.generation = generation;
    this.seed = generationSeed(generation);
    this.layout = layout;
    this.file = file;
    this.cursors = [layout.dataStart, layout.identityStart];
  }

  /** Nothing was ever written to it. */
  get empty(): boolean {
    return this.layout.areas.every(({ start }, area) => this.cursors[area] === start);
  }
}

export class SegmentStore {
  readonly dir: string;
  readonly #disk: Disk;
  readonly #segmentBytes: number;
  #layout: SegmentLayout;
  /** Names of files that may become a segment again, at most MAX_SPARES. */
  readonly #spares: string[] = [];

  constructor(disk: Disk, dir: string, segmentBytes: number) {
    this.#disk = disk;
    this.dir = dir;
    this.#segmentBytes = segmentBytes;
    this.#layout = layoutOf(segmentBytes, APART);
  }

  /** Of the segments that are made from now on. */
  get layout(): SegmentLayout {
    return this.#layout;
  }

  useFormat(format: SegmentFormat): void {
    this.#layout = layoutOf(this.#segmentBytes, format);
  }

  /** Files that a crash left on their way in or out. */
  async sweep(names: readonly string[]): Promise<void> {
    for (const name of names) if (name.endsWith('.tmp') && name !== REST_NAME) await this.#disk.unlink(`${this.dir}/${name}`);
  }

  /** A durable segment file, ready to be written. */
  async prepare(generation: number): Promise<Segment> {
    assert(generation > 0, `R6 generations begin with 1, not with ${generation}`);
    const { layout } = this;
    const temporary = (await this.#fromSpare(generation, layout)) ?? (await this.#new(generation, layout));
    const name = segmentName(this.dir, generation);
    await this.#disk.rename(temporary, name);
    await this.#disk.syncDir(this.dir);
    return new Segment(generation, layout, await this.#disk.open(name, 'write'));
  }

  /**
   * The same file in another format, durably: nothing was ever written to it. A crash leaves
   * headers that say the one or the other, or one of each, and all are right. In another file if
   * that failed once.
   */
  async reformat(empty: Segment, format: SegmentFormat): Promise<Segment> {
    const { generation, file } = empty;
    assert(empty.empty, `R6 segment ${generation} is empty`);
    const layout = layoutOf(empty.layout.bytes, format);
    if (empty.spoiled) return this.#anew(empty, layout);
    const header = encodeHeader({ format, generation, segmentBytes: layout.bytes, marked: true });
    try {
      await markAreas(file, generation, layout);
      await file.write(header, layout.bytes - header.length);
      await file.sync();
      await file.write(header, 0);
      await file.write(middleCopy(header), middleOf(layout));
      await file.sync();
    } catch (error) {
      empty.spoiled = true;
      throw error;
    }
    const segment = new Segment(generation, layout, file);
    segment.worn = empty.worn;
    return segment;
  }

  /**
   * A durable segment file in the place of `empty`, which nothing was ever written to, with room
   * for a batch of `batchBytes` in its first area: of format 1, which has most there. A crash
   * leaves the one or the other under that name.
   */
  async enlarge(empty: Segment, batchBytes: number): Promise<Segment> {
    const { generation, layout } = empty;
    assert(empty.empty, `R6 segment ${generation} is empty`);
    const larger = layoutOf(Math.max(segmentBytesFor(batchBytes), layout.bytes), APART);
    assert(larger.dataEnd > layout.dataEnd, `the first area of segment ${generation} grows, from ${layout.dataEnd} to ${larger.dataEnd}`);
    if (larger.bytes === layout.bytes) return this.reformat(empty, APART);
    return this.#anew(empty, larger);
  }

  /** Another file under the name of `empty`, which is not to be used again if this fails. */
  async #anew(empty: Segment, layout: SegmentLayout): Promise<Segment> {
    const temporary = await this.#new(empty.generation, layout);
    const name = segmentName(this.dir, empty.generation);
    // From here on it may be that nobody finds it under its name.
    empty.spoiled = true;
    await this.#disk.rename(temporary, name);
    await this.#disk.syncDir(this.dir);
    const segment = new Segment(empty.generation, layout, await this.#disk.open(name, 'write'));
    empty.file.close();
    return segment;
  }

  /**
   * Undefined: there is no spare, or those that there were are gone from the disk, which loses
   * nothing.
   */
  async #fromSpare(generation: number, layout: SegmentLayout): Promise<string | undefined> {
    for (let spare = this.#spares.pop(); spare !== undefined; spare = this.#spares.pop()) {
      try {
        await this.#fill(spare, false, generation, layout);
        return spare;
      } catch (error) {
        if (codeOf(error) !== 'NOT_FOUND') throw await this.#withdrawn(spare, error);
      }
    }
    return undefined;
  }

  async #new(generation: number, layout: SegmentLayout): Promise<string> {
    const path = `${this.dir}/new-${generation}.tmp`;
    try {
      await this.#fill(path, true, generation, layout);
      return path;
    } catch (error) {
      throw await this.#withdrawn(path, error);
    }
  }

  /** Without an answer: the first error says what is wrong. */
  async #withdrawn(path: string, error: unknown): Promise<unknown> {
    await this.#disk.unlink(path).catch(() => undefined);
    return error;
  }

  /** The segment's entries are needed no more. */
  async retire(segment: Segment): Promise<void> {
    const name = segmentName(this.dir, segment.generation);
    segment.file.close();
    if (this.#spares.length < MAX_SPARES && !segment.worn && segment.layout.bytes === this.layout.bytes) {
      const spare = `${this.dir}/spare-${segment.generation}.tmp`;
      await this.#disk.rename(name, spare);
      // Durable before the header is overwritten, or a crash leaves the old name with a younger
      // header.
      await this.#disk.syncDir(this.dir);
      this.#spares.push(spare);
      assert(this.#spares.length <= MAX_SPARES, `${this.#spares.length} spare segments are kept`);
    } else {
      await this.#disk.unlink(name);
      await this.#disk.syncDir(this.dir);
    }
  }

  async #fill(path: string, fresh: boolean, generation: number, layout: SegmentLayout): Promise<void> {
    const { bytes } = layout;
    const file = await this.#disk.open(path, fresh ? 'create' : 'write');
    try {
      if (fresh) await zeroRange(file, 0, bytes);
      await writeFrame(file, generation, layout);
      await file.sync();
    } finally {
      file.close();
    }
  }
}

/** The headers, and an end mark where each area begins. */
export async function writeFrame(file: DiskFile, generation: number, layout: SegmentLayout): Promise<void> {
  await markAreas(file, generation, layout);
  const header = encodeHeader({ format: layout.format, generation, segmentBytes: layout.bytes, marked: true });
  await file.write(header, 0);
  await file.write(header, layout.bytes - header.length);
  await file.write(middleCopy(header), middleOf(layout));
}

async function markAreas(file: DiskFile, generation: number, { areas }: SegmentLayout): Promise<void> {
  for (const { start } of areas) await file.write(encodeEndMark(generationSeed(generation), start), start);
}

/** Zeros from `start` to the end of the area, behind an end mark: in one write what fits in one. */
export async function blankArea({ file, seed }: Segment, { end }: Area, start: number): Promise<void> {
  if (!hasRoomForMark({ start, end }, start)) return zeroRange(file, start, end);
  const first = new Uint8Array(Math.min(ZEROS_AT_ONCE, end - start));
  first.set(encodeEndMark(seed, start));
  await file.write(first, start);
  await zeroRange(file, start + first.length, end);
}

/** Writes zeros into [start, end): allocates blocks, and makes what was there unreadable. */
export async function zeroRange(file: DiskFile, start: number, end: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(ZEROS_AT_ONCE, Math.max(0, end - start)));
  for (let at = start; at < end; at += zeros.length) await file.write(zeros.subarray(0, Math.min(zeros.length, end - at)), at);
}
